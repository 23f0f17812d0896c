import { definePlugin, type ServiceView } from '@gateway/core'
import { concurrency } from '@gateway/resilience'
import { expectNoLeak, hang, pluginSuite, type TestGateway, testGateway } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { startGateway } from '../../../test/support/gateway.ts'
import { lineValue } from '../../../test/support/message.ts'
import { rawUpstream } from '../../../test/support/upstream.ts'
import { connect, requestText, responseText, type Wire } from '../../../test/support/wire.ts'

for (const { name, run } of pluginSuite(() => concurrency(), { routeOptions: { limit: 1 } })) test(name, run)

function configOf(given: { service?: object; route?: object; targets?: readonly string[] }, more: object = {}) {
  const { targets = ['http://a.test'], service, route } = given
  const named = (options: object | undefined) => options && { concurrency: options }
  return {
    plugins: [concurrency()],
    services: { shop: { targets, ...named(service) } },
    routes: { all: { match: 'ANY /*', service: 'shop', ...named(route) } },
    ...more,
  }
}

/** An upstream that answers when it is told to. */
async function openKit(given: Parameters<typeof configOf>[0], more?: object) {
  const answers: PromiseWithResolvers<Response>[] = []
  const answer = () => {
    const next = Promise.withResolvers<Response>()
    answers.push(next)
    return next.promise
  }
  const config = configOf(given, more)
  const gateway = await testGateway(config, { upstreams: { shop: answer } })
  /** What became of each request, in the order in which they ended. */
  const ended: string[] = []
  async function send(name: string, init?: RequestInit, path = '/') {
    try {
      const response = await gateway.fetch(path, init)
      const text = await response.text()
      ended.push(`${name} ${text.startsWith('{') ? (JSON.parse(text) as { code: string }).code : text}`)
    } catch {
      ended.push(`${name} left`)
    }
  }
  const settle = () => gateway.clock.advance(0)
  /** Sends without waiting for the answer. */
  async function begin(...args: Parameters<typeof send>) {
    void send(...args)
    await settle()
  }
  async function finish(index: number, init?: ResponseInit) {
    answers[index]?.resolve(new Response('ok', init))
    await settle()
  }
  return { gateway, config, ended, answers, begin, finish, settle }
}

