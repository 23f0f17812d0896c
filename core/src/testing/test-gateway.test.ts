import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineConfig } from '../config/define-config.ts'
import { ConfigProblems } from '../config/problem.ts'
import { definePlugin } from '../contract/plugin.ts'
import { hang, refuse, reset, type TestGatewayOptions, testGateway, testPlugin, unreachable } from './index.ts'

const first = 'http://10.0.0.1:3001'
const second = 'http://10.0.0.2:3002'

const marking = definePlugin({
  name: 'marking',
  setup: () => ({ onRoute: () => ({ onResponse: (_, head) => void head.headers.set('X-Marked', 'yes') }) }),
})

const silent = definePlugin({ name: 'silent', setup() {} })

const config = defineConfig({
  listen: { port: 8080, trust: ['10.9.0.0/16'], limits: { bodySize: 10 } },
  plugins: [silent(), marking()],
  services: { users: { targets: [first, second] }, orders: { targets: ['http://10.0.0.3'] } },
  routes: {
    user: {
      match: 'ANY /users/:id',
      service: 'users',
      rewrite: '/v2/:id',
      timeout: { connect: '1s', head: '5s', idle: '3s', total: '20s' },
    },
    orders: { match: 'ANY /orders/*', service: 'orders' },
    hello: { match: 'GET /hello', host: 'hello.test', reply: { status: 200, body: 'hello' } },
  },
})

async function open(upstreams: TestGatewayOptions['upstreams'] = {}, options: TestGatewayOptions = {}) {
  const gateway = await testGateway(config, { upstreams, ...options })
  onTestFinished(() => gateway.close().catch(() => {}))
  return gateway
}

const code = async (response: Response) => ((await response.json()) as { code: string }).code

test('names route, parameters, plugins and what goes upstream', async () => {
  const gateway = await open()
  expect(gateway.route('GET /users/a%20b?c=d')).toEqual({
    name: 'user',
    params: { id: 'a b' },
    plugins: ['marking'],
    service: 'users',
    upstreamPath: '/v2/a%20b?c=d',
  })
  expect(gateway.route('GET http://hello.test/hello')).toMatchObject({ name: 'hello', service: undefined })
  expect(gateway.route('GET /hello', { headers: { Host: 'hello.test' } })?.name).toBe('hello')
  expect(gateway.route('GET /hello')).toBeUndefined()
  expect(() => gateway.route('/hello')).toThrow('"/hello" is no request: write method and path')
})

