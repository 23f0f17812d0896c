import { identity } from '@gateway/auth/contract'
import { type Context, createGateway, defineConfig, definePlugin, type RouteHooks, silentLog } from '@gateway/core'
import { floodLimit, rateLimit } from '@gateway/ratelimit'
import { pluginSuite } from '@gateway/testing'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { rawUpstream, recordingBackend } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../../test/support/wire.ts'

type Options = NonNullable<Parameters<typeof rateLimit>[0]>
type Policy = NonNullable<Options['limits']>[number]

for (const { name, run } of pluginSuite(() => rateLimit({ maxKeys: 1024 }), {
  routeOptions: [
    { limit: 1000, window: '1m' },
    { limit: 1000, algorithm: 'concurrency' },
  ],
}))
  test(name, run)

for (const { name, run } of pluginSuite(() => floodLimit({ maxKeys: 1024 }), {
  routeOptions: { limit: 1000, window: '1m' },
}))
  test(name, run)

/** The caller is whoever the request says it is. */
const believing = definePlugin({
  name: 'believing',
  stage: 'identify',
  writes: [identity],
  setup: () => ({
    onRoute: (): RouteHooks => ({
      onRequest(ctx) {
        const id = ctx.headers.get('x-user')
        const method = ctx.headers.get('x-method') === 'apiKey' ? 'apiKey' : 'jwt'
        if (id !== undefined) ctx.set(identity, { id, method, scopes: [], roles: [], claims: {}, expiresAt: undefined })
      },
    }),
  }),
})

const ok = { status: 200, body: 'ok' }
const hour = { window: '1h' } as const

interface Given {
  readonly options?: Options
  readonly routes: Readonly<Record<string, object>>
}

async function gatewayWith({ options = {}, routes }: Given) {
  const config = {
    plugins: [believing(), rateLimit({ maxKeys: 1024, ...options })],
    listen: { port: 0, host: '127.0.0.1', trust: ['127.0.0.0/8'] },
    services: { one: { targets: ['http://127.0.0.1:9'] } },
    routes,
  }
  const { gateway, port, log } = await startGateway(config)
  return {
    gateway,
    port,
    log,
    config,
    ask: (path = '/', headers: Record<string, string> = {}) =>
      exchange(
        port,
        `GET ${path}`,
        Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ),
  }
}

const one = (policy: Policy | readonly Policy[]) => ({
  routes: { all: { match: 'ANY /*', reply: ok, rateLimit: policy } },
})

/** How many of so many requests are admitted. */
async function admitted(ask: () => Promise<{ status: number }>, requests: number): Promise<number> {
  let count = 0
  for (let request = 0; request < requests; request++) if ((await ask()).status === 200) count++
  return count
}

function fields(lines: readonly string[]) {
  const value = (name: string) =>
    lines.filter(line => line.toLowerCase().startsWith(`${name}:`)).map(line => line.slice(name.length + 2))
  return { policy: value('ratelimit-policy'), limit: value('ratelimit'), retry: value('retry-after') }
}

test('a request over the limit gets 429, says when to come again, and what the limits are', async () => {
  const { ask } = await gatewayWith(one({ limit: 2, ...hour }))
  expect(fields((await ask()).lines)).toEqual({
    policy: ['"route";q=2;w=3600'],
    limit: ['"route";r=1;t=1800'],
    retry: [],
  })
  expect(fields((await ask()).lines).limit).toEqual(['"route";r=0;t=3600'])
  const refused = await ask()
  expect(refused.status).toBe(429)
  expect(JSON.parse(refused.body)).toMatchObject({
    type: 'urn:gateway:problem:rate-limit-exceeded',
    code: 'RATE_LIMIT_EXCEEDED',
    title: 'Too many requests',
    detail: 'rate limit "route"',
    route: 'all',
  })
  const { limit, retry } = fields(refused.lines)
  expect(retry).toEqual(['1800'])
  expect(limit).toEqual(['"route";r=0;t=1800'])
})

