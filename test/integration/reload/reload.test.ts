import { ConfigProblems, definePlugin, type Host } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'
import { type AnyPlugin, gate, hooked } from '../plugins/support.ts'

const listen = { port: 0, host: '127.0.0.1' }
const replying = (body: string, more: object = {}) => ({
  listen,
  routes: { all: { match: 'ANY /*', reply: { status: 200, body } } },
  ...more,
})
const proxying = (origin: string, more: object = {}) => ({
  listen,
  services: { backend: { targets: [origin] } },
  routes: { all: { match: 'ANY /*', service: 'backend' } },
  ...more,
})

/** A plugin that notes down its life, and what it shares. */
function living(lines: string[], label: string, also: (host: Host) => unknown = () => undefined): AnyPlugin {
  return definePlugin({
    name: 'living',
    setup(host) {
      const state = host.share({
        name: 'living.state',
        create: () => ({ by: label }),
        close: ({ by }) => void lines.push(`state of ${by} closed`),
      })
      lines.push(`${label} set up with the state of ${state.by}`)
      host.defer(() => void lines.push(`${label} cleaned up`))
      host.draining.addEventListener('abort', () => lines.push(`${label} drains`))
      return also(host) as undefined
    },
  })() as never
}

test('a reload serves the new config to new requests, on the same connection', async () => {
  const { gateway, port } = await startGateway(replying('one'))
  const client = await connect(port)
  client.send(requestText('GET /'))
  expect((await client.response()).body).toBe('one')
  expect(await gateway.reload(replying('two'))).toEqual({ generation: 2, changed: true, warnings: [] })
  client.send(requestText('GET /'))
  expect((await client.response()).body).toBe('two')
  expect(await (await gateway.fetch('http://x/')).text()).toBe('two')
  await eventually(() => expect(gateway.generations).toMatchObject([{ id: 2, state: 'serving', inFlight: 0 }]))
})

describe('generations', () => {
  test('a request ends in the generation it began in; the old one drains and goes with its last request', async () => {
    const lines: string[] = []
    const upstream = await rawUpstream(() => {})
    const make = (label: string) =>
      proxying(upstream.origin, {
        plugins: [
          living(lines, label),
          hooked('labelling', { onResponse: (_ctx, head) => head.headers.set('X-Generation', label) }),
        ],
      })
    const { gateway, port } = await startGateway(make('one'))
    const old = exchange(port, 'GET /old')
    const first = await upstream.connection(1)
    await first.request()
    await gateway.reload(make('two'))
    expect(lines).toEqual(['one set up with the state of one', 'two set up with the state of one', 'one drains'])
    expect(gateway.generations).toMatchObject([
      { id: 2, state: 'serving', inFlight: 0 },
      { id: 1, state: 'draining', inFlight: 1 },
    ])
    const fresh = exchange(port, 'GET /new')
    const second = await upstream.connection(2)
    await second.request()
    second.send(responseText(200))
    expect((await fresh).lines).toContain('X-Generation: two')
    expect(lines).toHaveLength(3)
    first.send(responseText(200))
    expect((await old).lines).toContain('X-Generation: one')
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    expect(lines.slice(3)).toEqual(['one cleaned up'])
    await gateway.close()
    expect(lines.slice(4)).toEqual(['two drains', 'two cleaned up', 'state of one closed'])
  })

  test('when its drain time is over the old generation goes, and its request still ends well', async () => {
    const lines: string[] = []
    const upstream = await rawUpstream(() => {})
    const { gateway, port, log } = await startGateway(
      proxying(upstream.origin, { drainTimeout: 20, plugins: [living(lines, 'one')] }),
    )
    const client = await connect(port)
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
    await client.through('half')
    await gateway.reload(replying('two'))
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    expect(lines).toEqual(['one set up with the state of one', 'one drains', 'one cleaned up', 'state of one closed'])
    expect(log.all.filter(({ level }) => level === 'warn').map(({ message, fields }) => [message, fields])).toEqual([
      ['drain time over, letting the generation go', { generation: 1, inFlight: 1 }],
    ])
    server.send('full')
    await client.through('full')
  })

  test('several old ones drain side by side', async () => {
    const gates = [gate(), gate()]
    const holding = (index: number) =>
      replying(`${index}`, {
        plugins: [hooked('holding', { onRequest: ctx => (ctx.path === '/hold' ? gates[index]?.promise : undefined) })],
      })
    const { gateway } = await startGateway(holding(0))
    const zero = gateway.fetch('http://x/hold')
    await gateway.reload(holding(1))
    const one = gateway.fetch('http://x/hold')
    await gateway.reload(replying('2'))
    expect(gateway.generations.map(({ id, inFlight }) => [id, inFlight])).toEqual([
      [3, 0],
      [1, 1],
      [2, 1],
    ])
    gates[1]?.resolve()
    expect(await (await one).text()).toBe('1')
    await eventually(() => expect(gateway.generations.map(({ id }) => id)).toEqual([3, 1]))
    gates[0]?.resolve()
    expect(await (await zero).text()).toBe('0')
    await eventually(() => expect(gateway.generations.map(({ id }) => id)).toEqual([3]))
  })
})

