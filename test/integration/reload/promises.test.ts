import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { definePlugin, type Gateway } from '@gateway/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { startGateway } from '../../support/gateway.ts'
import { rawUpstream, recordingBackend, startUpstream } from '../../support/upstream.ts'
import { pools } from '../../support/watched.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'
import { type AnyPlugin, hooked } from '../plugins/support.ts'
import { startClients } from './start-clients.ts'

/**
 * What a reload promises, each under load: keep-alive clients that always have a request under way. What it promises
 * about files (the place of a mistake, a save that changes nothing, a plugin's source) stands in cli/bring-up.test.ts.
 */

const listen = { port: 0, host: '127.0.0.1' }
const all = { match: 'ANY /*', service: 'backend' }
const marked = (body: string) => ({ match: 'GET /mark', reply: { status: 200, body } })

/** A service that the busy clients can use, and a route whose answer tells which config serves. */
const serving = (origin: string, mark: string, more: object = {}) => ({
  listen,
  log: { access: false },
  services: { backend: { targets: [origin] } },
  routes: { all, mark: marked(mark) },
  ...more,
})

/** Answers what the busy clients ask, and sends a tick to all who asked for /endless whenever it is told to. */
async function busyUpstream() {
  const streams = new Set<{ write(text: string): void }>()
  const { origin } = await startUpstream((request, response) => {
    if (request.url === '/endless') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
      streams.add(response)
      response.on('close', () => streams.delete(response))
    } else if (request.method === 'GET') response.end(request.url)
    else request.pipe(response)
  })
  const tick = (text: string) => {
    for (const stream of streams) stream.write(`data: ${text}\n\n`)
  }
  return { origin, streams, tick }
}

async function underLoad(port: number, clients: number, work: () => Promise<void>): Promise<void> {
  const load = startClients(port, clients)
  await load.warm
  await work()
  const { answered, connections, failures } = await load.stop()
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(clients)
  expect(connections).toBe(clients)
}

const ids = (gateway: Gateway) => gateway.generations.map(({ id }) => id)
const markOf = async (port: number) => (await exchange(port, 'GET /mark')).body

async function openStream(port: number): Promise<Wire> {
  const client = await connect(port)
  client.send(requestText('GET /endless'))
  await client.through('\r\n\r\n')
  return client
}

test('1. no request fails and no connection is closed; streams opened before go on through 200 reloads', {
  timeout: 60_000,
}, async () => {
  const { origin, streams, tick } = await busyUpstream()
  const config = (round: number) => {
    const settings = { drainTimeout: '10m', timeoutStatus: round % 2 === 0 ? 504 : 408 }
    const extra = round % 3 === 0 ? { [`extra${round}`]: { match: `GET /extra/${round}`, service: 'backend' } } : {}
    const pool = { connections: 100 + (round % 5) }
    return serving(origin, `${round}`, {
      ...settings,
      services: { backend: { targets: [origin], pool } },
      routes: { all, mark: marked(`${round}`), ...extra },
    })
  }
  const { gateway, port } = await startGateway(config(0))
  const clients = await Promise.all(Array.from({ length: 10 }, () => openStream(port)))
  await underLoad(port, 16, async () => {
    for (let round = 1; round <= 200; round++) {
      expect(await gateway.reload(config(round))).toMatchObject({ generation: round + 1, changed: true })
      if (round % 20 === 0) tick(`${round}`)
    }
    expect(await markOf(port)).toBe('200')
  })
  for (const client of clients) {
    await client.through('data: 200\n\n')
    expect(client.transcript.match(/data: \d+/g)).toEqual(Array.from({ length: 10 }, (_, i) => `data: ${(i + 1) * 20}`))
    client.socket.destroy()
  }
  // The first generation held them all the while.
  await eventually(() => expect([streams.size, ids(gateway)]).toEqual([0, [201]]))
})

