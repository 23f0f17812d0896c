import { balancing } from '@gateway/balancing'
import { defineConfig } from '@gateway/core'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { ask, backends, configOf, start, switchboard } from './gateway-support.ts'

for (const { name, run } of pluginSuite(() => balancing({ key: 'k', zone: 'x' }), { alwaysOn: false })) test(name, run)

const names = ['random', 'leastRequests', 'ewma', 'ringHash', 'maglev'] as const

describe.each(names)('%s', use => {
  test('picks by its name alone, and as long as one is left', async () => {
    const targets = await backends('ab')
    const { plugin, takeOut } = switchboard()
    const running = await start([balancing(), plugin()], { targets, balance: use })
    expect('ab').toContain((await ask(running)).from)
    takeOut(targets[0])
    for (let i = 0; i < 5; i++) expect((await ask(running)).from).toBe('b')
  })
})

test('what a config may write', () => {
  const config = defineConfig({
    plugins: [balancing({ zone: 'eu-1', key: ['new', 'old'] })],
    services: {
      plain: { targets: ['http://a'], balance: 'leastRequests' },
      sessions: {
        // The order in which the Go gateway looks for a session.
        balance: { use: 'ringHash', by: [{ header: 'X-Session-Id' }, { cookie: 'session' }, 'ip'], bound: 1.25 },
        targets: [{ url: 'http://a', weight: 0, priority: 1, zone: 'eu-1', metadata: { rack: '7' } }],
        balancing: { slowStart: '30s', panicThreshold: 0.3, priorityThreshold: 0.7, zoneThreshold: 0.5 },
      },
      cookies: { targets: ['http://a'], balancing: { sticky: { cookie: { name: 'S', ttl: '1h' } } } },
    },
    routes: {},
  })
  expect(config).toBeDefined()
})

describe('fail-over', () => {
  test('the next priority serves while the first is out, and hands back at once', async () => {
    const [a, b] = await backends('ab')
    const { plugin, takeOut } = switchboard()
    const running = await start([balancing(), plugin()], { targets: [a, { url: b, priority: 1 }] })
    expect((await ask(running)).from).toBe('a')
    const letIn = takeOut(a)
    expect((await ask(running)).from).toBe('b')
    letIn()
    expect((await ask(running)).from).toBe('a')
  })

  test('a zone of its own goes before the gateway’s', async () => {
    const [a, b] = await backends('ab')
    const targets = [
      { url: a, zone: 'x' },
      { url: b, zone: 'y' },
    ]
    const running = await start([balancing({ zone: 'x' })], { targets })
    for (let i = 0; i < 3; i++) expect((await ask(running)).from).toBe('a')
    await running.gateway.reload(configOf([balancing({ zone: 'x' })], { targets, balancing: { zone: 'y' } }))
    for (let i = 0; i < 3; i++) expect((await ask(running)).from).toBe('b')
  })

  test('in panic targets that are out are tried all the same', async () => {
    const targets = await backends('ab')
    const { plugin, takeOut } = switchboard()
    const running = await start([balancing(), plugin()], { targets, balancing: { panicThreshold: 0.6 } })
    takeOut(targets[0])
    expect([(await ask(running)).from, (await ask(running)).from].sort()).toEqual(['a', 'b'])
  })
})

test('every target out: 503 with its code and Retry-After, nothing waits, and recovery is immediate', async () => {
  const targets = await backends('ab')
  const { plugin, at, takeOut } = switchboard()
  const running = await start([balancing(), plugin()], { targets, balance: 'leastRequests' })
  const letIn = targets.map(url => takeOut(url, Date.now() + 30_000))
  const answers = await Promise.all(Array.from({ length: 50 }, () => running.gateway.fetch('http://gateway.test/')))
  for (const response of answers) {
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^(29|30)$/)])
    expect(await response.json()).toMatchObject({ code: 'GATEWAY_NO_HEALTHY_TARGET' })
  }
  expect(targets.map(url => at(url).inFlight)).toEqual([0, 0])
  letIn[1]?.()
  expect((await ask(running)).from).toBe('b')
})

test('what is out stays out over a reload that holds it again', async () => {
  const targets = await backends('ab')
  const { plugin, ended, takeOut, at } = switchboard()
  const running = await start([balancing(), plugin()], { targets })
  takeOut(targets[0])
  await running.gateway.reload(configOf([balancing(), plugin()], { targets, balance: 'random' }))
  // Held by the new generation, which comes before the old one lets go.
  takeOut(targets[0])
  await eventually(() => expect(ended()).toBe(1))
  expect(at(targets[0]).available).toBe(false)
  expect((await ask(running)).from).toBe('b')
})

test('latencies and what is warm outlive a reload', async () => {
  const targets = await backends('ab')
  const service = { targets, balance: 'ewma', balancing: { slowStart: '10s' } }
  const running = await start([balancing()], service)
  await ask(running)
  const shared = running.gateway.shared.filter(name => name.startsWith('balancing.')).sort()
  expect(shared).toEqual(['balancing.latency shop', 'balancing.warmth shop'])
  await running.gateway.reload(configOf([balancing()], service, { drainTimeout: '1s' }))
  await eventually(() => expect(running.gateway.generations).toHaveLength(1))
  expect(running.gateway.shared.filter(name => name.startsWith('balancing.')).sort()).toEqual(shared)
})

test('a target that joins warms up, and a reload in between does not start it over', async () => {
  const targets = await backends('ab')
  const { plugin, at, takeOut } = switchboard()
  const service = { targets, balancing: { slowStart: '1h' } }
  const running = await start([balancing(), plugin()], service)
  await ask(running)
  takeOut(targets[1])()
  expect(at(targets[1]).weight).toBe(1)
  const letIn = takeOut(targets[1])
  await ask(running)
  letIn()
  await ask(running)
  expect(at(targets[1]).weight).toBe(0.1)
  await running.gateway.reload(configOf([balancing(), plugin()], { ...service, preserveHost: true }))
  await ask(running)
  await eventually(() => expect(running.gateway.generations).toHaveLength(1))
  expect(at(targets[1]).weight).toBeLessThan(0.2)
  // Without the plugin nothing is left of it.
  await running.gateway.reload(configOf([plugin()], { targets }))
  await eventually(() => expect(at(targets[1]).weight).toBe(1))
})
