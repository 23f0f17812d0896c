import { definePlugin } from '@gateway/core'
import { retry } from '@gateway/resilience'
import { hang, pluginSuite, refuse, reset, testGateway, type Upstream } from '@gateway/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'

for (const { name, run } of pluginSuite(() => retry(), { routeOptions: true })) test(name, run)

const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new Response(null, { status: code, headers })
const fine = () => new Response('fine')

/** Two targets, asked in turn, each with what it answers in order; the last for ever. Back-off without chance. */
async function start(given: {
  readonly a: readonly Upstream[]
  readonly b?: readonly Upstream[]
  readonly plugin?: object
  readonly route?: unknown
  readonly service?: object
  readonly total?: number
  readonly startAt?: Date
}) {
  const { a, b = a, plugin = {}, service = {}, total = 0, startAt = new Date() } = given
  const route = 'route' in given ? given.route : true
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  onTestFinished(() => void vi.restoreAllMocks())
  const asked: string[] = []
  const inOrder = (name: string, all: readonly Upstream[]) => {
    let place = 0
    return (request: Request) => {
      asked.push(name)
      const upstream = all[Math.min(place++, all.length - 1)]
      return upstream === undefined ? expect.fail() : upstream(request)
    }
  }
  const config = (drainTimeout = '30s') => ({
    drainTimeout,
    plugins: [retry({ backoff: { base: 0, max: 0 }, ...plugin })],
    services: { shop: { targets: ['http://a', 'http://b'], ...service } },
    routes: { all: { match: 'ANY /*', service: 'shop', retry: route, timeout: { total } } },
  })
  const gateway = await testGateway(config() as never, {
    startAt,
    upstreams: { 'http://a': inOrder('a', a), 'http://b': inOrder('b', b) },
  })
  onTestFinished(() => gateway.close())
  const ask = async (init: RequestInit = {}) => {
    const response = await gateway.fetch('/', init)
    return `${response.status} ${await response.text()}`
  }
  return { gateway, asked, ask, reload: () => gateway.reload(config('31s') as never) }
}

describe('tries again', () => {
  test.each<[string, Upstream, object, number]>([
    ['a refused connection', refuse, {}, 2],
    ['a reset', reset, {}, 2],
    ['502', status(502), {}, 2],
    ['503', status(503), {}, 2],
    ['504', status(504), {}, 2],
    ['not 500', status(500), {}, 1],
    ['500 as one of 5xx', status(500), { on: ['5xx'] }, 2],
    ['429 when it says so', status(429), { on: [429] }, 2],
    ['not 503 when it says something else', status(503), { on: ['connect', 'reset'] }, 1],
    ['not a reset when it says something else', reset, { on: [503] }, 1],
    ['not 404', status(404), {}, 1],
  ])('%s', async (_, upstream, route, attempts) => {
    const { ask, asked } = await start({ a: [upstream], b: [fine], route })
    const answer = await ask()
    expect(asked).toEqual(['a', 'b'].slice(0, attempts))
    if (attempts === 2) expect(answer).toBe('200 fine')
  })

  test('no answer in the time of an attempt', async () => {
    const { gateway, ask, asked } = await start({ a: [hang], b: [fine], route: { perTryTimeout: '2s' } })
    const answer = ask()
    await gateway.clock.advance('1999ms')
    expect(asked).toEqual(['a'])
    await gateway.clock.advance('1ms')
    expect(await answer).toBe('200 fine')
  })

  test('as often as `attempts` says, and then passes on what there is', async () => {
    const { ask, asked } = await start({ a: [status(503)], route: { attempts: 4 } })
    expect(await ask()).toBe('503 ')
    expect(asked).toEqual(['a', 'b', 'a', 'b'].slice(0, asked.length))
    expect(asked).toHaveLength(4)
  })

  test.each([
    ['PUT', {}, '200 fine'],
    ['POST', {}, '503 '],
    ['PATCH', {}, '503 '],
    ['POST', { methods: ['POST'] }, '200 fine'],
    ['GET', { methods: ['POST'] }, '503 '],
  ])('%s, with %j: %s', async (method, route, answer) => {
    const { ask } = await start({ a: [status(503)], b: [fine], route })
    expect(await ask({ method })).toBe(answer)
  })

  test('with the body, as far as that is kept', async () => {
    const echo: Upstream = async request => new Response(await request.text())
    const { ask } = await start({ a: [status(503)], b: [echo], route: { maxBody: 4 } })
    expect(await ask({ method: 'PUT', body: 'body' })).toBe('200 body')
    // Asked in turn: b has had the last request.
    expect(await ask({ method: 'PUT', body: 'more than that' })).toBe('503 ')
  })

  test('with what the plugin says where the route says nothing of its own', async () => {
    const plugin = { attempts: 2, on: [500] }
    const { ask, asked } = await start({ a: [status(500)], plugin, route: { attempts: undefined, methods: ['GET'] } })
    expect(await ask()).toBe('500 ')
    expect(asked).toHaveLength(2)
  })

  test.each([[false], [undefined]])('not on a route that says %s', async said => {
    const { ask, asked } = await start({ a: [status(503)], route: said })
    expect(await ask()).toBe('503 ')
    expect(asked).toHaveLength(1)
  })

  test('not when the answer has begun', async () => {
    const cut = () =>
      new Response(
        new ReadableStream({
          start: controller => controller.enqueue(Buffer.from('begun')),
          pull: () => reset(),
        }),
      )
    const { ask, asked } = await start({ a: [cut], b: [fine] })
    await expect(ask()).rejects.toThrow()
    expect(asked).toEqual(['a'])
  })
})