describe('2. all or nothing', () => {
  const stuck = () => new Promise<undefined>(() => {})
  const plugin = (setup: () => undefined | Promise<undefined>) =>
    definePlugin({ name: 'failing', setup })() as AnyPlugin

  test('what fails to set up, to start or to listen leaves the running config as it was', async () => {
    const { origin } = await busyUpstream()
    const taken = createTcpServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const { port: takenPort } = taken.address() as AddressInfo
    const { gateway, port } = await startGateway(serving(origin, 'old'))
    const bad = (more: object) => serving(origin, 'new', { setupTimeout: 20, ...more })
    const discovery = { name: 'never', point: 'discovery', create: () => ({ watch: stuck }) }
    const released: string[] = []
    const cleaned = definePlugin({
      name: 'cleaned',
      setup(host) {
        host.defer(() => void released.push('first'))
        host.defer(stuck)
      },
    })()
    const refused: readonly (readonly [object, string])[] = [
      [{ routes: { all: { match: 'GTE /*' } } }, 'CONFIG_UNKNOWN_METHOD unknown method "GTE"'],
      [{ plugins: [plugin(() => Promise.reject(new Error('no')))] }, 'plugin "failing" failed to set up: no'],
      [
        { plugins: [cleaned, plugin(stuck)] },
        'plugin "failing" failed to set up: it has not ended within 20 ms (setupTimeout)',
      ],
      [
        {
          plugins: [definePlugin({ name: 'discovering', extensions: [discovery as never] })()],
          services: { backend: { discover: 'never' } },
        },
        'discovery "never" failed to start: it has not ended within 20 ms (setupTimeout)',
      ],
      [{ listen: [listen, { ...listen, port: takenPort }] }, 'it is in use by another process'],
    ]
    await underLoad(port, 4, async () => {
      for (const [more, message] of refused) {
        const error: unknown = await gateway.reload(bad(more)).catch(reason => reason)
        expect(String(error)).toContain(message)
        expect([ids(gateway), await markOf(port)]).toEqual([[1], 'old'])
      }
      expect(await gateway.reload(serving(origin, 'new'))).toMatchObject({ generation: 2 })
    })
    // A clean-up that never ends kept neither the others nor the next reload waiting.
    expect(released).toEqual(['first'])
  })
})

describe('3. an equal config is a no-op', () => {
  test('the generation stays, and no plugin is set up again', async () => {
    const { origin } = await busyUpstream()
    let setUps = 0
    const counting = definePlugin({ name: 'counting', setup: () => void setUps++ })
    const onRequest = () => undefined
    const config = (): Record<string, unknown> =>
      serving(origin, 'same', {
        plugins: [counting()],
        routes: { all: { ...all, onRequest, headers: { host: /./ } }, mark: marked('same') },
      })
    const { gateway, port } = await startGateway(config())
    await underLoad(port, 4, async () => {
      for (let round = 0; round < 10; round++) {
        expect(await gateway.reload(config())).toEqual({ generation: 1, changed: false, warnings: [] })
      }
      expect([ids(gateway), setUps]).toEqual([[1], 1])
      // Functions compare by identity: equal source text is not equal behaviour.
      const other = { ...config(), routes: { all: { ...all, onRequest: () => undefined }, mark: marked('same') } }
      expect(await gateway.reload(other)).toMatchObject({ generation: 2, changed: true })
    })
  })

  test('a config object that was changed in place is another config', async () => {
    const route = marked('one')
    const config = { listen, routes: { mark: route } }
    const { gateway, port } = await startGateway(config)
    route.reply.body = 'two'
    expect(await markOf(port)).toBe('one')
    expect(await gateway.reload({ ...config, log: { access: true } })).toMatchObject({ changed: true })
    expect(await markOf(port)).toBe('two')
  })
})