test('several limits: each has its item, and all have to admit', async () => {
  const { ask } = await gatewayWith({
    options: { limits: [{ limit: 5, ...hour, name: 'everywhere' }] },
    routes: {
      all: {
        match: 'ANY /*',
        reply: ok,
        rateLimit: [
          { limit: 2, window: '1d', algorithm: 'slidingWindow' },
          { limit: 9, algorithm: 'concurrency', name: 'at-once' },
        ],
      },
    },
  })
  expect(fields((await ask()).lines)).toMatchObject({
    policy: ['"everywhere";q=5;w=3600, "route";q=2;w=86400, "at-once";q=9;qu="concurrent-requests"'],
    limit: [expect.stringMatching(/^"everywhere";r=4;t=720, "route";r=1;t=\d+, "at-once";r=8$/)],
  })
  expect(await admitted(() => ask(), 3)).toBe(1)
  // The two that were refused took nothing.
  expect(fields((await ask()).lines).limit).toEqual([expect.stringMatching(/^"everywhere";r=3;/)])
})

test('the fields of the upstream stay, and can be all there are', async () => {
  const backend = await recordingBackend(() => responseText(200, ['RateLimit: "theirs";r=1']))
  const start = (options: Options) =>
    startGateway(
      proxyTo(backend.origin, { plugins: [rateLimit(options)], route: { rateLimit: { limit: 5, window: '1500ms' } } }),
    )
  const told = await exchange((await start({})).port, 'GET /')
  expect(fields(told.lines)).toMatchObject({
    policy: ['"route";q=5'],
    limit: ['"theirs";r=1', expect.stringMatching(/^"route";r=4;t=1$/)],
  })
  const silent = await exchange((await start({ fields: false })).port, 'GET /')
  expect(fields(silent.lines)).toMatchObject({ policy: [], limit: ['"theirs";r=1'] })
})

describe('it counts by', () => {
  const from = (address: string) => ({ 'X-Forwarded-For': address })
  test.each<[string, Policy['by'], Record<string, string>, Record<string, string>, boolean]>([
    ['address', undefined, from('192.0.2.1'), from('192.0.2.1'), true],
    ['address', 'ip', from('192.0.2.1'), from('192.0.2.2'), false],
    ['/64', 'ip', from('2001:db8::1'), from('2001:db8::2'), true],
    ['/64', 'ip', from('2001:db8::1'), from('2001:db8:0:1::1'), false],
    ['user', 'user', { 'X-User': 'ada', ...from('192.0.2.1') }, { 'X-User': 'ada', ...from('192.0.2.2') }, true],
    ['user', 'user', { 'X-User': 'ada' }, { 'X-User': 'bob' }, false],
    ['user and method', 'user', { 'X-User': 'ada' }, { 'X-User': 'ada', 'X-Method': 'apiKey' }, false],
    ['address where there is no user', 'user', from('192.0.2.1'), from('192.0.2.1'), true],
    ['address where there is no user', 'user', from('192.0.2.1'), from('192.0.2.2'), false],
    ['API key', 'apiKey', { 'X-User': 'k', 'X-Method': 'apiKey' }, { 'X-User': 'k', 'X-Method': 'apiKey' }, true],
    ['address where the user has no API key', 'apiKey', { 'X-User': 'ada' }, { 'X-User': 'bob' }, true],
    ['header', { header: 'X-Tenant' }, { 'X-Tenant': 'a' }, { 'X-Tenant': 'a' }, true],
    ['header', { header: 'X-Tenant' }, { 'X-Tenant': 'a' }, { 'X-Tenant': 'b' }, false],
    ['address where there is no header', { header: 'X-Tenant' }, {}, { 'X-Tenant': '' }, true],
    ['function', ctx => ctx.headers.get('x-user')?.slice(0, 1), { 'X-User': 'ada' }, { 'X-User': 'abe' }, true],
    ['function', ctx => ctx.headers.get('x-user')?.slice(0, 1), { 'X-User': 'ada' }, { 'X-User': 'bob' }, false],
    ['function, which lifts it', () => undefined, {}, {}, false],
  ])('%s (%#)', async (_, by, first, second, together) => {
    const { ask } = await gatewayWith(one({ limit: 1, ...hour, ...(by !== undefined && { by }) }))
    expect((await ask('/', first)).status).toBe(200)
    expect((await ask('/', second)).status).toBe(together ? 429 : 200)
  })
})

