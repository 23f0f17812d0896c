import { type Attempt, definePlugin, type Hedge, type RouteHooks } from '@gateway/core'
import { hang, reset, testGateway, type Upstream } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway.ts'
import { type RawUpstream, rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'
import { ask, errorsOf, gate } from './support.ts'

/** A plugin of these hooks that keeps so many bytes of each body. */
function keeping(bytes: number, hooks: RouteHooks) {
  return definePlugin({
    name: 'keeping',
    setup: () => ({
      onRoute(route) {
        route.replay.bytes = bytes
        return hooks
      },
    }),
  })()
}

const once: RouteHooks = { onAttemptEnd: (_ctx, { number }) => (number === 1 ? 'retry' : undefined) }
const onceIn = (retryInMs: number, ended = () => {}): RouteHooks => ({
  onAttemptEnd(_ctx, { number }) {
    ended()
    return number === 1 ? { retryInMs } : undefined
  },
})

function config(targets: readonly string[], plugins: readonly unknown[], route: object = {}) {
  return { plugins, services: { shop: { targets } }, routes: { all: { match: 'ANY /*', service: 'shop', ...route } } }
}

describe('a body that is kept', () => {
  /** Refuses the first request in some way, once it has seen so much of its body, and answers others with the body they have. */
  function refusingOnce(way: (wire: Wire) => void, seen: number) {
    return rawUpstream(async (wire, number) => {
      if (number === 1) {
        await wire.through('\r\n\r\n')
        await wire.exactly(seen)
        way(wire)
      }
      for (;;) wire.send(responseText(200, [], (await wire.request()).body))
    })
  }

  const answer503 = (wire: Wire) => wire.send(responseText(503))
  const resetting = (wire: Wire) => wire.socket.resetAndDestroy()
  const start = (upstream: RawUpstream, bytes: number, hooks = once) =>
    startGateway(config([upstream.origin], [keeping(bytes, hooks)]))

  test.each([
    ['whole, after a 503', answer503, 8],
    ['whole, after a reset', resetting, 8],
    ['before any of it has gone out', resetting, 0],
  ])('is sent again: %s', async (_, way, seen) => {
    const { port } = await start(await refusingOnce(way, seen), 8)
    const response = await exchange(port, 'PUT /', [], 'all of i')
    expect([response.status, response.body]).toEqual([200, 'all of i'])
  })

  test('with chunks and trailers', async () => {
    const upstream = await recordingBackend(() => responseText(503))
    const { port } = await start(upstream, 64)
    await exchange(port, 'PUT /', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n')
    expect(upstream.requests.map(({ body, trailers }) => [body, trailers])).toEqual([
      ['abcde', ['X-T: 1']],
      ['abcde', ['X-T: 1']],
    ])
  })

  test('goes on where it is, when the first attempt ends in the middle of it', async () => {
    const upstream = await refusingOnce(answer503, 4)
    const { port } = await start(upstream, 64)
    const client = await connect(port)
    client.send(requestText('PUT /', ['Content-Length: 8'], 'half'))
    await upstream.connection(2)
    client.send('more')
    expect((await client.response()).body).toBe('halfmore')
  })

  test('waits at the client while a further attempt is put off, and is longer than what is kept in the end', async () => {
    const upstream = await refusingOnce(answer503, 4)
    const first = gate()
    const { port } = await start(upstream, 8, onceIn(40, first.resolve))
    const client = await connect(port)
    const rest = 'x'.repeat(200_000)
    client.send(requestText('PUT /', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n'))
    await first.promise
    client.send(`${rest.length.toString(16)}\r\n${rest}\r\n0\r\n\r\n`)
    const { status, body } = await client.response()
    expect([status, body.length]).toEqual([200, 200_004])
  })

  test.each([
    ['announced', [], 'nine byte'],
    ['not announced', ['Transfer-Encoding: chunked'], '9\r\nnine byte\r\n0\r\n\r\n'],
  ])('is sent once when it is too long: %s', async (_, lines, body) => {
    const { port } = await start(await refusingOnce(answer503, 9), 8)
    expect((await exchange(port, 'PUT /', lines, body)).status).toBe(503)
  })

  test('is not read from the client while a further attempt is put off', async () => {
    let pieces = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pieces > 1_000) controller.close()
        else controller.enqueue(Buffer.alloc(1_000))
      },
    })
    let asked = 0
    await using gateway = await testGateway(config(['http://a'], [keeping(4_000, onceIn(1_000))]) as never, {
      upstreams: {
        shop: async request => (++asked === 1 ? reset() : new Response(`${(await request.arrayBuffer()).byteLength}`)),
      },
    })
    const response = gateway.fetch('/', { method: 'PUT', body, duplex: 'half' } as RequestInit)
    await gateway.clock.advance(999)
    expect([asked, pieces < 10]).toEqual([1, true])
    await gateway.clock.advance(1)
    expect(await (await response).text()).toBe('1000000')
  })

  test('as it went out: filters see it once', async () => {
    const upstream = await refusingOnce(answer503, 4)
    let pieces = 0
    const upper: RouteHooks = {
      ...once,
      onRequestBody: () => ({
        push(chunk) {
          pieces++
          return Buffer.from(chunk.toString().toUpperCase())
        },
      }),
    }
    const { port } = await start(upstream, 64, upper)
    expect((await exchange(port, 'PUT /', [], 'body')).body).toBe('BODY')
    expect(pieces).toBe(1)
  })

  test('that turns out to be beyond the limit of the listener while an attempt is put off is a 413', async () => {
    const upstream = await refusingOnce(answer503, 4)
    const first = gate()
    const running = await startGateway({
      ...config([upstream.origin], [keeping(64, onceIn(40, first.resolve))]),
      listen: { port: 0, host: '127.0.0.1', limits: { bodySize: 6 } },
    })
    const client = await connect(running.port)
    client.send(requestText('PUT /', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n'))
    await first.promise
    client.send('4\r\nmore\r\n0\r\n\r\n')
    expect((await client.response()).status).toBe(413)
  })

  test('goes to a connector again', async () => {
    const got: string[] = []
    const speaker = definePlugin({
      name: 'speaker',
      extensions: [
        {
          point: 'connector',
          name: 'speaker',
          create: () => ({
            async open(_ctx: unknown, attempt: Attempt, body: AsyncIterable<Uint8Array>) {
              let text = ''
              for await (const piece of body) text += Buffer.from(piece).toString()
              got.push(text)
              return { status: attempt.number === 1 ? 503 : 200, headers: [], body: text }
            },
          }),
        } as never,
      ],
    })()
    const running = await startGateway({
      plugins: [speaker, keeping(64, once)],
      services: { shop: { targets: ['http://x.test'], connector: 'speaker' } },
      routes: { all: { match: 'ANY /*', service: 'shop' } },
    })
    expect((await exchange(running.port, 'PUT /', [], 'body')).body).toBe('body')
    expect(got).toEqual(['body', 'body'])
  })
})

describe('a further attempt', () => {
  test('goes to a target that was not tried, as long as there is one', async () => {
    const all = await Promise.all([503, 503, 200].map(status => recordingBackend(() => responseText(status))))
    const always: RouteHooks = {
      onAttemptEnd: (_ctx, _attempt, outcome) => ('status' in outcome && outcome.status === 503 ? 'retry' : undefined),
    }
    const running = await startGateway(
      config(
        all.map(({ origin }) => origin),
        [keeping(0, always)],
      ),
    )
    for (let i = 0; i < 5; i++) expect(await ask(running)).toBe('200 ')
    expect(all[2]?.requests).toHaveLength(5)
  })

  test('comes no sooner than it was put off to, and keeps what the answer said', async () => {
    const told: unknown[] = []
    const answers = [new Response('', { status: 503, headers: { 'Retry-After': '1' } }), new Response('fine')]
    const hooks: RouteHooks = {
      onAttemptEnd(_ctx, { number, answer }) {
        told.push(answer?.get('retry-after'))
        return number === 1 ? { retryInMs: 1_000 } : undefined
      },
    }
    let asked = 0
    await using gateway = await testGateway(config(['http://a'], [keeping(0, hooks)]) as never, {
      upstreams: { shop: () => answers[asked++] ?? expect.fail() },
    })
    const response = gateway.fetch('/')
    await gateway.clock.advance(999)
    expect(asked).toBe(1)
    await gateway.clock.advance(1)
    expect(await (await response).text()).toBe('fine')
    expect(told).toEqual(['1', undefined])
  })

  test('is not made when the client leaves meanwhile', async () => {
    let asked = 0
    await using gateway = await testGateway(config(['http://a'], [keeping(0, onceIn(1_000))]) as never, {
      upstreams: { shop: () => new Response(`${++asked}`, { status: 503 }) },
    })
    const abort = new AbortController()
    const response = gateway.fetch('/', { signal: abort.signal })
    await gateway.clock.advance(500)
    abort.abort()
    await expect(response).rejects.toThrow('abort')
    await gateway.clock.advance('1m')
    expect(asked).toBe(1)
  })

  test('nor when its total time is over meanwhile', async () => {
    let asked = 0
    const route = { timeout: { total: 500 } }
    await using gateway = await testGateway(config(['http://a'], [keeping(0, onceIn(1_000))], route) as never, {
      upstreams: { shop: () => new Response(`${++asked}`, { status: 503 }) },
    })
    const response = gateway.fetch('/')
    await gateway.clock.advance('1m')
    expect((await response).status).toBe(504)
    expect(asked).toBe(1)
  })
})

describe('times', () => {
  /** Two targets, asked in turn, that do what they are given. */
  const start = (upstreams: readonly [Upstream, Upstream], hooks: RouteHooks, route = {}) =>
    testGateway(config(['http://a', 'http://b'], [keeping(64, hooks)], route) as never, {
      upstreams: { 'http://a': upstreams[0], 'http://b': upstreams[1] },
    })

  test('of an attempt: from its send to the head', async () => {
    const hooks: RouteHooks = {
      onAttempt(_ctx, attempt) {
        attempt.timeoutMs = 300
      },
      ...once,
    }
    let end = () => {}
    const slow = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('b'))
        end = () => controller.close()
      },
    })
    await using gateway = await start([hang, () => new Response(slow)], hooks)
    const response = gateway.fetch('/')
    await gateway.clock.advance(299)
    expect(gateway.requests('shop')).toHaveLength(1)
    await gateway.clock.advance(1)
    expect(gateway.requests('shop')).toHaveLength(2)
    await gateway.clock.advance(1_000)
    end()
    expect(await (await response).text()).toBe('b')
  })

  test('of an attempt, spent on the last: 504', async () => {
    const hooks: RouteHooks = {
      onAttempt(_ctx, attempt) {
        attempt.timeoutMs = 300
      },
    }
    await using gateway = await start([hang, hang], hooks)
    const response = gateway.fetch('/')
    await gateway.clock.advance(300)
    expect(await (await response).json()).toMatchObject({ code: 'GATEWAY_UPSTREAM_HEAD_TIMEOUT' })
  })

  test('of a request: limited by a hook, never made longer', async () => {
    const left: number[] = []
    const hooks: RouteHooks = {
      onRequest(ctx) {
        left.push(ctx.timeLeftMs)
        ctx.limitTime(300)
        ctx.limitTime(1_000)
        left.push(ctx.timeLeftMs)
      },
    }
    await using gateway = await start([hang, hang], hooks)
    const response = gateway.fetch('/')
    await gateway.clock.advance(299)
    expect(left).toEqual([Infinity, 300])
    await gateway.clock.advance(1)
    expect(await (await response).json()).toMatchObject({ status: 504, code: 'GATEWAY_TIMEOUT' })
  })

  test('of a route with less', async () => {
    const left: number[] = []
    const hooks: RouteHooks = {
      onRequest(ctx) {
        ctx.limitTime(300)
        left.push(ctx.timeLeftMs)
      },
    }
    await using gateway = await start([hang, hang], hooks, { timeout: { total: 200 } })
    const response = gateway.fetch('/')
    await gateway.clock.advance(200)
    expect([(await response).status, left]).toEqual([504, [200]])
  })
})

