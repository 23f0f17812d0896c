import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { discovery } from '@gateway/discovery'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../../../test/support/folder.ts'
import { ask, configOf, eventuallyFinds, eventuallyStale, found, messages, named, startWith } from './support.ts'

for (const { name, run } of pluginSuite(() => discovery())) test(name, run)

const [a, b, c] = ['http://127.0.0.1:9001', 'http://127.0.0.1:9002', 'http://127.0.0.1:9003']
const quick = (path: string, more: object = {}) => ({ use: 'file', path, interval: 10, ...more })

test('static: as the config has them', async () => {
  const backend = await named('a')
  const running = await startWith({ use: 'static', targets: [backend.origin, { url: a, weight: 0 }] })
  expect(await ask(running)).toBe('a')
  expect(found(running).urls).toEqual([backend.origin, a].sort())
})

describe('file', () => {
  test('of JSON or YAML, with what a target may say', async () => {
    const path = join(makeFolder(), 'targets')
    writeFileSync(path, JSON.stringify([a, { url: b, weight: 2, zone: 'eu', metadata: { rack: '7' } }]))
    const running = await startWith(quick(path))
    expect(found(running)).toEqual({ urls: [a, b], stale: undefined })
    writeFileSync(path, `# by hand\n- ${a}\n- url: ${c}\n  weight: 3\n`)
    await eventuallyFinds(running, [a, c])
    writeFileSync(path, '[]')
    await eventuallyFinds(running, [])
  })

  test('with a list for each service, by its own name or another', async () => {
    const path = join(makeFolder(), 'targets.yaml')
    writeFileSync(path, `shop: [${a}]\nother: [${b}]\n`)
    const services = { shop: { discover: quick(path) }, mine: { discover: quick(path, { service: 'other' }) } }
    const routes = { all: { match: 'ANY /*', service: 'shop' }, mine: { match: 'GET /mine', service: 'mine' } }
    const running = await startWith(quick(path), { services, routes })
    expect(running.gateway.services).toMatchObject([
      { name: 'shop', discovery: { use: 'file', state: 'found' }, targets: [{ url: a }] },
      { name: 'mine', discovery: { use: 'file', state: 'found' }, targets: [{ url: b }] },
    ])
    // One source for both.
    expect(running.gateway.shared.filter(name => name.startsWith('discovery.'))).toHaveLength(1)
    writeFileSync(path, `other: [${b}]\n`)
    await eventuallyStale(running, 'has no list for "shop"')
    expect(found(running).urls).toEqual([a])
  })

  test('renamed into place, linked anew further up, written in a burst', async () => {
    const base = makeFolder()
    const path = join(base, 'now', 'targets.json')
    for (const name of ['one', 'two']) mkdirSync(join(base, name))
    writeFileSync(join(base, 'one', 'targets.json'), JSON.stringify([a]))
    writeFileSync(join(base, 'two', 'targets.json'), JSON.stringify([b]))
    symlinkSync('one', join(base, 'now'))
    const running = await startWith(quick(path))
    expect(found(running).urls).toEqual([a])
    symlinkSync('two', join(base, 'next'))
    renameSync(join(base, 'next'), join(base, 'now'))
    await eventuallyFinds(running, [b])
    writeFileSync(join(base, 'other'), JSON.stringify([a, b]))
    renameSync(join(base, 'other'), path)
    await eventuallyFinds(running, [a, b])
    for (let i = 0; i < 50; i++) writeFileSync(path, JSON.stringify([`http://127.0.0.1:${9100 + i}`]))
    writeFileSync(path, JSON.stringify([c]))
    await eventuallyFinds(running, [c])
    expect(messages(running, 'targets changed').length).toBeLessThan(10)
  })

  test.each([
    ['no YAML', '- [', 'Flow sequence'],
    ['another form', 'text', 'must be a list of targets'],
    ['a target that is none', `- ${b}\n- ftp://x`, '1 must be an origin'],
    ['an unknown key', `- { url: '${b}', wieght: 2 }`, '0 Unrecognized key'],
  ])('bad content keeps what was there before: %s', async (_, text, reason) => {
    const path = join(makeFolder(), 'targets.yaml')
    writeFileSync(path, `- ${a}`)
    const running = await startWith(quick(path))
    writeFileSync(path, text)
    await eventuallyStale(running, reason)
    expect(found(running).urls).toEqual([a])
    expect(messages(running, 'a discovery lost its source, the last targets stay')).toEqual([
      { service: 'shop', discovery: 'file', reason: expect.stringContaining(reason), targets: 1 },
    ])
    writeFileSync(path, `- ${b}`)
    await eventuallyFinds(running, [b])
    expect(messages(running, 'a discovery found its source again')).toHaveLength(1)
  })

  test('that is not there yet answers 503 and says why; then it serves, and outlives its removal', async () => {
    const backend = await named('a')
    const path = join(makeFolder(), 'targets.yaml')
    const running = await startWith(quick(path))
    expect(await ask(running)).toBe('503')
    const why = `service "shop" has no target to send to: file cannot look: ${path}: ENOENT`
    expect(running.log.all.map(({ message }) => message)).toContainEqual(expect.stringContaining(why))
    writeFileSync(path, `- ${backend.origin}`)
    await eventuallyFinds(running, [backend.origin])
    expect(await ask(running)).toBe('a')
    rmSync(path)
    await eventuallyStale(running, 'ENOENT')
    expect(await ask(running)).toBe('a')
  })

  test('a reload that leaves it as it is keeps source, targets and connections; the last that lets go ends it', async () => {
    const backend = await named('a')
    const path = join(makeFolder(), 'targets.yaml')
    writeFileSync(path, `- ${backend.origin}`)
    const running = await startWith(quick(path))
    await ask(running)
    const before = running.gateway.shared
    const listen = { port: 0, host: '127.0.0.1' }
    await running.gateway.reload(configOf(quick(path), { listen, timeoutStatus: 408 }))
    expect(found(running)).toEqual({ urls: [backend.origin], stale: undefined })
    expect(await ask(running)).toBe('a')
    expect(backend.wires).toHaveLength(1)
    expect(running.gateway.shared).toEqual(before)
    expect(messages(running, 'targets changed')).toHaveLength(1)
  })
})
