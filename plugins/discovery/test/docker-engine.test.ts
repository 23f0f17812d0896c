import type { ServerResponse } from 'node:http'
import { discovery } from '@gateway/discovery'
import { describe, expect, test } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { container, startFakeEngine } from './fake-engine.ts'
import {
  ask,
  configOf,
  eventuallyFinds,
  eventuallyStale,
  found,
  messages,
  named,
  startWith,
  viewing,
} from './support.ts'

const labels = (more: Record<string, string> = {}) => ({ 'gateway.service': 'shop', 'gateway.port': '80', ...more })
const host = 'http://127.0.0.1:80'

async function start(containers: unknown, more: object = {}) {
  const engine = await startFakeEngine()
  engine.containers = containers
  const discover = { use: 'docker', host: engine.host, resync: '1h', ...more }
  return { engine, discover, running: await startWith(discover) }
}

describe('the engine', () => {
  test('is asked for what runs and is not unhealthy, and listens before it lists', async () => {
    const { engine } = await start([container('one', labels())])
    expect(engine.asked.map(call => call.replace(/ .*/, ''))).toEqual(['/events', '/containers/json'])
    expect(engine.asked[1]).toBe(
      '/containers/json {"label":["gateway.service"],"status":["running"],"health":["none","healthy"]}',
    )
  })

  test('that loses its events is connected to again, and what changed meanwhile is found', async () => {
    const { engine, running } = await start([container('one', labels())])
    engine.containers = [container('two', labels({ 'gateway.port': '81' }))]
    engine.lose()
    await eventuallyFinds(running, ['http://127.0.0.1:81'])
    expect(messages(running, 'a discovery found its source again')).toHaveLength(1)
  })

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['an error', response => void response.writeHead(500).end('{"message":"out of order"}'), 'out of order'],
    ['another page', response => void response.end('<html>'), 'no list of containers'],
    ['an answer cut off', response => void response.writeHead(200, { 'content-length': 9 }).destroy(), ''],
  ])('that answers with %s leaves what was found last', async (_, answer, reason) => {
    const { engine, running } = await start([container('one', labels())])
    engine.answer = answer
    engine.tell({ Action: 'start', Actor: { ID: 'x' } })
    await eventuallyStale(running, reason)
    expect(found(running).urls).toEqual([host])
    engine.answer = undefined
    await eventuallyFinds(running, [host])
  })

  test('that sends no events but something else is left, and asked again', async () => {
    const { engine, running } = await start([container('one', labels())])
    engine.write('hello\n')
    await eventuallyStale(running, 'JSON')
    await eventuallyFinds(running, [host])
  })

  test('may tell an event in pieces, or several at once: lists do not pile up', async () => {
    const { engine, running } = await start([])
    const before = engine.lists
    engine.containers = [container('one', labels())]
    const text = `${JSON.stringify({ Action: 'start', Actor: { ID: 'x' } })}\n`
    engine.write(text.slice(0, 9))
    engine.write(text.slice(9) + text.repeat(500))
    await eventuallyFinds(running, [host])
    expect(engine.lists - before).toBeLessThan(10)
  })

  test('is asked now and then without an event', async () => {
    const { engine, running } = await start([], { resync: 20 })
    engine.containers = [container('one', labels())]
    await eventuallyFinds(running, [host])
  })

  test('that is not there keeps nobody from starting', async () => {
    const running = await startWith({ use: 'docker', host: 'unix:///none/docker.sock' })
    expect(await ask(running)).toBe('503')
    await eventuallyStale(running, 'unix:///none/docker.sock: connect ENOENT')
  })

  test('is connected to once for all services of a prefix, over reloads, and let go of by the last', async () => {
    const { engine, running, discover } = await start([container('one', labels())])
    const listen = { port: 0, host: '127.0.0.1' }
    const services = { shop: { discover }, other: { discover: { ...discover, service: 'shop', routes: true } } }
    await running.gateway.reload(configOf(discover, { listen, services }))
    await running.gateway.reload(configOf(discover, { listen, services, timeoutStatus: 408 }))
    expect(found(running).urls).toEqual([host])
    expect([engine.streams.size, engine.asked.length]).toEqual([1, 2])
    await running.gateway.reload({ listen, routes: {} })
    await eventually(() => expect(engine.streams.size).toBe(0))
  })

  test('over TLS, with a certificate of ours', async () => {
    const authority = await createAuthority()
    const server = await authority.issue({ names: ['DNS:localhost'] })
    const { cert, key } = await authority.issue({ subject: '/CN=gateway' })
    const ca = authority.cert
    const engine = await startFakeEngine({ cert: server.cert, key: server.key, ca, requestCert: true })
    engine.containers = [container('one', labels())]
    const running = await startWith({ use: 'docker', host: engine.host, tls: { ca, cert, key } })
    // On the engine's machine.
    expect(found(running).urls).toEqual(['http://localhost:80'])
  })
})

