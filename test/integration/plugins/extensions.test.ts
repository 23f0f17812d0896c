import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import {
  type Balancer,
  ConfigProblems,
  type Connector,
  type Discovery,
  defineExtension,
  definePlugin,
  type FieldList,
  type RouteSpec,
  type TargetSpec,
} from '@gateway/core'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Fields } from '../../../core/src/http1/fields.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, gate, hooked } from './support.ts'

const named = (name: string) => recordingBackend(() => responseText(200, [], name))
const refusal = async (config: Promise<unknown>): Promise<string[]> => {
  const error: unknown = await config.then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(ConfigProblems)
  return (error as ConfigProblems).problems.map(({ code, message, path }) => `${code} ${path?.join('.')}: ${message}`)
}

describe('a balancer', () => {
  const balancing = (create: () => Balancer) =>
    definePlugin({ name: 'tools', extensions: [defineExtension({ point: 'balancer', name: 'own', create })] })()
  const indexed = definePlugin({
    name: 'tools',
    extensions: [
      defineExtension({
        point: 'balancer',
        name: 'index',
        options: z.strictObject({ index: z.number().default(1) }),
        create: (_host, { index }) => ({ pick: targets => targets[index] }),
      }),
    ],
  })()

  test('picks with its options, or their defaults when only named', async () => {
    const [a, b, c] = await Promise.all([named('a'), named('b'), named('c')])
    const start = (balance: unknown) =>
      startGateway(proxyTo([a.origin, b.origin, c.origin], { plugins: [indexed], service: { balance } }))
    expect(await ask(await start('index'))).toBe('200 b')
    expect(await ask(await start({ use: 'index', index: 2 }))).toBe('200 c')
    expect(await ask(await start('roundRobin'))).toBe('200 a')
  })

  test('is made once for each service, and sees targets, weights and the request', async () => {
    const backend = await named('a')
    const seen: unknown[] = []
    let made = 0
    const plugin = balancing(() => {
      made++
      return {
        pick(targets, ctx) {
          seen.push([ctx.path, targets.map(({ url, weight, inFlight }) => [url, weight, inFlight])])
          return targets[0]
        },
      }
    })
    const service = { targets: [{ url: backend.origin, weight: 3 }], balance: 'own' }
    const running = await startGateway({
      plugins: [plugin],
      services: { a: service, b: service },
      routes: { a: { match: 'GET /a', service: 'a' }, b: { match: 'GET /b', service: 'b' } },
    })
    await ask(running, '/a')
    await ask(running, '/b')
    expect(made).toBe(2)
    expect(seen).toEqual(['/a', '/b'].map(path => [path, [[backend.origin, 3, 0]]]))
  })

  test('hears what became of each attempt; its failure there harms no request', async () => {
    const backend = await named('a')
    const heard: unknown[] = []
    const plugin = balancing(() => ({
      pick: targets => targets[heard.length === 0 ? 0 : 1],
      observe({ url }, outcome) {
        heard.push([url, 'status' in outcome ? outcome.status : outcome.error.code])
        throw new Error('boom')
      },
    }))
    const targets = ['http://127.0.0.1:9', backend.origin]
    const running = await startGateway(proxyTo(targets, { plugins: [plugin], service: { balance: 'own' } }))
    expect(await ask(running)).toBe('200 a')
    expect(heard).toEqual([
      ['http://127.0.0.1:9', 'GATEWAY_UPSTREAM_CONNECT'],
      [backend.origin, 200],
    ])
    expect(errorsOf(running)).toEqual(new Array(2).fill('plugin "tools" failed in the balancer "own": boom'))
  })

  test.each<[string, () => Balancer, string, string[]]>([
    [
      'picks none',
      () => ({ pick: () => undefined }),
      '503 GATEWAY_NO_HEALTHY_TARGET',
      ['service "backend" has no target to send to'],
    ],
    [
      'makes a target up',
      () => ({ pick: ([target]) => target && { ...target, url: 'http://evil' } }),
      '503 GATEWAY_NO_HEALTHY_TARGET',
      ['service "backend" has no target to send to'],
    ],
    [
      'throws',
      () => ({
        pick() {
          throw new Error('boom')
        },
      }),
      '500 GATEWAY_PLUGIN_FAILED',
      ['plugin "tools" failed in the balancer "own": boom'],
    ],
  ])('that %s fails this request alone', async (_, create, answer, logged) => {
    const running = await startGateway(
      proxyTo('http://127.0.0.1:9', { plugins: [balancing(create)], service: { balance: 'own' } }),
    )
    expect(await askProblem(running)).toBe(answer)
    expect(errorsOf(running)).toEqual(logged)
  })

  test('that fails to start is refused with the config', async () => {
    const plugin = balancing(() => {
      throw new Error('no database')
    })
    expect(
      await refusal(startGateway(proxyTo('http://127.0.0.1:9', { plugins: [plugin], service: { balance: 'own' } }))),
    ).toEqual(['CONFIG_SETUP_FAILED services.backend: balancer "own" failed to start: no database'])
  })

  test('that nobody provides is refused with the config', async () => {
    expect(
      await refusal(startGateway(proxyTo('http://127.0.0.1:9', { plugins: [indexed], service: { balance: 'indx' } }))),
    ).toEqual(['CONFIG_UNKNOWN_BALANCER services.backend.balance: no plugin provides the balancer "indx"'])
  })
})

