import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../config/normalise.ts'
import { ConfigProblems, formatPath } from '../config/problem.ts'
import { defineExtension, definePlugin } from '../contract/plugin.ts'
import { lint } from './lint.ts'

const reply = { status: 200 }
const routes = { r: { match: 'GET /', reply } }

/** `CODE path: message` of each finding; `source` is the text of the config's file. */
async function told(config: object, source = ''): Promise<string[]> {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  const found = await lint({ model, config, sources: () => new Map([['/gateway.config.ts', source]]) })
  return found.map(
    ({ severity, code, path = [], message, line, column }) =>
      `${severity} ${code} ${formatPath(path)}${line === undefined ? '' : ` ${line}:${column}`}: ${message}`,
  )
}

test('a config with nothing to find', async () => {
  expect(await told({ routes })).toEqual([])
})

test('a lint may be silenced or made an error, by its code', async () => {
  const config = { services: { a: { targets: ['http://a'] } }, routes }
  const message = 'CONFIG_UNUSED_SERVICE services.a: no route uses this service: remove it, or route to it'
  expect(await told(config)).toEqual([`warning ${message}`])
  expect(await told({ ...config, lint: { CONFIG_UNUSED_SERVICE: 'off' } })).toEqual([])
  expect(await told({ ...config, lint: { CONFIG_UNUSED_SERVICE: 'error' } })).toEqual([`error ${message}`])
})

test('targets that may show any certificate', async () => {
  const [route, targets] = [{ match: 'GET /', service: 'a' }, ['https://a']]
  const config = { services: { a: { targets, tls: { verify: false } } }, routes: { r: route } }
  expect(await told(config)).toEqual([
    'warning CONFIG_TLS_UNVERIFIED services.a.tls.verify: any certificate is taken, so whoever is on the way reads and answers requests: name an authority in `ca` instead',
  ])
  expect(await told({ ...config, services: { a: { targets, tls: { verify: true } } } })).toEqual([])
})

test('routes that are never chosen, and those that only their names tell apart', async () => {
  const found = await told({
    routes: {
      on: { match: 'ANY /x', headers: { a: true }, reply },
      off: { match: 'ANY /x', headers: { a: false }, reply },
      rest: { match: 'ANY /x', reply },
      y: { match: 'ANY /y', headers: { a: true }, reply },
      z: { match: 'ANY /y', headers: { b: true }, reply },
    },
  })
  expect(found.map(line => line.split(':')[0])).toEqual([
    'warning CONFIG_ROUTE_UNREACHABLE routes.rest.match',
    'warning CONFIG_ROUTE_AMBIGUOUS routes.z.match',
  ])
})

describe('unused plugins', () => {
  const routeOptions = z.union([z.strictObject({}), z.literal(false)])
  const balancer = defineExtension({ point: 'balancer', name: 'own', create: () => ({ pick: all => all[0] }) })
  const byRoute = definePlugin({ name: 'byRoute', routeOptions, setup() {} })()
  const provider = definePlugin({ name: 'provider', extensions: [balancer] })()

  test.each<[string, object, object?]>([
    ['no route names it', { plugins: [byRoute] }],
    ['every route that names it switches it off', { plugins: [byRoute] }, { byRoute: false }],
    ['nobody chose what it provides', { plugins: [provider] }],
    ['it does nothing', { plugins: [definePlugin({ name: 'empty' })()] }],
  ])('%s', async (_, config, route) => {
    const found = await told({ ...config, routes: { r: { ...routes.r, ...route } } })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^warning CONFIG_UNUSED_PLUGIN plugins\[0\]: nothing uses plugin "\w+": remove it, or /)
  })

  test.each<[string, object, object?]>([
    ['a route names it', { plugins: [byRoute] }, { byRoute: {} }],
    ['it works everywhere', { plugins: [definePlugin({ name: 'everywhere', setup() {} })()] }],
    ['it says so', { plugins: [definePlugin({ name: 'sayer', routeOptions, alwaysOn: true, setup() {} })()] }],
    [
      'it may watch over services',
      { plugins: [definePlugin({ name: 'watcher', routeOptions, serviceOptions: routeOptions, setup() {} })()] },
    ],
    [
      'a service chose what it provides',
      { plugins: [provider], services: { s: { targets: ['http://a'], balance: 'own' } } },
      { reply: undefined, service: 's' },
    ],
  ])('not when %s', async (_, config, route) => {
    expect(await told({ ...config, routes: { r: { ...routes.r, ...route } } })).toEqual([])
  })
})