test('4. what did not change stays as it is: connections, turns of the balancer, targets, shared state', async () => {
  const { origin } = await busyUpstream()
  const upstreams = await Promise.all(['a', 'b', 'c'].map(name => recordingBackend(() => responseText(200, [], name))))
  const held = await rawUpstream(() => {})
  const states: object[] = []
  const seen = new Set<unknown>()
  const stateful = definePlugin({
    name: 'stateful',
    setup(host) {
      states.push(host.share({ name: 'stateful.counters', create: () => ({}) }))
      return { onRoute: () => ({ onAttempt: (ctx, { target }) => void (ctx.route === 'turns' && seen.add(target)) }) }
    },
  })
  const config = (mark: string) =>
    serving(origin, mark, {
      plugins: [stateful()],
      services: {
        backend: { targets: [origin] },
        turns: { targets: upstreams.map(upstream => upstream.origin) },
        narrow: { targets: [held.origin], pool: { connections: 1 } },
      },
      routes: {
        all,
        mark: marked(mark),
        turns: { match: 'GET /turns', service: 'turns' },
        narrow: { match: 'GET /narrow', service: 'narrow' },
      },
    })
  const { gateway, port } = await startGateway(config('0'))
  const first = exchange(port, 'GET /narrow')
  const server = await held.connection(1)
  await server.request()
  const answers: string[] = []
  await underLoad(port, 4, async () => {
    for (let round = 1; round <= 8; round++) {
      answers.push((await exchange(port, 'GET /turns')).body)
      await gateway.reload(config(`${round}`))
    }
  })
  expect(answers.join('')).toBe('abcabcab')
  expect(upstreams.map(({ wires }) => wires.length)).toEqual([1, 1, 1])
  expect([new Set(states).size, seen.size]).toEqual([1, 3])
  // The one connection is taken by a request of the first generation: one of the ninth waits for it.
  const second = exchange(port, 'GET /narrow')
  server.send(responseText(200, [], 'first'))
  await server.request()
  server.send(responseText(200, [], 'second'))
  expect([(await first).body, (await second).body, held.wires.length]).toEqual(['first', 'second', 1])
})

test('5. a request ends in the generation it began in', async () => {
  const { origin } = await busyUpstream()
  const mixed: string[] = []
  let finished = 0
  const labelled = (label: string) =>
    hooked('labelled', {
      onRequest: ctx => ctx.headers.set('x-label', label),
      async onResponse(ctx) {
        await Promise.resolve()
        if (ctx.headers.get('x-label') !== label) mixed.push(`${ctx.headers.get('x-label')} ended in ${label}`)
      },
      onFinish: () => void finished++,
    })
  const config = (label: string) => serving(origin, label, { plugins: [labelled(label)] })
  const { gateway, port } = await startGateway(config('0'))
  await underLoad(port, 8, async () => {
    for (let round = 1; round <= 20; round++) {
      const before = finished
      await gateway.reload(config(`${round}`))
      await eventually(() => expect(finished).toBeGreaterThan(before + 8))
    }
  })
  expect(mixed).toEqual([])
})

test('6. an old generation goes with its last exchange or its drain time, and tells what holds it', async () => {
  const { origin } = await busyUpstream()
  const lines: string[] = []
  const living = (label: string) =>
    definePlugin({ name: 'living', setup: host => host.defer(() => void lines.push(`${label} closed`)) })()
  const config = (label: string, drainTimeout: string) =>
    serving(origin, label, { plugins: [living(label)], drainTimeout })
  const { gateway, port } = await startGateway(config('one', '10m'))
  await underLoad(port, 4, async () => {
    const [stream, other] = [await openStream(port), await openStream(port)]
    await gateway.reload(config('two', '50ms'))
    await eventually(() => expect(gateway.generations[1]?.inFlight).toBe(2))
    const id = expect.stringMatching(/./)
    const sizes = { ageMs: expect.any(Number), bytesIn: 0, bytesOut: expect.any(Number) }
    const held = { id, kind: 'request', route: 'all', client: '127.0.0.1', ...sizes }
    expect(gateway.generations[1]).toEqual({
      id: 1,
      state: 'draining',
      inFlight: 2,
      holders: [held, held],
    })
    for (const client of [stream, other]) client.socket.destroy()
    await eventually(() => expect([ids(gateway), lines]).toEqual([[2], ['one closed']]))
    const stubborn = await openStream(port)
    await gateway.reload(config('three', '10m'))
    await eventually(() => expect([ids(gateway), lines]).toEqual([[3], ['one closed', 'two closed']]))
    expect(stubborn.closed).toBe(false)
    stubborn.socket.destroy()
  })
})