describe('a container of which an event says that it goes', () => {
  const kill = (signal: string) => ({ Action: 'kill', Actor: { ID: 'id-of-one', Attributes: { signal } } })

  test('leaves while it still runs, and is back when it starts', async () => {
    const backend = await named('one')
    const port = new URL(backend.origin).port
    const { engine, running } = await start([container('one', labels({ 'gateway.port': port }))])
    expect(await ask(running)).toBe('one')
    engine.tell(kill('15'))
    await eventuallyFinds(running, [])
    engine.tell({ Action: 'start', Actor: { ID: 'id-of-one' } })
    await eventuallyFinds(running, [backend.origin])
  })

  test.each([
    ['pause', 'unpause'],
    ['health_status: unhealthy', 'health_status: healthy'],
  ])('leaves by %s, whatever the list says yet', async (goes, comes) => {
    const { engine, running } = await start([container('one', labels())])
    engine.tell({ Action: goes, Actor: { ID: 'id-of-one' } })
    await eventuallyFinds(running, [])
    engine.tell({ Action: comes, Actor: { ID: 'id-of-one' } })
    await eventuallyFinds(running, [host])
  })

  test('is found again by a new connection, which cannot know of it', async () => {
    const { engine, running } = await start([container('one', labels())])
    engine.tell(kill('15'))
    await eventuallyFinds(running, [])
    engine.lose()
    await eventuallyFinds(running, [host])
  })

  test.each(['1', '10', '12', '28'])('stays at signal %s', async signal => {
    const { engine, running } = await start([container('one', labels())])
    const { lists } = engine
    engine.tell(kill(signal))
    await eventually(() => expect(engine.lists).toBeGreaterThan(lists))
    expect(found(running).urls).toEqual([host])
  })
})

