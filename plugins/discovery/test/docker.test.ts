import { discovery } from '@gateway/discovery'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { freePort } from '../../../test/support/free-port.ts'
import type { RunningGateway } from '../../../test/support/gateway.ts'
import { type DockerEngine, engineMissing, serveName, startEngine } from './engine.ts'
import { ask, eventuallyFinds, eventuallyStale, found, messages, startWith } from './support.ts'

describe.skipIf(engineMissing)('a real engine', () => {
  let engine: DockerEngine
  beforeAll(async () => {
    engine = await startEngine()
  }, 60_000)
  afterAll(() => engine?.end(), 60_000)
  afterEach(() => engine.removeAll())

  const start = (more: object = {}, config: object = {}) =>
    startWith({ use: 'docker', host: engine.host, resync: '1h', ...more }, { ...config })

  /** On the host's network; returns its URL. */
  async function serve(name: string, labels: Record<string, string> = {}, args: readonly string[] = []) {
    const port = await freePort()
    const own = { 'gateway.service': 'shop', 'gateway.port': String(port), ...labels }
    await serveName(engine, name, `127.0.0.1:${port}`, { labels: own, args: ['--network', 'host', ...args] })
    return `http://127.0.0.1:${port}`
  }

  const eventuallyAnswers = (running: RunningGateway, answer: string, path = '/') =>
    eventually(async () => expect(await ask(running, path)).toBe(answer))

  test('containers come, stop and are replaced under load, and no request fails', async () => {
    const running = await start()
    expect(await ask(running)).toBe('503')
    const one = await serve('one')
    await eventuallyFinds(running, [one])
    await eventuallyAnswers(running, 'one')
    const answers = new Map<string, number>()
    let over = false
    const load = Array.from({ length: 4 }, async () => {
      while (!over) {
        const answer = await ask(running)
        answers.set(answer, (answers.get(answer) ?? 0) + 1)
      }
    })
    const two = await serve('two')
    await eventuallyFinds(running, [one, two])
    await eventually(() => expect(answers.get('two')).toBeGreaterThan(10))
    await engine.docker('stop', '--time', '1', 'one')
    await eventuallyFinds(running, [two])
    // Labels are those of a container's birth, so it is born anew.
    await engine.docker('rm', 'one')
    const again = await serve('one', { 'gateway.weight': '3', 'gateway.meta.rack': '7' })
    await eventuallyFinds(running, [again, two])
    const before = answers.get('one') ?? 0
    await eventually(() => expect(answers.get('one')).toBeGreaterThan(before + 10))
    await engine.docker('stop', '--time', '1', 'two')
    await eventuallyFinds(running, [again])
    over = true
    await Promise.all(load)
    expect([...answers.keys()].sort()).toEqual(['one', 'two'])
  })

  test('who is paused or unhealthy leaves, and comes back', async () => {
    const running = await start()
    const one = await serve('one')
    const check = ['--health-cmd', '! /bin/busybox test -e /www/ill', '--health-interval', '50ms']
    const two = await serve('two', {}, [...check, '--health-retries', '1'])
    await eventuallyFinds(running, [one, two])
    await engine.docker('pause', 'one')
    await eventuallyFinds(running, [two])
    await engine.docker('unpause', 'one')
    await eventuallyFinds(running, [one, two])
    await engine.docker('exec', 'two', '/bin/busybox', 'touch', '/www/ill')
    await eventuallyFinds(running, [one])
    await engine.docker('exec', 'two', '/bin/busybox', 'rm', '/www/ill')
    await eventuallyFinds(running, [one, two])
  })

  test('addresses in a network, and published ports', async () => {
    const labels = { 'gateway.service': 'shop' }
    for (const name of ['front', 'back']) await engine.docker('network', 'create', name)
    await serveName(engine, 'one', '80', { labels, args: ['--network', 'front', '--publish', '127.0.0.1::80'] })
    const inFront = await start({ network: 'front' })
    const published = await start({ published: true })
    const anywhere = await start()
    await eventuallyAnswers(inFront, 'one')
    await eventuallyAnswers(published, 'one')
    expect(found(published).urls).toEqual([`http://${await engine.docker('port', 'one', '80')}`])
    expect(found(anywhere)).toEqual(found(inFront))
    await engine.docker('network', 'connect', 'back', 'one')
    await eventuallyFinds(anywhere, [])
    expect(messages(anywhere, 'container one is left out')).toMatchObject([
      { service: 'shop', reason: expect.stringMatching(/^it is in the networks (front, back|back, front): say which/) },
    ])
    expect(found(inFront).urls).toHaveLength(1)
    await engine.docker('network', 'disconnect', 'back', 'one')
    await eventuallyFinds(anywhere, found(inFront).urls)
  })

  test('services of a Compose project by their own names', async () => {
    const port = await freePort()
    const composed = (project: string) => ({
      'com.docker.compose.project': project,
      'com.docker.compose.service': 'web',
      'gateway.port': String(port),
    })
    await serveName(engine, 'other-web-1', '127.0.0.1:1', { labels: composed('other') })
    await serveName(engine, 'mine-web-1', `127.0.0.1:${port}`, { labels: composed('mine') })
    const running = await start({ project: 'mine', service: 'web' })
    await eventuallyAnswers(running, 'mine-web-1')
    expect(found(running).urls).toEqual([`http://127.0.0.1:${port}`])
  })

  test('routes by label come and go; of two that claim one the first stays', async () => {
    const services = {
      shop: { discover: { use: 'docker', host: engine.host, routes: true } },
      other: { discover: { use: 'docker', host: engine.host, routes: true } },
      closed: { discover: { use: 'docker', host: engine.host } },
    }
    const running = await start({}, { services, routes: { fixed: { match: 'GET /fixed', service: 'shop' } } })
    const route = { 'gateway.route.match': 'ANY /shop/*', 'gateway.route.stripPrefix': '/shop' }
    await serve('one', route)
    await eventuallyAnswers(running, 'one', '/shop/')
    await serve('two', { ...route, 'gateway.service': 'other' })
    await eventually(() =>
      expect(messages(running, 'a route that was found is refused')).toEqual([
        {
          service: 'other',
          match: 'ANY /shop/*',
          from: 'container two',
          reason: 'container one, of service "shop", asks for exactly the same',
        },
      ]),
    )
    expect(await ask(running, '/shop/')).toBe('one')
    await serve('three', { 'gateway.service': 'closed', 'gateway.route.match': 'GET /three' })
    await engine.docker('rm', '--force', 'one')
    await eventuallyAnswers(running, 'two', '/shop/')
    expect(await ask(running, '/three')).toBe('404')
    await engine.docker('rm', '--force', 'two')
    await eventuallyAnswers(running, '404', '/shop/')
  })

  test('while the engine is away what was found serves on; it is found again, and what changed meanwhile', async () => {
    const running = await start({}, { plugins: [discovery()] })
    const one = await serve('one')
    await eventuallyAnswers(running, 'one')
    await engine.stop()
    await eventuallyStale(running, 'unix://')
    expect(await ask(running)).toBe('one')
    expect(found(running).urls).toEqual([one])
    await engine.start()
    await eventuallyFinds(running, [one])
    const two = await serve('two')
    await eventuallyFinds(running, [one, two])
    expect(messages(running, 'a discovery lost its source, the last targets stay')).toHaveLength(1)
  })
})