describe('what is shared', () => {
  test('is kept while some generation asks for it, and closed with the last', async () => {
    const lines: string[] = []
    const make = (label: string) => replying(label, { plugins: [living(lines, label)] })
    const { gateway } = await startGateway(make('one'))
    for (const label of ['two', 'three', 'four']) await gateway.reload(make(label))
    expect(gateway.shared).toEqual(['living.state'])
    await gateway.reload(replying('none'))
    await eventually(() => expect(gateway.shared).toEqual([]))
    expect(lines.filter(line => line.includes('state'))).toEqual([
      ...['one', 'two', 'three', 'four'].map(label => `${label} set up with the state of one`),
      'state of one closed',
    ])
    await gateway.reload(make('five'))
    expect(lines.at(-1)).toBe('five set up with the state of five')
  })

  test('that fails to close is logged by name, and the gateway goes on', async () => {
    const plugin = definePlugin({
      name: 'a',
      setup: host =>
        void host.share({ name: 'a.state', create: () => 1, close: () => Promise.reject(new Error('stuck')) }),
    })()
    const { gateway, log } = await startGateway(replying('one', { plugins: [plugin] }))
    await gateway.reload(replying('two'))
    await eventually(() =>
      expect(log.all.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
        'shared "a.state" failed to close',
      ]),
    )
    expect(await (await gateway.fetch('http://x/')).text()).toBe('two')
  })

  test('holds the connections to an upstream: twenty reloads use the one there is', async () => {
    const backend = await recordingBackend()
    const { gateway, port } = await startGateway(proxying(backend.origin))
    for (let round = 0; round < 20; round++) {
      expect((await exchange(port, 'GET /')).body).toBe('hello')
      await gateway.reload(proxying(backend.origin, { timeoutStatus: round % 2 === 0 ? 408 : 504 }))
    }
    expect(backend.wires).toHaveLength(1)
    expect(backend.requests).toHaveLength(20)
  })

  test('connections with other options are others, and the old ones close after their exchange', async () => {
    const upstream = await rawUpstream(() => {})
    const pooled = (connections: number) =>
      proxying(upstream.origin, { services: { backend: { targets: [upstream.origin], pool: { connections } } } })
    const { gateway, port } = await startGateway(pooled(1))
    const old = exchange(port, 'GET /old')
    const first = await upstream.connection(1)
    await first.request()
    await gateway.reload(pooled(2))
    const fresh = exchange(port, 'GET /new')
    const second = await upstream.connection(2)
    await second.request()
    second.send(responseText(200, [], 'new'))
    expect((await fresh).body).toBe('new')
    first.send(responseText(200, [], 'old'))
    expect((await old).body).toBe('old')
    await first.gone()
    expect(second.closed).toBe(false)
  })
})

describe('a reload that fails leaves everything as it was', () => {
  const lines: string[] = []
  const failing = definePlugin({
    name: 'failing',
    setup: () => {
      throw new Error('boom')
    },
  })
  test.each<[string, () => unknown, string]>([
    ['a wrong config', () => ({ routes: { all: { match: 'GTE /' } } }), 'CONFIG_UNKNOWN_METHOD'],
    ['no config', () => undefined, 'CONFIG_NOT_AN_OBJECT'],
    [
      'a set-up that throws',
      () => replying('two', { plugins: [living(lines, 'two'), failing()] }),
      'CONFIG_SETUP_FAILED',
    ],
    [
      'a route that is refused',
      () =>
        replying('two', {
          plugins: [
            living(lines, 'two', () => ({ onRoute: (route: { problem(m: string): void }) => route.problem('no') })),
          ],
        }),
      'CONFIG_ROUTE_REFUSED',
    ],
  ])('%s', async (_, config, code) => {
    lines.length = 0
    const backend = await recordingBackend()
    const good = proxying(backend.origin, { plugins: [living(lines, 'one')] })
    const { gateway, port } = await startGateway(good)
    expect((await exchange(port, 'GET /')).body).toBe('hello')
    const before = [gateway.generations, gateway.addresses, gateway.shared]
    const error: unknown = await gateway.reload(config()).catch(reason => reason)
    expect(error).toBeInstanceOf(ConfigProblems)
    expect((error as ConfigProblems).problems.map(problem => problem.code)).toContain(code)
    expect([gateway.generations, gateway.addresses, gateway.shared]).toEqual(before)
    expect((await exchange(port, 'GET /')).body).toBe('hello')
    expect(backend.wires).toHaveLength(1)
    expect(lines.filter(line => line.startsWith('one'))).toEqual(['one set up with the state of one'])
    expect(lines.filter(line => line.startsWith('two') && line.includes('set up')).length).toBe(
      lines.filter(line => line === 'two cleaned up').length,
    )
    // The number of the failed one was never given out.
    expect(await gateway.reload(proxying(backend.origin))).toMatchObject({ generation: 2 })
  })
})

describe('calls take their turn', () => {
  test('the last to be called is what serves', async () => {
    const { gateway } = await startGateway(replying('0'))
    const slow = (label: string, ms: number) =>
      replying(label, {
        plugins: [
          definePlugin({
            name: 'slow',
            setup: async () => {
              for (let i = 0; i < ms; i++) await new Promise(resolve => setImmediate(resolve))
            },
          })(),
        ],
      })
    const results = await Promise.allSettled([
      gateway.reload(slow('1', 20)),
      gateway.reload({}),
      gateway.reload(slow('2', 5)),
      gateway.reload(replying('3')),
    ])
    expect(results.map(result => (result.status === 'fulfilled' ? result.value.generation : 'failed'))).toEqual([
      2,
      'failed',
      3,
      4,
    ])
    expect(await (await gateway.fetch('http://x/')).text()).toBe('3')
  })

  test('a set-up never runs beside another', async () => {
    let running = 0
    const { gateway } = await startGateway(replying('0'))
    const plugin = definePlugin({
      name: 'counting',
      async setup() {
        expect(++running).toBe(1)
        await new Promise(resolve => setImmediate(resolve))
        running--
      },
    })
    await Promise.all(Array.from({ length: 10 }, () => gateway.reload(replying('x', { plugins: [plugin()] }))))
  })
})