describe('discovery', () => {
  /** A provider whose updates the test makes. */
  function byHand(first: readonly TargetSpec[] = [], routes?: readonly RouteSpec[]) {
    const calls: {
      readonly update: (targets: readonly TargetSpec[], routes?: readonly RouteSpec[]) => void
      readonly lost: (reason: string) => void
    }[] = []
    const released: number[] = []
    const plugin = definePlugin({
      name: 'found',
      extensions: [
        defineExtension({
          point: 'discovery',
          name: 'byHand',
          options: z.strictObject({ tag: z.string() }),
          create: (host): Discovery => {
            const number = calls.length
            host.defer(() => void released.push(number))
            return {
              async watch(update, lost) {
                calls.push({ update, lost })
                update(first, number % 2 === 0 ? routes : undefined)
              },
            }
          },
        }),
      ],
    })()
    const config = {
      plugins: [plugin],
      services: { backend: { discover: { use: 'byHand', tag: 'x' } } },
      routes: { all: { match: 'ANY /*', service: 'backend' } },
    }
    return { calls, released, config }
  }

  test('its targets serve from the start and change while it runs', async () => {
    const [a, b] = await Promise.all([named('a'), named('b')])
    const { calls, config } = byHand([{ url: a.origin }])
    const running = await startGateway(config)
    expect(await ask(running)).toBe('200 a')
    calls[0]?.update([{ url: b.origin, weight: 2 }])
    expect(await ask(running)).toBe('200 b')
    calls[0]?.update([])
    expect(await askProblem(running)).toBe('503 GATEWAY_NO_HEALTHY_TARGET')
    calls[0]?.update([{ url: a.origin }])
    expect(await ask(running)).toBe('200 a')
    // What had gone was let go of.
    expect(a.wires).toHaveLength(2)
    await a.wires[0]?.gone()
  })

  test('a target that stays is the same object, for a balancer that knows something about it', async () => {
    const a = await named('a')
    const { calls, config } = byHand([{ url: a.origin }])
    const seen = new Set<unknown>()
    const watching = definePlugin({
      name: 'watching',
      extensions: [
        defineExtension({
          point: 'balancer',
          name: 'watching',
          create: () => ({
            pick(targets) {
              seen.add(targets[0])
              return targets[0]
            },
          }),
        }),
      ],
    })()
    const running = await startGateway({
      ...config,
      plugins: [...config.plugins, watching],
      services: { backend: { ...config.services.backend, balance: 'watching' } },
    })
    await ask(running)
    calls[0]?.update([{ url: a.origin, weight: 1 }, { url: 'http://127.0.0.1:9' }])
    await ask(running)
    expect(seen.size).toBe(1)
    calls[0]?.update([{ url: a.origin, weight: 5 }])
    await ask(running)
    expect(seen.size).toBe(2)
  })

  test('what comes for a generation that is gone opens nothing', async () => {
    const a = await named('a')
    const { calls, released, config } = byHand([{ url: a.origin }])
    const { gateway } = await startGateway(config)
    await gateway.reload({ routes: {}, listen: { port: 0, host: '127.0.0.1' } })
    await eventually(() => expect(released).toEqual([0]))
    calls[0]?.update([{ url: a.origin }, { url: 'http://127.0.0.1:9' }])
    expect(gateway.shared).toEqual([])
  })

  test('a source that is lost leaves its last targets; what is no target is left out, and told once', async () => {
    const a = await named('a')
    const { calls, config } = byHand([{ url: a.origin }])
    const running = await startGateway(config)
    const [call] = calls
    const service = () => running.gateway.services[0]
    const state = () => service()?.discovery
    const told = (message: string) => running.log.all.filter(line => line.message === message)
    for (const reason of ['gone', 'gone', 'still gone']) call?.lost(reason)
    expect(await ask(running)).toBe('200 a')
    expect(service()).toMatchObject({
      name: 'backend',
      discovery: { state: 'stale', reason: 'still gone' },
      targets: [{ url: a.origin }],
    })
    const { since = 0 } = state() ?? {}
    await eventually(() => expect(Date.now()).toBeGreaterThan(since))
    call?.lost('for ever')
    expect(state()?.since).toBe(since)
    expect(told('a discovery lost its source, the last targets stay')).toHaveLength(1)
    const odd = [
      { url: 'http://x:0' },
      { url: 'http://y', weight: -1 },
      { url: 'gopher://z' },
      undefined,
    ] as TargetSpec[]
    for (let i = 0; i < 2; i++) call?.update([...odd, { url: a.origin }, { url: a.origin, weight: 2 }])
    expect(service()).toMatchObject({ discovery: { state: 'found' }, targets: [{ url: a.origin }] })
    expect(told('targets that were found are left out').map(({ fields }) => fields.faults)).toEqual([
      [
        'http://x:0: url has the port 0, on which nobody listens',
        'http://y: weight must be at least 0',
        expect.stringContaining('gopher://z: url must be an origin'),
        expect.stringContaining('must be an origin'),
      ],
    ])
    call?.update('nonsense' as never)
    expect(service()).toMatchObject({ discovery: { state: 'stale' }, targets: [{ url: a.origin }] })
    expect(told('targets changed')).toHaveLength(1)
  })

  test('a request under way ends at the target that went, and then its connection is closed', async () => {
    const upstream = await rawUpstream(() => {})
    const { calls, config } = byHand([{ url: upstream.origin }])
    const running = await startGateway(config)
    const answer = ask(running)
    const wire = await upstream.connection(1)
    await wire.request()
    calls[0]?.update([])
    expect(await askProblem(running)).toBe('503 GATEWAY_NO_HEALTHY_TARGET')
    expect(running.gateway.shared.filter(name => name.startsWith('gateway.pool'))).toEqual([])
    wire.send(responseText(200, [], 'late'))
    expect(await answer).toBe('200 late')
    await wire.gone()
  })

  test('connections to a target that went stay while another service has it', async () => {
    const a = await named('a')
    const { calls, config } = byHand([{ url: a.origin }])
    const running = await startGateway({
      ...config,
      services: { ...config.services, fixed: { targets: [a.origin] } },
      routes: { ...config.routes, fixed: { match: 'GET /fixed', service: 'fixed' } },
    })
    await ask(running)
    calls[0]?.update([])
    expect(await ask(running, '/fixed')).toBe('200 a')
    expect(a.wires).toHaveLength(1)
  })

  test('its routes come and go while it serves; of two for the same the first stays, and the config comes before', async () => {
    const [a, b] = await Promise.all([named('a'), named('b')])
    const find = byHand([{ url: a.origin }], [{ match: 'GET /a/*', from: 'one' }])
    const services = { ...find.config.services, other: { discover: { use: 'byHand', tag: 'y' } } }
    const config = { ...find.config, services, routes: { fixed: { match: 'GET /fixed', service: 'backend' } } }
    const running = await startGateway(config)
    expect(await ask(running, '/a/1')).toBe('200 a')
    expect(await askProblem(running, '/b')).toBe('404 GATEWAY_ROUTE_NOT_FOUND')
    const explained = running.gateway.explain({ method: 'GET', url: 'http://gateway.test/a/1' })
    expect(explained.route).toMatchObject({ name: 'backend: GET /a/*', origin: { from: 'discovery' } })

    const [first, second] = find.calls
    const refused = () =>
      running.log.all.flatMap(({ message, fields }) => (message.endsWith('refused') ? [fields] : []))
    second?.update(
      [{ url: b.origin }],
      [
        { match: 'GET /b', from: 'two' },
        { match: 'GET /a/*', from: 'two' },
        { match: 'GET /fixed', from: 'two' },
        { match: 'GTE /c', from: 'two' },
        { match: 'GET /d', stripPrefix: '/e', from: 'two' },
        { match: 'GET /f/*', rewrite: '/:name', from: 'two' },
      ],
    )
    await eventually(async () => expect(await ask(running, '/b')).toBe('200 b'))
    expect(await ask(running, '/a/1')).toBe('200 a')
    expect(refused().map(({ match, from, reason }) => `${from}: ${match}: ${reason}`)).toEqual([
      'two: GET /a/*: one, of service "backend", asks for exactly the same',
      'two: GET /fixed: route "fixed" of the config asks for exactly the same',
      'two: GTE /c: match unknown method "GTE"',
      'two: GET /d: stripPrefix "/e" is not the beginning of "/d"',
      'two: GET /f/*: rewrite "/f/*" has no parameter ":name"',
    ])
    await running.gateway.reload({ ...config, timeoutStatus: 408, listen: { port: 0, host: '127.0.0.1' } })
    expect(await ask(running, '/a/1')).toBe('200 a')
    find.calls[3]?.update([{ url: b.origin }], [{ match: 'GET /a/*', from: 'two' }])
    find.calls[2]?.update([{ url: a.origin }], [])
    await eventually(async () => expect(await ask(running, '/a/1')).toBe('200 b'))
    expect(await askProblem(running, '/b')).toBe('404 GATEWAY_ROUTE_NOT_FOUND')
    first?.update([{ url: a.origin }], [{ match: 'GET /late', from: 'one' }])
    expect(await askProblem(running, '/late')).toBe('404 GATEWAY_ROUTE_NOT_FOUND')
  })

  test('a reload keeps who came first, whoever speaks first then', async () => {
    const [a, b] = await Promise.all([named('a'), named('b')])
    const claims: Record<string, RouteSpec[]> = { a: [], b: [{ match: 'GET /x', from: 'b' }] }
    let tellA = () => {}
    const finding = defineExtension({
      point: 'discovery',
      name: 'claims',
      create: (_host, _options, service): Discovery => ({
        watch(update) {
          const tell = () => update([{ url: service === 'a' ? a.origin : b.origin }], claims[service])
          if (service === 'a') tellA = tell
          tell()
        },
      }),
    })
    const config = {
      plugins: [definePlugin({ name: 'found', extensions: [finding] })()],
      services: { a: { discover: 'claims' }, b: { discover: 'claims' } },
      routes: {},
    }
    const running = await startGateway(config)
    const refused = () => running.log.all.filter(({ message }) => message === 'a route that was found is refused')
    claims.a = [{ match: 'GET /x', from: 'a' }]
    tellA()
    await eventually(() => expect(refused()).toHaveLength(1))
    expect(await ask(running, '/x')).toBe('200 b')
    await running.gateway.reload({ ...config, timeoutStatus: 408, listen: { port: 0, host: '127.0.0.1' } })
    expect(await ask(running, '/x')).toBe('200 b')
    // What was told once is not told again.
    expect(refused()).toHaveLength(1)
    expect(running.log.all.filter(({ message }) => message === 'routes changed')).toHaveLength(1)
  })

  test('a route that is found goes without no plugin that the config requires', async () => {
    const a = await named('a')
    const find = byHand([{ url: a.origin }], [{ match: 'GET /a', from: 'one' }])
    const guard = definePlugin({
      name: 'guard',
      routeOptions: z.strictObject({}),
      setup: () => ({ onRoute: ({ options }) => options && { onRequest() {} } }),
    })
    const running = await startGateway({
      ...find.config,
      plugins: [...find.config.plugins, guard()],
      require: ['guard'],
      routes: { fixed: { match: 'GET /fixed', service: 'backend', guard: {} } },
    })
    expect(await askProblem(running, '/a')).toBe('404 GATEWAY_ROUTE_NOT_FOUND')
    expect(running.log.all.find(({ message }) => message.endsWith('refused'))?.fields.reason).toBe(
      'the config requires "guard", which is not at work on it',
    )
  })

  test('that fails to start, or to watch, is refused with the config, and closed', async () => {
    let closed = 0
    const failing = (create: () => Discovery) => ({
      ...byHand().config,
      plugins: [
        definePlugin({
          name: 'found',
          setup: host => void host.defer(() => void closed++),
          extensions: [
            defineExtension({
              point: 'discovery',
              name: 'byHand',
              options: z.strictObject({ tag: z.string() }),
              create,
            }),
          ],
        })(),
      ],
    })
    const message = 'CONFIG_SETUP_FAILED services.backend: discovery "byHand" failed to start: boom'
    expect(
      await refusal(
        startGateway(
          failing(() => {
            throw new Error('boom')
          }),
        ),
      ),
    ).toEqual([message])
    expect(await refusal(startGateway(failing(() => ({ watch: () => Promise.reject(new Error('boom')) }))))).toEqual([
      message,
    ])
    expect(closed).toBe(2)
  })
})