describe('a container', () => {
  const network = (...names: string[]) => ({
    HostConfig: { NetworkMode: names[0] },
    NetworkSettings: {
      Networks: Object.fromEntries(names.map((name, i) => [name, { IPAddress: `10.0.${i}.7`, GlobalIPv6Address: '' }])),
    },
  })
  const ports = (...list: object[]) => ({ Ports: list.map(port => ({ Type: 'tcp', IP: '', PublicPort: 0, ...port })) })
  const bare = { 'gateway.service': 'shop' }

  test.each<[string, unknown, object, string]>([
    ['on the network of the host', container('c', labels()), {}, host],
    ['of a network', container('c', labels(), network('a')), {}, 'http://10.0.0.7:80'],
    ['of several networks', container('c', labels(), network('a', 'b')), { network: 'b' }, 'http://10.0.1.7:80'],
    ['with the only port it exposes', container('c', bare, ports({ PrivatePort: 8080 })), {}, 'http://127.0.0.1:8080'],
    ['with the port of the config', container('c', bare), { port: 81 }, 'http://127.0.0.1:81'],
    ['with a scheme', container('c', labels({ 'gateway.scheme': 'https' })), {}, 'https://127.0.0.1:80'],
    ['said to be healthy', container('c', labels({ 'gateway.health': 'healthy' })), {}, host],
    ['enabled', container('c', labels({ 'gateway.enable': 'true' })), {}, host],
    [
      'by another prefix and name',
      container('c', { 'io.shop.service': 'web', 'io.shop.port': '82' }),
      { prefix: 'io.shop', service: 'web' },
      'http://127.0.0.1:82',
    ],
    [
      'by its published port',
      container('c', labels(), { ...network('a'), ...ports({ PrivatePort: 80, PublicPort: 5_000, IP: '0.0.0.0' }) }),
      { published: true },
      'http://127.0.0.1:5000',
    ],
    [
      'by a port published at one address',
      container('c', labels(), { ...network('a'), ...ports({ PrivatePort: 80, PublicPort: 5_000, IP: '::1' }) }),
      { published: true },
      'http://[::1]:5000',
    ],
    [
      'with IPv6 alone',
      container('c', labels(), {
        HostConfig: { NetworkMode: 'a' },
        NetworkSettings: { Networks: { a: { IPAddress: '', GlobalIPv6Address: 'fd00::7' } } },
      }),
      {},
      'http://[fd00::7]:80',
    ],
  ])('%s', async (_, one, options, url) => {
    const { running } = await start([one], options)
    expect(found(running).urls).toEqual([url])
  })

  test.each([{ 'gateway.enable': 'false' }, { 'gateway.health': 'unhealthy' }, { 'gateway.service': 'other' }])(
    'that is not to be used: %o',
    async more => {
      const { running } = await start([container('one', labels(more))])
      expect(found(running).urls).toEqual([])
      expect(messages(running, 'container one is left out')).toEqual([])
    },
  )

  test('that is wrong is left out and named, and the others serve', async () => {
    const exposes = ports({ PrivatePort: 80 }, { PrivatePort: 81 }, { PrivatePort: 53, Type: 'udp' })
    const wrong: [string, unknown][] = [
      [
        'its label gateway.port must be a port from 1 to 65535, not "0"',
        container('w', labels({ 'gateway.port': '0' })),
      ],
      [
        'its label gateway.port must be a port from 1 to 65535, not "http"',
        container('w', labels({ 'gateway.port': 'http' })),
      ],
      [
        'its label gateway.scheme must be one of http, https, not "ws"',
        container('w', labels({ 'gateway.scheme': 'ws' })),
      ],
      [
        'its label gateway.weight must be a number from 0, not "-1"',
        container('w', labels({ 'gateway.weight': '-1' })),
      ],
      [
        'its label gateway.enable must be one of true, false, not "yes"',
        container('w', labels({ 'gateway.enable': 'yes' })),
      ],
      [
        'its label gateway.health must be one of true, false, healthy, unhealthy, not "toString"',
        container('w', labels({ 'gateway.health': 'toString' })),
      ],
      ['it exposes 0 ports: say which by the label gateway.port', container('w', bare)],
      ['it exposes 2 ports: say which by the label gateway.port', container('w', bare, exposes)],
      ['it has no address', container('w', labels(), { HostConfig: { NetworkMode: 'none' } })],
      ['it is in the networks a, b: say which by "network"', container('w', labels(), network('a', 'b'))],
    ]
    const good = container('good', labels())
    const { engine, running } = await start([good, ...wrong.map(([, one]) => one)])
    expect(found(running).urls).toEqual([host])
    expect(messages(running, 'container w is left out').map(({ reason }) => reason)).toEqual(
      wrong.map(([reason]) => reason),
    )
    const { lists } = engine
    engine.tell({ Action: 'start', Actor: { ID: 'x' } })
    await eventually(() => expect(engine.lists).toBeGreaterThan(lists))
    expect(messages(running, 'container w is left out')).toHaveLength(wrong.length)
  })

  test('with a label that nobody reads is used without it, and the label named', async () => {
    const more = { 'gateway.wieght': '2', 'gateway.meta.any': 'x', gateways: '2' }
    const { running } = await start([container('w', labels(more))])
    expect(found(running).urls).toEqual([host])
    const warned = running.log.all.flatMap(({ message }) => (message.endsWith('is left out') ? [message] : []))
    expect(warned).toEqual(['label gateway.wieght of container w is left out'])
  })

  test('that is left out brings no route along', async () => {
    const route = { 'gateway.route.match': 'GET /wrong', 'gateway.port': '0' }
    const { running } = await start([container('w', labels(route)), container('one', labels())], { routes: true })
    expect(running.gateway.explain({ method: 'GET', url: '/wrong' }).route?.name).toBe('all')
    expect(messages(running, 'container w is left out')).toHaveLength(1)
  })

  test('gives its target weight and metadata', async () => {
    const more = { 'gateway.weight': '2.5', 'gateway.meta.rack': '7', 'gateway.meta.constructor': 'x' }
    const { engine, discover, running } = await start([container('one', labels(more))])
    const { plugin, targets } = viewing()
    await running.gateway.reload(
      configOf(discover, { listen: { port: 0, host: '127.0.0.1' }, plugins: [discovery(), plugin] }),
    )
    expect(targets()).toMatchObject([{ url: host, weight: 2.5, metadata: { rack: '7', constructor: 'x' } }])
    const [before] = targets()
    engine.containers = [container('one', labels(more)), container('two', labels({ 'gateway.port': '81' }))]
    engine.tell({ Action: 'start', Actor: { ID: 'id-of-two' } })
    await eventually(() => expect(targets()).toHaveLength(2))
    expect(targets()[0]).toBe(before)
  })
})

test.each([
  [{ host: 'docker.sock' }, 'must be a socket or an origin'],
  [{ host: 'tcp://a/b' }, 'must be a socket or an origin'],
  [{ tls: { ca: '', cert: '', key: 'k' } }, 'is not spoken over a socket'],
  [{ published: true, network: 'a' }, 'cannot go with network'],
  [{ prefix: 'a b' }, 'must be the beginning of labels'],
])('refused: %o', async (options, message) => {
  await expect(startWith({ use: 'docker', ...options })).rejects.toThrow(message)
})