describe('a request', () => {
  test('goes upstream as it would, and its answer comes back', async () => {
    const gateway = await open({
      users: async request =>
        new Response(`${request.method} ${await request.text()}`, {
          status: 201,
          statusText: 'Made',
          headers: [
            ['Set-Cookie', 'a=1'],
            ['Set-Cookie', 'b=2'],
            ['Connection', 'X-Hop'],
            ['X-Hop', '1'],
          ],
        }),
    })
    const response = await gateway.fetch('/users/7?x=y', {
      method: 'PUT',
      body: 'body',
      headers: { Connection: 'X-Near', 'X-Near': '1', 'X-Far': '2' },
    })
    expect([response.status, response.statusText, await response.text()]).toEqual([201, 'Made', 'PUT body'])
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([response.headers.get('x-hop'), response.headers.get('x-marked')]).toEqual([null, 'yes'])

    const [request, ...others] = gateway.requests('users')
    expect(others).toEqual([])
    expect([request?.method, request?.url, await request?.text()]).toEqual(['PUT', `${first}/v2/7?x=y`, 'body'])
    expect(Object.fromEntries(request?.headers ?? [])).toMatchObject({
      host: '10.0.0.1:3001',
      'content-length': '4',
      'x-far': '2',
      'x-forwarded-host': 'localhost',
      'x-request-id': response.headers.get('x-request-id'),
    })
    expect(request?.headers.has('x-near')).toBe(false)
    expect([gateway.requests(first).length, gateway.requests(second).length]).toEqual([1, 0])
  })

  test('has its body kept for the test, read or not', async () => {
    const gateway = await open({ users: () => new Response(null, { status: 204 }) })
    const pieces = ['a', 'b', 'c'].map(piece => new TextEncoder().encode(piece))
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise(resolve => setImmediate(resolve))
        const piece = pieces.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(piece)
      },
    })
    const response = await gateway.fetch('/users/7', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(response.status).toBe(204)
    await response.arrayBuffer()
    await gateway.clock.advance(0)
    expect(await gateway.requests('users')[0]?.text()).toBe('abc')
  })

  test('comes from where the test says, to the first listener', async () => {
    const gateway = await open({ users: () => new Response() })
    const headers = { 'X-Forwarded-For': '203.0.113.7' }
    await gateway.fetch('/users/1', { headers, from: '10.9.0.1' })
    await gateway.fetch('/users/2', { headers, from: '192.0.2.1' })
    await gateway.fetch('/users/3', { headers })
    const addresses = gateway.requests('users').map(request => request.headers.get('x-real-ip'))
    expect(addresses).toEqual(['203.0.113.7', '192.0.2.1', '127.0.0.1'])
    expect((await gateway.fetch('/users/4', { method: 'PUT', body: 'more than ten' })).status).toBe(413)
  })

  test('and its answer are streamed', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const gateway = await open({ users: request => new Response(request.body) })
    const body = { method: 'POST', body: readable, duplex: 'half' } as RequestInit
    const answer = (await gateway.fetch('/users/7', body)).body?.getReader()
    const writer = writable.getWriter()
    for (const piece of ['ping', 'pong']) {
      void writer.write(new TextEncoder().encode(piece))
      expect(new TextDecoder().decode((await answer?.read())?.value)).toBe(piece)
    }
    void writer.close()
    expect(await answer?.read()).toMatchObject({ done: true })
  })

  test('is over although nobody reads its answer, when that is short', async () => {
    const gateway = await open({ users: () => new Response('short') })
    await gateway.fetch('/users/7')
    await gateway.clock.advance(0)
    expect(gateway.generations.map(({ inFlight }) => inFlight)).toEqual([0])
  })

  test('of HEAD has the length of a body and none', async () => {
    const gateway = await open({ users: () => new Response('hello', { headers: { 'Content-Length': '5' } }) })
    const response = await gateway.fetch('/users/7', { method: 'HEAD' })
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['5', ''])
  })
})