describe('a connector', () => {
  type Answer = Awaited<ReturnType<Connector['open']>>
  const fields = (lines: Record<string, string> = {}): FieldList => {
    const list = new Fields()
    for (const [name, value] of Object.entries(lines)) list.append(name, value)
    return list
  }
  const connecting = (open: (...args: Parameters<Connector['open']>) => unknown) =>
    definePlugin({
      name: 'tools',
      extensions: [
        defineExtension({ point: 'connector', name: 'own', create: () => ({ open: open as Connector['open'] }) }),
      ],
    })()
  const start = (
    open: (...args: Parameters<Connector['open']>) => unknown,
    more: Parameters<typeof proxyTo>[1] & { plugins?: unknown[] } = {},
  ) => {
    const { plugins = [], service, ...rest } = more
    return startGateway(
      proxyTo('http://127.0.0.1:9', {
        ...rest,
        service: { connector: 'own', ...service },
        plugins: [connecting(open), ...plugins],
      }),
    )
  }

  test('answers in place of the HTTP client, with the request as it would have gone out', async () => {
    const running = await start(
      async (ctx, attempt, body): Promise<Answer> => ({
        status: 203,
        headers: fields({
          'X-Saw': `${ctx.method} ${attempt.path} ${attempt.number} ${attempt.target.url} ${attempt.headers.get('x-a')} ${attempt.headers.get('host')} ${body}`,
          Connection: 'x',
        }),
        body: 'answer',
      }),
      {
        route: { rewrite: '/v2/*' },
        plugins: [hooked('a', { onAttempt: (_ctx, { headers }) => headers.set('X-A', '1') })],
      },
    )
    const response = await exchange(running.port, 'GET /x?y')
    expect([response.status, response.body]).toEqual([203, 'answer'])
    expect(response.lines).toContain('X-Saw: GET /v2/x?y 1 http://127.0.0.1:9 1 127.0.0.1:9 undefined')
    expect(running.log.access[0]?.fields).toMatchObject({ status: 203, attempts: 1, target: 'http://127.0.0.1:9' })
  })

  test('is an upstream to the hooks: onAttemptEnd, onResponse, filters', async () => {
    const seen: unknown[] = []
    const running = await start(async () => ({ status: 200, headers: fields({ constructor: 'x' }), body: 'answer' }), {
      plugins: [
        hooked('a', {
          onAttemptEnd: (_ctx, { number }, outcome) => {
            seen.push([number, 'status' in outcome && outcome.status])
            return number === 1 ? 'retry' : undefined
          },
          onResponse: (_ctx, head) => void seen.push([head.status, head.fromUpstream, head.headers.get('constructor')]),
          onResponseBody: () => ({ push: chunk => Buffer.from(Buffer.from(chunk).toString().toUpperCase()) }),
        }),
      ],
    })
    expect(await ask(running)).toBe('200 ANSWER')
    expect(seen).toEqual([
      [1, 200],
      [2, 200],
      [200, true, 'x'],
    ])
  })

  test('streams both ways, through the filters', async () => {
    const running = await start(
      async (_ctx, _attempt, body) => ({
        status: 200,
        headers: fields(),
        body: (body as Readable).pipe(new PassThrough()),
      }),
      {
        plugins: [
          hooked('a', {
            onRequestBody: () => ({
              push: chunk => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
              end: () => Buffer.from('!'),
            }),
          }),
        ],
      },
    )
    const client = await connect(running.port)
    client.send(requestText('POST /', ['Transfer-Encoding: chunked', 'Connection: close']))
    client.send('5\r\nfirst\r\n')
    await client.through('FIRST')
    client.send('6\r\nsecond\r\n')
    await client.through('SECOND')
    client.send('0\r\n\r\n')
    expect(await client.rest()).toContain('!\r\n0\r\n\r\n')
  })

  test('that reads the body of a client that waits for 100 Continue has it told to send', async () => {
    const running = await start(async (_ctx, _attempt, body) => ({
      status: 200,
      headers: fields(),
      body: (body as Readable).pipe(new PassThrough()),
    }))
    const client = await connect(running.port)
    client.send(requestText('POST /', ['Expect: 100-continue', 'Content-Length: 4', 'Connection: close']))
    expect((await client.response()).start).toBe('HTTP/1.1 100 Continue')
    client.send('body')
    expect(await client.response()).toMatchObject({ status: 200, body: 'body' })
  })

  test('a large body passes with what memory there is, both ways', async () => {
    const size = 48 << 20
    let most = 0
    const running = await start(async (_ctx, _attempt, body) => {
      const through = new PassThrough()
      const source = body as Readable
      source.on('data', () => {
        most = Math.max(most, through.readableLength + through.writableLength + source.readableLength)
      })
      return { status: 200, headers: fields(), body: source.pipe(through) }
    })
    const client = await connect(running.port)
    client.send(requestText('POST /', [`Content-Length: ${size}`, 'Connection: close']))
    client.send(Buffer.alloc(size, 'x'))
    expect((await client.response()).body.length).toBe(size)
    expect(most).toBeLessThan(1 << 20)
  })

  test('a request body that is not read stays whole for another attempt, and one that was read does not', async () => {
    let opened = 0
    const reading = gate<string>()
    const running = await start(
      async (ctx, _attempt, body) => {
        opened++
        if (ctx.path === '/unread' && opened === 1) throw new Error('try again')
        let text = ''
        for await (const chunk of body as Readable) text += chunk
        reading.resolve(text)
        if (ctx.path === '/read') throw new Error('too late')
        return { status: 200, headers: fields(), body: text }
      },
      {
        plugins: [
          hooked('again', { onAttemptEnd: (_ctx, _attempt, outcome) => ('error' in outcome ? 'retry' : undefined) }),
        ],
      },
    )
    expect(await ask(running, '/unread', { method: 'POST', body: 'whole' })).toBe('200 whole')
    expect(opened).toBe(2)
    expect(await askProblem(running, '/read', { method: 'POST', body: 'once' })).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(opened).toBe(3)
  })

  test("the listener's limit of a body holds", async () => {
    const failed = gate<string>()
    const running = await start(
      async (_ctx, _attempt, body) => {
        ;(body as Readable).on('error', error => failed.resolve((error as { code?: string }).code ?? ''))
        for await (const _ of body as Readable);
        return { status: 200, headers: fields() }
      },
      { listen: { limits: { bodySize: 10 } } },
    )
    const response = await exchange(
      running.port,
      'POST /',
      ['Transfer-Encoding: chunked'],
      'b\r\nhello world\r\n0\r\n\r\n',
    )
    expect(response.status).toBe(413)
    await failed.promise
  })

  test('a client that leaves ends the request body and the answer', async () => {
    const bodyGone = gate()
    const answer = new PassThrough()
    const running = await start(async (_ctx, _attempt, body) => {
      const stream = body as Readable
      stream.on('error', () => bodyGone.resolve())
      stream.resume()
      answer.write('begun')
      return { status: 200, headers: fields(), body: answer }
    })
    const client = await connect(running.port)
    client.send(requestText('POST /', ['Content-Length: 100'], 'half'))
    await client.through('begun')
    client.socket.destroy()
    await bodyGone.promise
    if (!answer.closed) await once(answer, 'close')
  })

  test('a client that leaves, with a body that nobody listens to', async () => {
    const opened = gate()
    const running = await start((_ctx, _attempt, body) => {
      ;(body as Readable).resume()
      opened.resolve()
      return new Promise(() => {})
    })
    const client = await connect(running.port)
    client.send(requestText('POST /', ['Content-Length: 100'], 'half'))
    await opened.promise
    client.socket.destroy()
    await eventually(() =>
      expect(running.log.access.map(({ fields: line }) => line.code)).toEqual(['GATEWAY_CLIENT_CLOSED']),
    )
  })

  test('an answer that comes too late is closed', async () => {
    const late = gate<Answer>()
    const running = await start(() => late.promise, { route: { timeout: '50ms' } })
    expect(await askProblem(running)).toBe('504 GATEWAY_TIMEOUT')
    const body = new PassThrough()
    late.resolve({ status: 200, headers: fields(), body })
    await once(body, 'close')
  })

  const broken = 'the connector to http://127.0.0.1:9 gave an answer that is none: '
  test.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('boom')
      },
      'plugin "tools" failed in the connector "own": boom',
    ],
    ['rejects', () => Promise.reject(new Error('boom')), 'plugin "tools" failed in the connector "own": boom'],
    ['answers with nothing', async () => undefined, broken],
    [
      'answers without a status',
      async () => ({ headers: fields() }),
      `${broken}a reply's status is 200 to 599, not undefined`,
    ],
    [
      'answers 101',
      async () => ({ status: 101, headers: fields() }),
      `${broken}a reply's status is 200 to 599, not 101`,
    ],
    ['answers without headers', async () => ({ status: 200 }), broken],
    [
      'answers with a bad header',
      async () => ({ status: 200, headers: [['a b', 'x']] }),
      `${broken}not a field name: "a b"`,
    ],
    [
      'answers with an object',
      async () => ({ status: 200, headers: fields(), body: {} }),
      `${broken}a reply's body is a string, a Uint8Array or a Readable`,
    ],
  ])('that %s fails this request alone', async (_, open, logged) => {
    const ends: unknown[] = []
    const running = await start(open, {
      plugins: [
        hooked('a', {
          onAttemptEnd: (_ctx, _attempt, outcome) => void ends.push('error' in outcome && outcome.error.code),
        }),
      ],
    })
    expect(await askProblem(running)).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(errorsOf(running)[0]).toContain(logged)
    expect(ends).toEqual(['GATEWAY_PLUGIN_FAILED'])
  })

  test('that need not answer with a promise, or with a body', async () => {
    const running = await start(() => ({ status: 204, headers: fields() }))
    expect(await ask(running)).toBe('204 ')
  })
})