describe('a hedge', () => {
  const asked: string[] = []
  let given: string[] = []

  function hedging(hedge: Hedge, more: RouteHooks = {}): RouteHooks {
    return {
      onAttempt(_ctx, attempt) {
        asked.push(`${attempt.number} ${attempt.target.url}`)
        if (attempt.number === 1) attempt.hedge = hedge
      },
      ...more,
    }
  }
  const after100: Hedge = { afterMs: 100, may: () => true }

  function start(a: Upstream, b: Upstream, hooks: RouteHooks = hedging(after100), targets = ['http://a', 'http://b']) {
    asked.length = 0
    given = []
    const watched = (name: string, upstream: Upstream) => (request: Request) => {
      request.signal.addEventListener('abort', () => given.push(name))
      return upstream(request)
    }
    return testGateway(config(targets, [keeping(64, hooks)]) as never, {
      upstreams: { 'http://a': watched('a', a), 'http://b': watched('b', b) },
    })
  }

  /** Answers so many milliseconds later by the gateway's own clock. */
  const later = (gateway: { clock: { now(): number } }, ms: number, body: string): Promise<Response> => {
    const at = gateway.clock.now() + ms
    return new Promise(resolve => {
      const look = () => (gateway.clock.now() >= at ? resolve(new Response(body)) : setImmediate(look))
      look()
    })
  }

  test('answers first: the other attempt is given up', async () => {
    await using gateway = await start(hang, () => new Response('b'))
    const response = gateway.fetch('/')
    await gateway.clock.advance(99)
    expect(asked).toEqual(['1 http://a'])
    await gateway.clock.advance(1)
    expect(await (await response).text()).toBe('b')
    expect([asked, given]).toEqual([['1 http://a', '2 http://b'], ['a']])
  })

  test('answers second: it is given up', async () => {
    const late: { answer: () => void } = { answer: () => {} }
    const slow = () => new Promise<Response>(resolve => (late.answer = () => resolve(new Response('a'))))
    const ended: string[] = []
    const onFinish: RouteHooks['onFinish'] = (_ctx, { attempts, target }) =>
      void ended.push(`${attempts} ${target?.url}`)
    await using gateway = await start(slow, hang, hedging(after100, { onFinish }))
    const response = gateway.fetch('/')
    await gateway.clock.advance(100)
    expect(asked).toHaveLength(2)
    late.answer()
    expect(await (await response).text()).toBe('a')
    await gateway.clock.advance(1)
    expect([given, ended]).toEqual([['b'], ['2 http://a']])
  })

  test.each([
    ['fails', reset],
    ['answers with what is tried again', () => new Response('', { status: 503 })],
  ])('whose attempt %s leaves the request to the other', async (_, fails) => {
    const late: { answer: () => void } = { answer: () => {} }
    const slow = () => new Promise<Response>(resolve => (late.answer = () => resolve(new Response('a'))))
    const again: RouteHooks = {
      onAttemptEnd: (_ctx, _attempt, outcome) => ('error' in outcome || outcome.status === 503 ? 'retry' : undefined),
    }
    await using gateway = await start(slow, fails, hedging(after100, again))
    const response = gateway.fetch('/')
    await gateway.clock.advance(200)
    expect(asked).toHaveLength(2)
    late.answer()
    expect(await (await response).text()).toBe('a')
    expect(asked).toHaveLength(2)
  })

  test('and the attempt beside it both fail: what plugins say then counts', async () => {
    let failures = 0
    const fails = () => {
      failures++
      return later(running, 150, '').then(() => reset())
    }
    const again: RouteHooks = { onAttemptEnd: (_ctx, { number }) => (number < 3 ? 'retry' : undefined) }
    await using gateway = await start(fails, fails, hedging(after100, again))
    const running = gateway
    const response = gateway.fetch('/')
    for (let i = 0; i < 5; i++) await gateway.clock.advance(100)
    expect((await response).status).toBe(502)
    expect(failures).toBe(3)
  })

  test.each([
    ['is not allowed', { afterMs: 100, may: () => false }, ['http://a', 'http://b']],
    ['has no other target', after100, ['http://a']],
    ['is not wanted after any time', { afterMs: 0, may: () => true }, ['http://a', 'http://b']],
  ])('that %s is not made', async (_, hedge, targets) => {
    await using gateway = await start(hang, hang, hedging(hedge), targets)
    const response = gateway.fetch('/')
    await gateway.clock.advance('10s')
    expect(asked).toEqual(['1 http://a'])
    await gateway.clock.advance('30s')
    expect((await response).status).toBe(504)
  })

  test('whose permission throws ends the request', async () => {
    const may = () => {
      throw new TypeError('no')
    }
    await using gateway = await start(hang, hang, hedging({ afterMs: 100, may }))
    const response = gateway.fetch('/')
    await gateway.clock.advance(100)
    expect((await response).status).toBe(500)
    expect(given).toEqual(['a'])
  })

  test('has the body, once it is here whole', async () => {
    await using gateway = await start(hang, async request => new Response(await request.text()))
    const response = gateway.fetch('/', { method: 'PUT', body: 'body' })
    await gateway.clock.advance(100)
    expect(await (await response).text()).toBe('body')
  })

  test('waits for the body', async () => {
    let rest = () => {}
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('bo'))
        rest = () => {
          controller.enqueue(Buffer.from('dy'))
          controller.close()
        }
      },
    })
    await using gateway = await start(hang, async request => new Response(await request.text()))
    const response = gateway.fetch('/', { method: 'PUT', body, duplex: 'half' } as RequestInit)
    await gateway.clock.advance(250)
    expect(asked).toEqual(['1 http://a'])
    rest()
    await gateway.clock.advance(100)
    expect(await (await response).text()).toBe('body')
  })

  test('leaves the one that has answered to the client, who may leave it', async () => {
    const endless = () =>
      new Response(new ReadableStream({ start: controller => controller.enqueue(Buffer.from('b')) }))
    await using gateway = await start(hang, endless)
    const abort = new AbortController()
    const response = gateway.fetch('/', { signal: abort.signal })
    await gateway.clock.advance(100)
    expect((await response).status).toBe(200)
    expect(given).toEqual(['a'])
    abort.abort()
    await gateway.clock.advance(1)
    expect(given).toEqual(['a', 'b'])
  })

  test('that a hook still holds back is forgotten when the first answers', async () => {
    const late: { answer: () => void } = { answer: () => {} }
    let end = () => {}
    const begun = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('a'))
        end = () => controller.close()
      },
    })
    const slow = () => new Promise<Response>(resolve => (late.answer = () => resolve(new Response(begun))))
    const held = Promise.withResolvers<void>()
    const hooks: RouteHooks = {
      onAttempt(_ctx, attempt) {
        asked.push(`${attempt.number}`)
        if (attempt.number === 2) return held.promise
        attempt.hedge = after100
        return undefined
      },
    }
    await using gateway = await start(slow, () => new Response('b'), hooks)
    const response = gateway.fetch('/')
    await gateway.clock.advance(100)
    expect(asked).toEqual(['1', '2'])
    late.answer()
    expect((await response).status).toBe(200)
    held.resolve()
    await gateway.clock.advance(1)
    expect(gateway.requests('shop')).toHaveLength(1)
    end()
    expect(await (await response).text()).toBe('a')
  })

  test('over sockets: both connections are let go, by the client that leaves, too', async () => {
    const silent = () => rawUpstream(async wire => void (await wire.request()))
    const [a, b] = [await silent(), await silent()]
    const running = await startGateway(
      config([a.origin, b.origin], [keeping(0, hedging({ afterMs: 5, may: () => true }))]),
    )
    const client = await connect(running.port)
    client.send(requestText('GET /'))
    await Promise.all([a.connection(1), b.connection(1)])
    client.socket.destroy()
    await Promise.all([a, b].map(async upstream => (await upstream.connection(1)).gone()))
    await eventually(() => expect(running.log.access).toHaveLength(1))
    expect(running.log.access[0]?.fields).toMatchObject({ attempts: 2, code: 'GATEWAY_CLIENT_CLOSED' })
    expect(errorsOf(running)).toEqual([])
  })
})