test('a request costs what it says', async () => {
  const { ask, log } = await gatewayWith(one({ limit: 10, ...hour, cost: ctx => Number(ctx.headers.get('x-cost')) }))
  const cost = async (units: string) => (await ask('/', { 'X-Cost': units })).status
  expect(await cost('7.5')).toBe(200)
  expect(await cost('3')).toBe(429)
  expect(await cost('0')).toBe(200)
  expect(await cost('2')).toBe(200)
  const never = await ask('/', { 'X-Cost': '11' })
  expect([never.status, fields(never.lines).retry]).toEqual([429, []])
  expect(await cost('-1')).toBe(500)
  expect(log.all.some(line => line.level === 'error')).toBe(true)
})

describe('what counts together:', () => {
  test.each<[Policy['scope'], boolean[]]>([
    [undefined, [true, true, true]],
    ['route', [true, true, true]],
    ['service', [true, false, true]],
    ['gateway', [true, false, false]],
  ])('scope %s', async (scope, expected) => {
    const limited = { rateLimit: { limit: 1, ...hour, ...(scope && { scope }) } }
    const { ask } = await gatewayWith({
      routes: {
        a: { match: 'GET /a', service: 'one', onRequest: () => ok, ...limited },
        b: { match: 'GET /b', service: 'one', onRequest: () => ok, ...limited },
        c: { match: 'GET /c', reply: ok, ...limited, ...(scope === 'service' && { rateLimit: { limit: 1, ...hour } }) },
      },
    })
    const statuses = [await ask('/a'), await ask('/b'), await ask('/c')].map(({ status }) => status === 200)
    expect(statuses).toEqual(expected)
  })

  test("the gateway's limits hold for all routes but those that lift them", async () => {
    const { ask } = await gatewayWith({
      options: { limits: [{ limit: 1, ...hour }] },
      routes: {
        a: { match: 'GET /a', reply: ok },
        b: { match: 'GET /b', reply: ok, rateLimit: { limit: 5, ...hour } },
        free: { match: 'GET /free', reply: ok, rateLimit: false },
      },
    })
    expect((await ask('/a')).status).toBe(200)
    expect((await ask('/b')).status).toBe(429)
    const free = await ask('/free')
    expect([free.status, fields(free.lines).policy]).toEqual([200, []])
  })
})

test.each(['answer', 'client', 'upstream'])('requests under way are counted until they end by the %s', async end => {
  const done = responseText(200, ['Connection: close'])
  const upstream = await rawUpstream(async (wire, number) => {
    if (number <= 2) return
    await wire.request()
    wire.send(done)
  })
  const { port } = await startGateway(
    proxyTo(upstream.origin, { plugins: [rateLimit()], route: { rateLimit: { limit: 2, algorithm: 'concurrency' } } }),
  )
  const clients = [await connect(port), await connect(port)]
  for (const client of clients) client.send(requestText('GET /'))
  const backends = [await upstream.connection(1), await upstream.connection(2)]
  for (const backend of backends) await backend.request()
  const refused = await exchange(port, 'GET /')
  expect([refused.status, fields(refused.lines)]).toEqual([
    429,
    { policy: ['"route";q=2;qu="concurrent-requests"'], limit: ['"route";r=0'], retry: ['1'] },
  ])
  for (const backend of backends) {
    if (end === 'answer') backend.send(done)
    if (end === 'upstream') backend.socket.destroy()
  }
  if (end === 'client') for (const client of clients) client.socket.destroy()
  else for (const client of clients) await client.response()
  // Both places, and no more than both.
  await eventually(async () => expect(fields((await exchange(port, 'GET /')).lines).limit).toEqual(['"route";r=1']))
})