describe('waits', () => {
  test('between attempts: at random up to a bound that doubles, up to a limit', async () => {
    const { gateway, ask, asked } = await start({
      a: [status(503)],
      route: { attempts: 5, backoff: { base: 100, max: 300 } },
    })
    const answer = ask()
    const times: number[] = []
    const began = gateway.clock.now()
    for (let ms = 0; ms < 600; ms++) {
      await gateway.clock.advance(1)
      while (times.length < asked.length) times.push(gateway.clock.now() - began)
    }
    // Half of 100, 200, 300 and 300.
    expect(times).toEqual([1, 50, 150, 300, 450])
    expect(await answer).toBe('503 ')
  })

  test.each([
    [503, '1', 1_000],
    [429, '1', 1_000],
    [502, '1', 0],
    [503, 'Thu, 01 Jan 2026 00:00:01 GMT', 1_000],
    [503, 'Wed, 31 Dec 2025 00:00:00 GMT', 0],
    [503, 'soon', 0],
  ])('as Retry-After says: %d %s', async (code, field, ms) => {
    const startAt = new Date('2026-01-01T00:00:00Z')
    const { gateway, ask, asked } = await start({
      a: [status(code, { 'Retry-After': field })],
      b: [fine],
      startAt,
      route: { on: [429, '5xx'] },
    })
    const answer = ask()
    if (ms > 0) {
      await gateway.clock.advance(ms - 1)
      expect(asked).toEqual(['a'])
    }
    await gateway.clock.advance(1)
    expect(await answer).toBe('200 fine')
  })

  test('no longer than it may: then the answer is passed on', async () => {
    const { gateway, ask, asked } = await start({
      a: [status(503, { 'Retry-After': '3' })],
      b: [fine],
      route: { maxRetryAfter: '2s' },
    })
    const response = await gateway.fetch('/')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '3'])
    expect(asked).toEqual(['a'])
    expect(await ask()).toBe('200 fine')
  })

  test('not when the time of the request would be over by then', async () => {
    const { ask, asked } = await start({ a: [status(503, { 'Retry-After': '1' })], b: [fine], total: 900 })
    expect(await ask()).toBe('503 ')
    expect(asked).toEqual(['a'])
  })
})