test('a route that names a plugin that holds bodies back and one that streams them', async () => {
  const routeOptions = z.union([z.strictObject({}), z.literal(false)])
  const plugins = [
    definePlugin({ name: 'sse', routeOptions, streams: 'response', setup() {} })(),
    definePlugin({ name: 'rewriteBody', routeOptions, buffersBody: 'response', setup() {} })(),
    definePlugin({ name: 'verify', routeOptions, buffersBody: 'request', setup() {} })(),
    definePlugin({
      name: 'transform',
      options: z.strictObject({ body: z.boolean() }),
      routeOptions: z.strictObject({ body: z.boolean() }),
      alwaysOn: () => true,
      buffersBody: (own, everywhere) => ((own?.body ?? everywhere.body) ? 'response' : undefined),
      setup() {},
    })({ body: false }),
  ]
  const found = await told({
    plugins,
    routes: {
      both: { match: 'GET /a', reply, sse: {}, rewriteBody: {} },
      off: { match: 'GET /b', reply, sse: {}, rewriteBody: false },
      otherWay: { match: 'GET /c', reply, sse: {}, verify: {} },
      byOptions: { match: 'GET /d', reply, sse: {}, transform: { body: true } },
    },
  })
  expect(found).toEqual([
    'warning CONFIG_BUFFERED_STREAM routes.both: plugin "rewriteBody" holds back whole bodies, which plugin "sse" streams here: switch one of them off on this route',
    'warning CONFIG_BUFFERED_STREAM routes.byOptions: plugin "transform" holds back whole bodies, which plugin "sse" streams here: switch one of them off on this route',
  ])
})

describe('required plugins', () => {
  const routeOptions = z.union([z.strictObject({ scopes: z.array(z.string()).optional() }), z.literal(false)])
  const guard = definePlugin({ name: 'guard', routeOptions, setup() {} })
  const always = definePlugin({
    name: 'always',
    options: z.strictObject({ on: z.boolean() }),
    routeOptions,
    alwaysOn: ({ on }) => on,
    setup() {},
  })
  const code = 'CONFIG_ROUTE_WITHOUT_REQUIRED'

  test('a route has to name them, or switch them off', async () => {
    const config = {
      plugins: [guard(), definePlugin({ name: 'everywhere', setup() {} })()],
      require: ['guard', 'everywhere'],
      routes: {
        open: { match: 'GET /open', reply, guard: false },
        shut: { match: 'GET /shut', reply, guard: {} },
        forgotten: { match: 'GET /forgotten', reply },
      },
    }
    expect(await told(config)).toEqual([
      `error ${code} routes.forgotten: the config requires "guard", which is not at work here: give the route its options, or write "guard: false" if it is to go without`,
    ])
  })

  test('but for those that are always on', async () => {
    const found = async (on: boolean) =>
      (await told({ plugins: [always({ on })], require: ['always'], routes })).filter(line => line.includes(code))
    expect(await found(true)).toEqual([])
    expect(await found(false)).toHaveLength(1)
  })
})

test('a pause that a route for uploads allows and its listener does not', async () => {
  const idle = (idle: unknown) => ({ reply, timeout: { idle } })
  const found = await told({
    listen: [
      { port: 8080, name: 'patient', limits: { bodyIdleTimeout: 0 } },
      { port: 8081, limits: { bodyIdleTimeout: '20s' } },
    ],
    timeouts: { idle: '10m' },
    routes: {
      longer: { match: 'POST /a', ...idle('5m') },
      none: { match: 'PUT /b', ...idle(0) },
      shorter: { match: 'POST /c', ...idle('20s') },
      download: { match: 'GET /d', ...idle('5m') },
      unsaid: { match: 'POST /e', reply },
      elsewhere: { match: 'POST /f', listener: 'patient', ...idle('5m') },
    },
  })
  expect(found).toEqual([
    "warning CONFIG_BODY_TIMEOUT routes.longer.timeout.idle: gives a body's pauses 300000 ms, but the listener on port 8081 gives up on a client that pauses for 20000 ms: raise its limits.bodyIdleTimeout, or lower this",
    "warning CONFIG_BODY_TIMEOUT routes.none.timeout.idle: gives a body's pauses any time, but the listener on port 8081 gives up on a client that pauses for 20000 ms: raise its limits.bodyIdleTimeout, or lower this",
  ])
})