describe('an upstream that fails', () => {
  test.each([
    ['refuse', refuse, 502, 'GATEWAY_UPSTREAM_CONNECT'],
    ['reset', reset, 502, 'GATEWAY_UPSTREAM_CLOSED'],
    ['an answer that is an error of the network', () => Response.error(), 502, 'GATEWAY_UPSTREAM_CLOSED'],
  ])('%s', async (_, users, status, expected) => {
    const gateway = await open({ users })
    const response = await gateway.fetch('/users/7')
    expect([response.status, await code(response)]).toEqual([status, expected])
  })

  test.each([
    ['unreachable', unreachable, '1s', 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT'],
    ['hang', hang, '5s', 'GATEWAY_UPSTREAM_HEAD_TIMEOUT'],
  ])('%s, until its timeout and no sooner', async (_, users, timeout, expected) => {
    const gateway = await open({ [first]: users, [second]: users })
    let over = false
    const pending = gateway.fetch('/users/7', { method: 'POST' }).finally(() => {
      over = true
    })
    await gateway.clock.advance(Number.parseInt(timeout, 10) * 1000 - 1)
    expect(over).toBe(false)
    await gateway.clock.advance(users === unreachable ? '20s' : 1)
    expect([(await pending).status, await code(await pending)]).toEqual([504, expected])
  })

  test('hang: its time for a head begins when it has the whole request', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const gateway = await open({ users: hang })
    const pending = gateway.fetch('/users/7', { method: 'PUT', body: readable, duplex: 'half' } as RequestInit)
    await gateway.clock.advance('10s')
    void writable.close()
    let over = false
    void pending.then(() => {
      over = true
    })
    await gateway.clock.advance('4999ms')
    expect(over).toBe(false)
    await gateway.clock.advance(1)
    expect(await code(await pending)).toBe('GATEWAY_UPSTREAM_HEAD_TIMEOUT')
  })

  test('one target of two: the other one is asked', async () => {
    const gateway = await open({ [first]: refuse, users: () => new Response('second') })
    for (const _ of [1, 2]) expect(await (await gateway.fetch('/users/7')).text()).toBe('second')
    expect([gateway.requests(first).length, gateway.requests(second).length]).toEqual([0, 2])
  })

  test('now and then', async () => {
    let times = 0
    const gateway = await open({ users: () => (++times === 1 ? refuse() : new Response('again')) })
    expect(await (await gateway.fetch('/users/7')).text()).toBe('again')
  })

  test('within its body: it is cut, or its time runs out', async () => {
    const body = (then: () => unknown) => {
      let begun = false
      return new ReadableStream({
        pull(controller) {
          if (begun) return then() as undefined
          begun = true
          controller.enqueue(new TextEncoder().encode('begun'))
        },
      })
    }
    const gateway = await open({ users: () => new Response(body(hang)), orders: () => new Response(body(reset)) })
    const cut = await gateway.fetch('/orders/7')
    await expect(cut.text()).rejects.toMatchObject({ code: 'GATEWAY_UPSTREAM_TRUNCATED' })
    const errors: string[] = []
    const stuck = (await gateway.fetch('/users/7')).text().catch(error => errors.push(error.code))
    await gateway.clock.advance('2999ms')
    expect(errors).toEqual([])
    await gateway.clock.advance(1)
    await stuck
    expect(errors).toEqual(['GATEWAY_UPSTREAM_IDLE_TIMEOUT'])
  })

  test('the total time counts over all attempts, and the upstream hears of its end', async () => {
    const signals: AbortSignal[] = []
    const gateway = await open({
      users: request => {
        signals.push(request.signal)
        return new Response(new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(1)) }))
      },
    })
    const response = await gateway.fetch('/users/7')
    // Nobody reads, so that the upstream owes nothing but its end.
    await gateway.clock.advance('19999ms')
    expect(signals.map(signal => signal.aborted)).toEqual([false])
    await gateway.clock.advance(1)
    expect(signals.map(signal => signal.aborted)).toEqual([true])
    await expect(response.arrayBuffer()).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' })
  })
})

describe('a test that is wrong is told so', () => {
  test.each<[string, TestGatewayOptions['upstreams'], RegExp]>([
    [
      'no upstream',
      { orders: () => new Response() },
      /service "users", which has no fake upstream \(there are orders\)/,
    ],
    ['an upstream that throws', { users: () => Promise.reject(new Error('boom')) }, /^Error: boom$/],
    ['an answer that is none', { users: () => 'text' as never }, /TypeError/],
    ['a body that is too long', { users: lengthed('longer', 3) }, /more than the 3 bytes/],
    ['a length that is none', { users: lengthed('text', Number.NaN) }, /"NaN" is no Content-Length/],
    ['a body that is too short', { users: lengthed('short', 9) }, /4 bytes less/],
    ['a refusal that comes too late', { users: () => Promise.resolve().then(refuse) }, /refuse\(\) before it waits/],
  ])('%s', async (_, upstreams, message) => {
    const gateway = await testGateway(config, { upstreams: upstreams ?? {} })
    const told = await gateway
      .fetch('/users/7')
      .then(async response => {
        await response.arrayBuffer().catch(() => {})
        await gateway.close()
      })
      .catch(String)
    expect(told).toMatch(message)
    // Once.
    await gateway.close()
  })

  test('by problems of the config', async () => {
    await expect(testGateway({ routes: { a: { match: 'GET /a', service: 'b' } } })).rejects.toThrow(ConfigProblems)
    const gateway = await open()
    await expect(gateway.reload({ routes: { a: 1 } })).rejects.toThrow(ConfigProblems)
    await expect(gateway.clock.advance('1 hour' as never)).rejects.toThrow('"1 hour" is no duration')
  })
})