describe('a limit', () => {
  test('lets so many through; the others wait in order, or are refused', async () => {
    const { gateway, ended, answers, begin, finish } = await openKit({ route: { limit: 1, queue: 2 } })
    await using _ = gateway
    for (const name of 'abcd') await begin(name)
    expect([answers.length, ended]).toEqual([1, ['d CONCURRENCY_LIMITED']])
    await finish(0)
    expect([answers.length, ended.slice(1)]).toEqual([2, ['a ok']])
    await finish(1)
    await finish(2)
    expect(ended.slice(2)).toEqual(['b ok', 'c ok'])
    await begin('e')
    await finish(3)
    expect(ended.at(-1)).toBe('e ok')
  })

  test('who waits too long is refused, and told when to come back', async () => {
    const { gateway, ended, begin } = await openKit({ route: { limit: 1, queue: 2, maxWait: '1500ms' } })
    await using _ = gateway
    for (const name of 'ab') await begin(name)
    await gateway.clock.advance('1499ms')
    expect(ended).toEqual([])
    await gateway.clock.advance(1)
    expect(ended).toEqual(['b CONCURRENCY_LIMITED'])
    const refused = gateway.fetch('/')
    await gateway.clock.advance('1500ms')
    expect((await refused).headers.get('retry-after')).toBe('2')
  })

  test('who leaves while he waits is in the queue no more, and is never sent', async () => {
    const { gateway, ended, answers, begin, finish } = await openKit({ route: { limit: 1, queue: 1 } })
    await using _ = gateway
    const client = new AbortController()
    await begin('a')
    await begin('b', { signal: client.signal })
    client.abort()
    await begin('c')
    await finish(0)
    await finish(1)
    expect([ended, answers.length]).toEqual([['b left', 'a ok', 'c ok'], 2])
  })

  test('who leaves gives his place to the next', async () => {
    const { gateway, ended, begin, finish } = await openKit({ route: { limit: 1, queue: 1 } })
    await using _ = gateway
    const client = new AbortController()
    await begin('a', { signal: client.signal })
    await begin('b')
    client.abort()
    await begin('c')
    await finish(1)
    await finish(2)
    expect(ended).toEqual(['a left', 'b ok', 'c ok'])
  })

  test('of a route and of its service both hold, the service over all routes', async () => {
    const all = { match: 'ANY /*', service: 'shop' }
    const routes = { all: { ...all, concurrency: { limit: 1 } }, other: { ...all, match: 'ANY /other' } }
    const { gateway, ended, begin, finish } = await openKit({ service: { limit: 2, queue: 1 } }, { routes })
    await using _ = gateway
    await begin('a')
    await begin('b')
    await begin('c', {}, '/other')
    await begin('d', {}, '/other')
    await begin('e', {}, '/other')
    expect(ended).toEqual(['b CONCURRENCY_LIMITED', 'e CONCURRENCY_LIMITED'])
    await finish(0)
    await finish(1)
    await finish(2)
    expect(ended.slice(2)).toEqual(['a ok', 'c ok', 'd ok'])
  })

  test('one that waits for a place on its route waits for one of its service after that', async () => {
    const all = { match: 'ANY /*', service: 'shop' }
    const routes = { all: { ...all, concurrency: { limit: 1, queue: 1 } }, other: { ...all, match: 'ANY /other' } }
    const { gateway, ended, answers, begin, finish } = await openKit({ service: { limit: 2, queue: 2 } }, { routes })
    await using _ = gateway
    await begin('a')
    await begin('b', {}, '/other')
    await begin('c')
    await begin('d', {}, '/other')
    await finish(0)
    expect([answers.length, ended]).toEqual([3, ['a ok']])
    await finish(1)
    expect(answers).toHaveLength(4)
    await finish(2)
    await finish(3)
    expect(ended).toEqual(['a ok', 'b ok', 'd ok', 'c ok'])
  })

  test.each([
    ['a header', { header: 'X-Tenant' }],
    ['a function', (ctx: { headers: { get(name: string): string | undefined } }) => ctx.headers.get('x-tenant') ?? ''],
  ])('by %s', async (_name, by) => {
    const { gateway, ended, begin, finish } = await openKit({ route: { limit: 1, by } })
    await using _ = gateway
    const of = (tenant: string) => ({ headers: { 'X-Tenant': tenant } })
    await begin('a', of('one'))
    await begin('b', of('one'))
    await begin('c', of('two'))
    await begin('d')
    await begin('e')
    expect(ended).toEqual(['b CONCURRENCY_LIMITED', 'e CONCURRENCY_LIMITED'])
    for (let i = 0; i < 3; i++) await finish(i)
    await begin('f', of('one'))
    await finish(3)
    expect(ended.slice(2)).toEqual(['a ok', 'c ok', 'd ok', 'f ok'])
  })

  test('a request of which a function says nothing is not counted', async () => {
    const { gateway, answers, begin } = await openKit({ route: { limit: 1, by: () => undefined } })
    await using _ = gateway
    for (const name of 'abc') await begin(name)
    expect(answers).toHaveLength(3)
  })

  test('counts go on over a reload, and who waits gets his turn', async () => {
    const { gateway, config, ended, begin, finish } = await openKit({ route: { limit: 1, queue: 1 } })
    await using _ = gateway
    await begin('a')
    await begin('b')
    await gateway.reload({ ...config, drainTimeout: '1m' })
    await begin('c')
    expect(ended).toEqual(['c CONCURRENCY_LIMITED'])
    await finish(0)
    await begin('d')
    await finish(1)
    await finish(2)
    expect(ended.slice(1)).toEqual(['a ok', 'b ok', 'd ok'])
  })

  test('a config that is refused does not change it', async () => {
    const { gateway, config, ended, begin } = await openKit({ route: { limit: 1 } })
    await using _ = gateway
    const broken = definePlugin({ name: 'broken', setup: () => Promise.reject(new Error('no')) })
    const next = configOf({ route: { limit: 9 } }, { plugins: [...config.plugins, broken()] })
    await expect(gateway.reload(next)).rejects.toThrow()
    for (const name of 'ab') await begin(name)
    expect(ended).toEqual(['b CONCURRENCY_LIMITED'])
  })

  test('while no target is left nobody waits for a place', async () => {
    let view: ServiceView<unknown> | undefined
    const window = definePlugin({
      name: 'window',
      setup: () => ({
        onService(service) {
          view = service
        },
      }),
    })
    const { gateway, ended, begin } = await openKit(
      { route: { limit: 1, queue: 9 } },
      { plugins: [concurrency(), window()] },
    )
    await using _ = gateway
    await begin('a')
    for (const target of view?.targets ?? []) view?.holdOut(target, 'down')
    for (const name of 'bc') await begin(name)
    expect(ended).toEqual(['b GATEWAY_NO_HEALTHY_TARGET', 'c GATEWAY_NO_HEALTHY_TARGET'])
  })
})