describe('the budget', () => {
  const failing = {
    a: [status(503)],
    plugin: { backoff: { base: 0, max: 0 }, budget: { ratio: 0.2, minPerSecond: 0 } },
  }
  const many = async (count: number, ask: () => Promise<unknown>) => {
    for (let i = 0; i < count; i++) await ask()
  }

  test('holds the load of failing targets to a fifth more', async () => {
    const { gateway, ask, asked } = await start(failing)
    await many(100, ask)
    expect(asked).toHaveLength(120)
    expect(gateway.log.filter(({ message }) => message.startsWith('the retry budget is spent'))).toHaveLength(1)
  })

  test('is not touched by what cannot be sent again', async () => {
    const { ask, asked } = await start({ ...failing, plugin: { budget: { minPerSecond: 0.1 } }, route: { maxBody: 1 } })
    await ask({ method: 'PUT', body: 'long' })
    await ask()
    expect(asked).toHaveLength(3)
  })

  test("a service's own goes before the plugin's", async () => {
    const { ask, asked } = await start({ ...failing, service: { retry: { budget: { ratio: 0.5, minPerSecond: 0 } } } })
    await many(100, ask)
    expect(asked).toHaveLength(150)
  })

  test('goes on over a reload', async () => {
    const { ask, asked, reload } = await start(failing)
    await many(50, ask)
    await reload()
    await many(50, ask)
    expect(asked).toHaveLength(120)
  })

  test('is that of the service that another plugin chose', async () => {
    const choosing = definePlugin({
      name: 'choosing',
      routeOptions: z.literal(true),
      services: () => [{ name: 'other', path: [] }],
      setup: () => ({
        onRoute: () => ({ onRequest: ctx => (ctx.path === '/other' ? ctx.useService('other') : undefined) }),
      }),
    })
    const none = { retry: { budget: { ratio: 0, minPerSecond: 0 } } }
    const config = {
      plugins: [choosing(), retry({ backoff: { base: 0, max: 0 } })],
      services: { shop: { targets: ['http://a', 'http://b'], ...none }, other: { targets: ['http://c', 'http://d'] } },
      routes: { all: { match: 'GET /*', service: 'shop', retry: true, choosing: true } },
    }
    await using gateway = await testGateway(config as never, { upstreams: { shop: status(503), other: status(503) } })
    for (const path of ['/shop', '/other']) await gateway.fetch(path)
    expect([gateway.requests('shop').length, gateway.requests('other').length]).toEqual([1, 3])
  })

  test('is for hedges as well', async () => {
    const { gateway, ask, asked } = await start({
      a: [hang],
      b: [hang],
      plugin: { budget: { ratio: 0, minPerSecond: 0 } },
      route: { hedge: { after: 100 } },
    })
    const answer = ask()
    await gateway.clock.advance('30s')
    expect(await answer).toMatch(/^504/)
    expect(asked).toEqual(['a'])
  })
})

describe('hedges', () => {
  test('a slow attempt, and the first answer counts', async () => {
    const { gateway, ask, asked } = await start({ a: [hang], b: [fine], route: { hedge: { after: '100ms' } } })
    const answer = ask()
    await gateway.clock.advance(99)
    expect(asked).toEqual(['a'])
    await gateway.clock.advance(1)
    expect(await answer).toBe('200 fine')
  })

  test.each(['POST', 'PATCH'])('not %s, even when it may be tried again', async method => {
    const route = { methods: ['POST', 'PATCH'], hedge: { after: '100ms' } }
    const { gateway, ask, asked } = await start({ a: [hang], b: [fine], route })
    const answer = ask({ method })
    await gateway.clock.advance('29s')
    expect(asked).toEqual(['a'])
    await gateway.clock.advance('1s')
    expect(await answer).toBe('200 fine')
    expect(asked).toEqual(['a', 'b'])
  })

  test('after a percentile, once that is known', async () => {
    const quick = Array(120).fill(fine)
    const { gateway, ask, asked } = await start({ a: [...quick, hang], b: quick, route: { hedge: { after: 'p95' } } })
    for (let i = 0; i < 240; i++) expect(await ask()).toBe('200 fine')
    const answer = ask()
    await gateway.clock.advance(1)
    expect(await answer).toBe('200 fine')
    expect(asked.slice(-2)).toEqual(['a', 'b'])
  })
})

test.each([
  ['attempts', { attempts: 0 }, '1'],
  ['attempts', { attempts: 17 }, '16'],
  ['on', { on: ['broken'] }, "must be 'connect', 'reset', 'timeout', '5xx' or a status from 400 to 599"],
  ['on', { on: [200] }, 'must be at least 400'],
  ['methods', { methods: ['GE T'] }, 'must be a method such as PUT'],
  ['perTryTimeout', { perTryTimeout: 0 }, 'must lie between 1ms and 1h'],
  ['backoff', { backoff: { base: '1s', max: '10ms' } }, 'must not be less than base'],
  ['maxBody', { maxBody: '17mb' }, 'must be at most 16mb'],
  ['hedge', { hedge: { after: 'p42' } }, 'must be a time from 1ms to 1h'],
])('a wrong %s is named: %j', async (_, route, message) => {
  await expect(start({ a: [fine], route })).rejects.toThrow(message)
})