test('a request that finds no place takes nothing from the other limits', async () => {
  const done = responseText(200, ['Connection: close'])
  const upstream = await rawUpstream(async (wire, number) => {
    await wire.request()
    if (number > 1) wire.send(done)
  })
  const rateLimits = [
    { limit: 1, algorithm: 'concurrency', name: 'places', by: (ctx: Context) => ctx.headers.get('x-held') },
    { limit: 2, ...hour },
  ]
  const { port } = await startGateway(
    proxyTo(upstream.origin, { plugins: [rateLimit()], route: { rateLimit: rateLimits } }),
  )
  const held = await connect(port)
  held.send(requestText('GET /', ['X-Held: a']))
  const backend = await upstream.connection(1)
  for (let request = 0; request < 3; request++) {
    const { status, lines } = await exchange(port, 'GET /', ['X-Held: a'])
    expect([status, fields(lines).limit]).toEqual([429, [expect.stringContaining('"places";r=0')]])
  }
  expect((await exchange(port, 'GET /')).status).toBe(200)
  expect((await exchange(port, 'GET /')).status).toBe(429)
  backend.send(done)
  await held.response()
})

test('a reload keeps what was counted; with another limit, the part that is left', async () => {
  const { gateway, ask, config } = await gatewayWith(
    one([
      { limit: 4, ...hour },
      { limit: 9, algorithm: 'concurrency' },
    ]),
  )
  expect(await admitted(() => ask(), 2)).toBe(2)
  await gateway.reload(config)
  await gateway.reload({ ...config, ...one({ limit: 8, ...hour }) })
  expect(await admitted(() => ask(), 9)).toBe(4)
})

describe('a config is refused:', () => {
  test.each<[unknown, unknown, RegExp]>([
    [undefined, { limit: 1 }, /is missing.*window/],
    [undefined, { limit: 0, window: '1m' }, /limit/],
    [undefined, { limit: 1, window: '1m', algorithm: 'concurrency' }, /concurrency/],
    [undefined, { limit: 1, algorithm: 'concurrency', cost: 2 }, /concurrency/],
    [undefined, { limit: 1, window: '1m', algorithm: 'slidingWindow', burst: 2 }, /tokenBucket/],
    [undefined, { limit: 70_000, window: '1m', algorithm: 'slidingWindow' }, /65535/],
    [undefined, { limit: 1, window: '400d' }, /366d/],
    [undefined, { limit: 1, window: '1m', name: 'a"b' }, /letters/],
    [undefined, { limit: 1, window: '1m', scope: 'service' }, /no service/],
    [undefined, { limit: 1, window: '1m', store: 'nowhere' }, /"nowhere"/],
    [undefined, [1, 2].map(() => ({ limit: 1, window: '1m', name: 'twice' })), /"twice"/],
    [{ limits: [{ limit: 1, window: '1m', store: 'nowhere' }] }, undefined, /"nowhere" is none/],
    [{ store: { redis: { url: 'redis://user:secret@host' } } }, undefined, /options of their own/],
    [{ store: { redis: { tls: {} } } }, undefined, /rediss/],
  ])('%j %j', async (options, route, message) => {
    const routes = { all: { match: 'GET /', reply: ok, ...(route !== undefined && { rateLimit: route }) } }
    const config = defineConfig({ plugins: [rateLimit(options as Options)], routes: routes as never })
    await expect(createGateway(config, { log: silentLog })).rejects.toThrow(message)
  })
})