test('7. reloads leave nothing over: no timer, no socket, no listener of the process, no shared state', async () => {
  const { origin } = await busyUpstream()
  const ticking = new Set<number>()
  const config = (round: number) =>
    serving(origin, `${round}`, {
      plugins: [
        definePlugin({
          name: 'opening',
          setup(host) {
            host.clock.every(1, () => void ticking.add(round))
            host.share({ name: `opening.${round}`, create: () => 1 })
          },
        })(),
      ],
      services: { backend: { targets: [origin], pool: { connections: 50 + (round % 7) } } },
    })
  const { gateway, port } = await startGateway(config(0))
  const handles = () =>
    process
      .getActiveResourcesInfo()
      .filter(kind => /serverwrap|watch|event/i.test(kind))
      .toSorted()
  const listeners = () => process.eventNames().map(event => [event, process.listenerCount(event)])
  await exchange(port, 'GET /x')
  const before = [handles(), listeners(), gateway.shared.length]
  await underLoad(port, 4, async () => {
    for (let round = 1; round <= 100; round++) await gateway.reload(config(round))
  })
  await eventually(() => expect([handles(), listeners(), gateway.shared.length]).toEqual(before))
  // Connections to upstreams are those of the pool that serves.
  await eventually(() => expect([...pools].filter(({ stats }) => stats.open > 0).length).toBeLessThan(2))
  expect(ids(gateway)).toEqual([101])
  ticking.clear()
  await eventually(() => expect([...ticking]).toEqual([100]))
})

test('8. 10,000 routes: requests go on while a reload works', async () => {
  const { origin } = await busyUpstream()
  const config = (edited: string) => {
    // Every one of them changes: an edit of one is made in a few turns.
    const route = (i: number) => ({
      match: `GET /api/v${i % 7}/things${i}/:id`,
      service: 'backend',
      rewrite: `/${edited}`,
    })
    const routes = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`route${i}`, route(i)]))
    return serving(origin, edited, { routes: { all, mark: marked(edited), ...routes } })
  }
  const { gateway, port } = await startGateway(config('one'))
  let turns = 0
  let timer: NodeJS.Immediate | undefined
  const turn = () => {
    turns++
    timer = setImmediate(turn)
  }
  await underLoad(port, 4, async () => {
    turn()
    await gateway.reload(config('two'))
    clearImmediate(timer)
    expect((await exchange(port, 'GET /api/v2/things5000/1')).body).toBe('/two')
  })
  expect(turns).toBeGreaterThan(5)
})

test('9. another port needs no restart: the new one opens before the old one closes, which lets its exchanges end', async () => {
  const { origin } = await busyUpstream()
  const { gateway, port } = await startGateway(serving(origin, 'one'))
  const kept = await openStream(port)
  const other = await freePort()
  await gateway.reload(serving(origin, 'two', { listen: { ...listen, port: other } }))
  expect(gateway.addresses.map(address => address.port)).toEqual([other])
  expect(await markOf(other)).toBe('two')
  await expect(connect(port)).rejects.toThrow('ECONNREFUSED')
  expect(kept.closed).toBe(false)
  await underLoad(other, 4, async () => {
    for (const port of [await freePort(), await freePort()]) {
      await gateway.reload(
        serving(origin, `${port}`, { listen: [listen, { ...listen, port: other }, { ...listen, port }] }),
      )
      expect(await markOf(port)).toBe(`${port}`)
    }
  })
})