describe('secrets', () => {
  const plugin = definePlugin({
    name: 'store',
    options: z.unknown(),
    routeOptions: z.unknown(),
    alwaysOn: true,
    setup() {},
  })
  const random = 'q7Zk2mXw9RtB4vLp'
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLWJ5dGVzLWhlcmU'
  const pem = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n'
  const found = async (options: object, source = JSON.stringify(options)) =>
    (await told({ plugins: [plugin(options)], routes }, source)).filter(line => line.includes('CONFIG_SECRET_LITERAL'))

  test.each<[string, object, string]>([
    ['a private key', { any: pem }, 'a private key'],
    ['a token of a known form', { any: `Bearer ${jwt}` }, 'a JSON Web Token'],
    ["a cloud's key", { any: 'AKIAIOSFODNN7EXAMPLE' }, 'an AWS access key'],
    ["a URL's password", { url: 'redis://:hunter2@cache:6379' }, 'the password of a URL'],
    ['a password', { db: { password: 'hunter2' } }, 'a password'],
    ['a secret of a client', { client_secret: 'hunter2' }, 'a secret'],
    ['a key that looks random', { apiKey: random }, 'a key'],
    ['a header', { headers: { Authorization: `Basic ${random}` } }, 'an authorization'],
  ])('%s', async (_, options, what) => {
    const lines = await found(options)
    expect(lines).toEqual([expect.stringContaining(`holds ${what}, written in the file`)])
    for (const text of [pem, jwt, random, 'hunter2', 'AKIA']) expect(lines[0]).not.toContain(text)
  })

  test.each<[string, object]>([
    ['the path of a key', { key: './certs/server-2024-a1b2c3.pem', tokenFile: '/run/secrets/q7Zk2mXw9RtB4vLp' }],
    ['a reference', { password: '$DB_PASSWORD', secret: 'vault:kv/data/db' }],
    ['names', { key: 'x-forwarded-client-certificate-2', token: 'access_token_v2', publicKey: random }],
    ['a URL without a password', { url: 'https://user@example.com/a:b@c' }],
  ])('not %s', async (_, options) => {
    expect(await found(options)).toEqual([])
  })

  test('not what came from elsewhere', async () => {
    expect(await found({ password: random }, "password: process.env.DB_PASSWORD ?? ''")).toEqual([])
    // Part of another text is not where it is written.
    expect(await found({ password: 'pass' }, "const why = 'password'")).toEqual([])
  })

  test('where they stand: in a call, in a table of routes, under a name, over several lines', async () => {
    const source = `const pw = "${random}"\nconst key = \`${pem}\`\n`
    const config = {
      plugins: [plugin({ password: random })],
      routes: [{ r: { match: 'GET /', reply, store: { pem } } }],
    }
    expect((await told(config, source)).map(line => line.split(': ')[0])).toEqual([
      'warning CONFIG_SECRET_LITERAL plugins[0].password 1:12',
      'warning CONFIG_SECRET_LITERAL routes.r.store.pem 2:13',
    ])
  })

  test('an object that leads back to itself is gone through once', async () => {
    const options: Record<string, unknown> = { password: random }
    options.self = options
    expect(await found(options, `'${random}'`)).toHaveLength(1)
  })
})

test('others have their turn while thousands of routes are looked at, and may call it off', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, i) => [`r${i}`, { match: `GET /${i % 50}/:id/${i}`, reply }]),
  )
  const config = { routes: many, services: { unused: { targets: ['http://a'] } } }
  const { model } = normalise(config)
  if (model === undefined) throw new Error('no model')
  const linted = { model, config, sources: () => new Map<string, string>() }
  let turns = 0
  let done = false
  const counting = (async () => {
    while (!done) {
      await setImmediate()
      turns++
    }
  })()
  const aborted = new AbortController()
  const first = lint(linted, aborted.signal)
  aborted.abort()
  expect(await first).toEqual([])
  expect(await lint(linted)).toHaveLength(1)
  done = true
  await counting
  expect(turns).toBeGreaterThan(2)
})