describe('an adaptive limit', () => {
  /** How many requests get through at a time. */
  async function atOnce(gateway: TestGateway): Promise<number> {
    const before = gateway.requests('shop').length
    const leaving = new AbortController()
    const { signal } = leaving
    const all = Array.from({ length: 30 }, () => gateway.fetch('/hang', { signal }).catch(() => undefined))
    await gateway.clock.advance(0)
    const through = gateway.requests('shop').length - before
    leaving.abort()
    await Promise.all(all)
    return through
  }

  test.each([429, 503])('falls when upstream answers %d, and rises when it does well', async refusal => {
    let status = refusal
    const answer = async (request: Request) =>
      request.url.endsWith('/hang') ? hang() : new Response(await request.text(), { status })
    const config = configOf({ route: { limit: 10, adaptive: { min: 2, max: 20 } } })
    const boom = () => {
      throw new Error('boom')
    }
    const routes = { all: { ...config.routes.all, onRequestBody: () => ({ push: boom }) } }
    await using gateway = await testGateway({ ...config, routes }, { upstreams: { shop: answer } })
    const burst = async (init?: RequestInit) => {
      await gateway.clock.advance('1s')
      await Promise.all(Array.from({ length: 10 }, async () => (await gateway.fetch('/', init)).text()))
    }
    expect(await atOnce(gateway)).toBe(10)
    // A plugin's failure is not upstream's.
    await burst({ method: 'POST', body: 'x' })
    expect(await atOnce(gateway)).toBe(10)
    await burst()
    expect(await atOnce(gateway)).toBe(9)
    status = 200
    for (let i = 0; i < 20; i++) await burst()
    expect(await atOnce(gateway)).toBeGreaterThan(10)
  })
})

test.each([
  [{ limit: 0 }, 'routes.all.concurrency.limit'],
  [{ limit: 1, maxWait: 0 }, 'must lie between 1ms and 1h (routes.all.concurrency.maxWait)'],
  [{ limit: 5, adaptive: { min: 9, max: 3 } }, 'must not be less than min (routes.all.concurrency.adaptive.max)'],
  [
    { limit: 5, adaptive: { min: 9 } },
    'must lie between adaptive.min, 9, and max, 1000 (routes.all.concurrency.limit)',
  ],
  [{ limit: 5, adaptive: {}, by: { header: 'X-Tenant' } }, 'cannot go with by'],
  [{ limit: 5, by: 'ip' }, 'routes.all.concurrency.by'],
])('refused: %o', async (route, message) => {
  await expect(testGateway(configOf({ route }))).rejects.toThrow(message)
})

test('nothing of it is left behind, however often it is reloaded', async () => {
  const { gateway, answers, begin, finish } = await openKit({
    service: { limit: 9, adaptive: {} },
    route: { limit: 1, by: { header: 'X-Tenant' }, queue: 1 },
  })
  await using _ = gateway
  const between = async () => {
    for (const name of 'ab') await begin(name)
    for (let i = 0; i < 2; i++) await finish(answers.length - 1)
  }
  await expectNoLeak(gateway, { reloads: 30, between })
})

test('over sockets: a queue, whose clients come, wait and go', async () => {
  const asked: Wire[] = []
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      await wire.request()
      asked.push(wire)
    }
  })
  const seen = { begun: 0, ended: 0 }
  const counting = definePlugin({
    name: 'counting',
    stage: 'guard',
    setup: () => ({
      onRoute: () => ({ onRequest: () => void seen.begun++, onFinish: () => void seen.ended++ }),
    }),
  })
  const route = { limit: 2, queue: 2, maxWait: '1h' }
  const { port } = await startGateway(
    configOf({ targets: [upstream.origin], route }, { plugins: [counting(), concurrency()] }),
  )
  async function send(): Promise<Wire> {
    const { begun } = seen
    const client = await connect(port)
    client.send(requestText('GET /'))
    await eventually(() => expect(seen.begun).toBe(begun + 1))
    return client
  }
  const first = [await send(), await send()]
  const waiting = [await send(), await send()]
  const refused = await (await send()).response()
  expect([refused.status, lineValue(refused.lines, 'retry-after')]).toEqual([503, '3600'])
  await eventually(() => expect(asked).toHaveLength(2))
  waiting[0]?.socket.destroy()
  await eventually(() => expect(seen.ended).toBe(2))
  for (const wire of asked.splice(0)) wire.send(responseText(200, [], 'done'))
  for (const client of first) expect((await client.response()).status).toBe(200)
  await eventually(() => expect(asked).toHaveLength(1))
  asked[0]?.send(responseText(200, [], 'last'))
  expect((await waiting[1]?.response())?.body).toBe('last')
})