function lengthed(text: string, length: number) {
  return () => new Response(text, { headers: { 'Content-Length': String(length) } })
}

test('the clock drives what plugins do by it, each at its moment', async () => {
  const seen: number[] = []
  const ticking = definePlugin({
    name: 'ticking',
    setup(host) {
      const start = host.clock.now()
      host.clock.every(400, () => void seen.push(host.clock.now() - start))
      host.clock.after(1_100, () => void seen.push(host.clock.now() - start))
      host.clock.after(1_100, () => expect.fail('it was called off'))()
      return { onRoute: () => ({ onFinish: (_, { durationMs }) => void seen.push(durationMs) }) }
    },
  })
  const route = { timeout: { head: '1s' } }
  const startAt = new Date('2026-01-02T03:04:05Z')
  const gateway = await testPlugin(ticking(), { route, upstream: hang, startAt })
  expect(gateway.clock.now()).toBe(startAt.getTime())
  const pending = gateway.fetch('/')
  await gateway.clock.advance('1500ms')
  expect([(await pending).status, seen]).toEqual([504, [400, 800, 1000, 1100, 1200]])
  expect(gateway.clock.now()).toBe(startAt.getTime() + 1500)
  await gateway.close()
  await gateway.clock.advance('1m')
  expect(seen).toHaveLength(5)
})

test('reloads, logs, and gives up what is under way when it is closed', async () => {
  const gateway = await open({ users: hang })
  const pending = gateway.fetch('/users/7')
  await gateway.clock.advance(0)
  const next = { ...config, log: { access: true }, routes: { other: { match: 'GET /', reply: { status: 204 } } } }
  expect(await gateway.reload(next)).toMatchObject({ generation: 2 })
  expect([gateway.config, gateway.route('GET /')?.name]).toEqual([next, 'other'])
  expect(gateway.generations.map(({ state, inFlight }) => [state, inFlight])).toEqual([
    ['serving', 0],
    ['draining', 1],
  ])
  await gateway.fetch('/')
  expect(gateway.log.filter(line => line.message === 'request')).toMatchObject([{ fields: { route: 'other' } }])
  pending.catch(() => {})
  await gateway.close()
  await expect(pending).rejects.toThrow('the test gateway was closed')
  expect(gateway.shared).toEqual([])
})

test('await using closes it', async () => {
  const closed: string[] = []
  const closing = definePlugin({ name: 'closing', setup: host => host.defer(() => void closed.push('closed')) })
  {
    await using gateway = await testPlugin(closing())
    expect(await (await gateway.fetch('/')).text()).toBe('ok')
  }
  expect(closed).toEqual(['closed'])
})

test('a plugin alone, with what stands about it', async () => {
  const route = { match: 'GET /here' }
  const gateway = await testPlugin(silent(), { beside: [marking()], route, service: { targets: [first] } })
  expect((await gateway.fetch('/here')).headers.get('x-marked')).toBe('yes')
  expect([gateway.route('GET /there'), gateway.requests(first).length]).toEqual([undefined, 1])
  await gateway.close()
})

test('its options are typed', async () => {
  const schema = z.strictObject({ limit: z.number() })
  const limiting = definePlugin({ name: 'limiting', routeOptions: schema, serviceOptions: schema })
  const gateway = await testPlugin(limiting(), { routeOptions: { limit: 1 }, serviceOptions: { limit: 2 } })
  await gateway.close()
  // @ts-expect-error: a typo
  await expect(testPlugin(limiting(), { routeOptions: { limti: 1 } })).rejects.toThrow(ConfigProblems)
  // @ts-expect-error: another type
  await expect(testPlugin(limiting(), { serviceOptions: { limit: '2' } })).rejects.toThrow(ConfigProblems)
  // @ts-expect-error: it has none
  await expect(testPlugin(silent(), { routeOptions: {} })).rejects.toThrow(ConfigProblems)
})
