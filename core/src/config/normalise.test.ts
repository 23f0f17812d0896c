import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineExtension, definePlugin } from '../contract/plugin.ts'
import { defineSlot } from '../contract/slot.ts'
import { whole } from '../slices.ts'
import { defineConfig, defineGateway } from './define-config.ts'
import type { Model } from './model.ts'
import { normalise, normaliseAfter } from './normalise.ts'
import { formatPath } from './problem.ts'
import { hookShape, routeShape, serviceShape, settingsShape } from './schema.ts'

/** `CODE path: message [hint]` of each problem, warnings with a `~` before. */
const problemsOf = (config: unknown) =>
  normalise(config).problems.map(({ severity, code, path = [], message, hint }) => {
    const mark = severity === 'warning' ? '~' : ''
    return `${mark}${code} ${formatPath(path)}: ${message}${hint === undefined ? '' : ` [${hint}]`}`
  })

function modelOf(config: unknown): Model {
  const { model, problems } = normalise(config)
  expect(problems).toEqual([])
  if (model === undefined) throw new Error('no model')
  return model
}

const user = defineSlot<string>()('normaliseTest.user')
const auth = definePlugin({
  name: 'auth',
  stage: 'identify',
  writes: [user],
  options: z.strictObject({ issuer: z.string(), leeway: z.number().default(5) }),
  routeOptions: z.strictObject({ scopes: z.array(z.string()).default([]) }),
})
const limit = definePlugin({
  name: 'limit',
  stage: 'admit',
  needs: [user],
  routeOptions: z.strictObject({ most: z.number() }),
})
const plain = definePlugin({ name: 'plain' })
const health = definePlugin({ name: 'health', serviceOptions: z.strictObject({ path: z.string() }) })
const tools = definePlugin({
  name: 'tools',
  extensions: [
    defineExtension({ point: 'balancer', name: 'random', create: () => ({ pick: targets => targets[0] }) }),
    defineExtension({
      point: 'balancer',
      name: 'ringHash',
      options: z.strictObject({ replicas: z.number().default(3) }),
      create: () => ({ pick: targets => targets[0] }),
    }),
    defineExtension({
      point: 'discovery',
      name: 'docker',
      options: z.strictObject({ service: z.string() }),
      create: () => ({ watch() {} }),
    }),
    defineExtension({
      point: 'connector',
      name: 'echo',
      create: () => ({ open: () => Promise.reject(new Error('no')) }),
    }),
  ],
})
const a = { targets: ['http://a'] }
const to = (route: object) => ({ services: { a }, routes: { r: { match: 'GET /', service: 'a', ...route } } })

describe('the model', () => {
  test('of the smallest config there is: defaults filled in', () => {
    expect(modelOf({ routes: {} })).toEqual({
      listeners: [expect.objectContaining({ port: 8080, host: undefined, trust: [] })],
      plugins: [],
      require: [],
      lint: {},
      services: [],
      routes: [],
      timeouts: {},
      timeoutStatus: 504,
      drainTimeoutMs: 30_000,
      setupTimeoutMs: 10_000,
      workers: 1,
      files: [],
      log: { level: 'info', access: false },
    })
  })

  test('of a full one: units resolved, options through their schemas, plugins in their order', () => {
    const onRequest = () => undefined
    const model = modelOf(
      defineConfig({
        listen: [
          { port: 80, host: '127.0.0.1' },
          { port: 81, limits: { headSize: '8kb' } },
        ],
        timeouts: { head: '2s' },
        timeoutStatus: 408,
        drainTimeout: '1m',
        log: { level: 'warn', access: true },
        plugins: [limit(), tools(), health(), auth({ issuer: 'i' })],
        services: {
          users: {
            targets: ['http://a', { url: 'http://b', weight: 2 }],
            balance: { use: 'ringHash' },
            connector: 'echo',
            health: { path: '/h' },
            pool: { idleTimeout: '5s' },
            tls: { minVersion: 'TLSv1.3' },
          },
          found: { discover: { use: 'docker', service: 's' } },
        },
        routes: {
          get: {
            match: 'GET /users/:id/*',
            host: ['a.example', '*.b.example'],
            headers: { 'x-a': 'v', 'x-b': /^v/, 'x-c': true, 'x-d': false },
            query: { q: true },
            service: 'users',
            rewrite: '/v2/:id/*',
            timeout: '10s',
            auth: {},
            limit: { most: 5 },
            requestHeaders: { remove: ['cookie'] },
            onRequest,
          },
          any: { match: 'ANY /api/*', service: 'found', stripPrefix: '/api/', timeout: { idle: 7 } },
          old: { match: 'GET /old', redirect: '/new' },
          moved: { match: 'GET /moved/:x', redirect: { to: 'https://other.example/:x', status: 301 } },
          hello: { match: 'GET /hello', reply: { status: 200, body: 'hi' } },
        },
      }),
    )
    expect(model.listeners.map(({ host, port, limits }) => [host, port, limits.headSize])).toEqual([
      ['127.0.0.1', 80, 16_384],
      [undefined, 81, 8_192],
    ])
    expect(model.plugins.map(({ name, position, options }) => [name, position, options])).toEqual([
      ['auth', 3, { issuer: 'i', leeway: 5 }],
      ['limit', 0, undefined],
      ['tools', 1, undefined],
      ['health', 2, undefined],
    ])
    const [users, found] = model.services
    expect(users).toMatchObject({
      name: 'users',
      targets: [
        { url: 'http://a', weight: 1 },
        { url: 'http://b', weight: 2 },
      ],
      balance: { use: 'ringHash', options: { replicas: 3 } },
      connector: { use: 'echo', options: undefined },
      discover: undefined,
      preserveHost: false,
      pool: { idleTimeout: 5_000 },
      options: { health: { path: '/h' } },
    })
    expect(found).toMatchObject({
      targets: [],
      discover: { use: 'docker', options: { service: 's' } },
      balance: { use: 'roundRobin' },
    })
    const [get, any, old, moved, hello] = model.routes
    expect(get).toMatchObject({
      methods: ['GET'],
      hosts: ['a.example', '*.b.example'],
      headers: [
        { name: 'x-a', value: 'v' },
        { name: 'x-b', pattern: /^v/ },
        { name: 'x-c' },
        { name: 'x-d', not: true },
      ],
      query: [{ name: 'q' }],
      action: { kind: 'service', service: 'users', rewrite: '/v2/:id/*' },
      timeouts: { connect: 5_000, head: 2_000, idle: 60_000, total: 10_000 },
      options: { auth: { scopes: [] }, limit: { most: 5 } },
      hooks: { onRequest },
    })
    expect(any).toMatchObject({
      methods: [],
      action: { stripPrefix: '/api' },
      timeouts: { idle: 7, total: 0, head: 2_000 },
    })
    expect(old?.action).toEqual({ kind: 'redirect', to: '/new', status: 308 })
    expect(moved?.action).toEqual({ kind: 'redirect', to: 'https://other.example/:x', status: 301 })
    expect(hello?.action).toEqual({ kind: 'reply', reply: { status: 200, body: 'hi' } })
  })

  test('undefined is as good as absent, everywhere', () => {
    const config = {
      listen: undefined,
      plugins: undefined,
      services: { a: { ...a, discover: undefined, pool: undefined, health: undefined } },
      routes: {
        r: {
          match: 'GET /',
          service: 'a',
          rewrite: undefined,
          redirect: undefined,
          onRequest: undefined,
          timeout: undefined,
        },
      },
      timeouts: undefined,
      log: undefined,
    }
    expect(problemsOf(config)).toEqual([
      `CONFIG_UNKNOWN_KEY services.a.health: unknown key "health" [known: ${Object.keys(serviceShape).join(', ')}]`,
    ])
    expect(problemsOf({ ...config, plugins: [health()] })).toEqual([])
  })

  test('equal inputs make equal models, and the input stays as it was', () => {
    const make = () => ({ plugins: [auth({ issuer: 'i' })], ...to({ auth: { scopes: ['x'] }, timeout: '1s' }) })
    const config = make()
    const before = JSON.stringify(config)
    expect(JSON.stringify(normalise(config))).toBe(JSON.stringify(normalise(make())))
    expect(JSON.stringify(config)).toBe(before)
  })
})

test('a route may take several methods, and says so in its match', () => {
  const { model } = normalise({ routes: { r: { match: 'ANY /a', methods: ['PUT', 'GET'], reply: { status: 200 } } } })
  expect(model?.routes).toMatchObject([{ match: 'PUT,GET /a', methods: ['PUT', 'GET'] }])
})

describe('every problem has a code, a place and a remedy', () => {
  const typo = { name: 'typo', definition: { name: 'typo', stage: 'authorise' } }
  test.each<[string, unknown, string[]]>([
    ['not an object', 5, ['CONFIG_NOT_AN_OBJECT : the config must be an object: export default defineConfig({ … })']],
    ['an array', [], ['CONFIG_NOT_AN_OBJECT : the config must be an object: export default defineConfig({ … })']],
    ['nothing', undefined, ['CONFIG_NOT_AN_OBJECT : the config must be an object: export default defineConfig({ … })']],
    ['no routes', {}, ['CONFIG_NO_ROUTES routes: the config has no routes']],
    [
      'a wrong key',
      { lisen: {}, routes: {} },
      ['CONFIG_UNKNOWN_KEY lisen: unknown key "lisen" [did you mean "listen"?]'],
    ],
    [
      'a strange key',
      { colours: {}, routes: {} },
      [
        `CONFIG_UNKNOWN_KEY colours: unknown key "colours" [known: ${[...Object.keys(settingsShape), 'plugins', 'services', 'routes'].join(', ')}]`,
      ],
    ],
    ['listen: null', { listen: null, routes: {} }, ['CONFIG_INVALID_VALUE listen: must be an object, not null']],
    [
      'a listener',
      { listen: [{ port: 1 }, 5], routes: {} },
      ['CONFIG_INVALID_VALUE listen[1]: must be an object, not 5'],
    ],
    [
      'a port twice',
      { listen: [{ port: 1 }, { port: 2 }, { port: 1 }], routes: {} },
      ['CONFIG_DUPLICATE_LISTENER listen[2]: *:1 is listened on twice: leave one out'],
    ],
    [
      'names of listeners',
      {
        listen: [
          { port: 1, name: 'a' },
          { port: 2, name: 'a' },
          { port: 3, exclusive: true },
        ],
        routes: {
          one: { match: 'GET /', listener: 'b', reply: { status: 200 } },
          two: { match: 'GET /2', listener: ['a', 'aa'], reply: { status: 200 } },
        },
      },
      [
        'CONFIG_DUPLICATE_LISTENER listen[1].name: two listeners have the name "a": rename one',
        'CONFIG_LISTENER_NAME listen[2].exclusive: leaves only routes that name the listener, and it has no name',
        'CONFIG_UNKNOWN_LISTENER routes.one.listener: there is no listener "b" [known: a]',
        'CONFIG_UNKNOWN_LISTENER routes.two.listener[1]: there is no listener "aa" [did you mean "a"?]',
      ],
    ],
    [
      'a name of blanks',
      { listen: { port: 1, name: 'a b' }, routes: {} },
      ['CONFIG_INVALID_VALUE listen.name: must be of letters, digits, "_", "-" and ".", unlike "a b"'],
    ],
    [
      'a route that no listener serves',
      {
        listen: { port: 1, name: 'a', exclusive: true },
        routes: { one: { match: 'GET /', reply: { status: 200 } } },
      },
      ["CONFIG_ROUTE_LISTENER routes.one: names no listener, and all of them are exclusive: add listener: 'a'"],
    ],
    [
      'the log level',
      { log: { level: 'inof' }, routes: {} },
      [
        'CONFIG_INVALID_VALUE log.level: must be "debug", "info", "warn", "error" or "silent", not "inof" [did you mean "info"?]',
      ],
    ],
    [
      'the timeout status',
      { timeoutStatus: 500, routes: {} },
      ['CONFIG_INVALID_VALUE timeoutStatus: must be 504 or 408, not 500'],
    ],
    [
      'a drain time too long',
      { drainTimeout: '30d', routes: {} },
      ['CONFIG_INVALID_VALUE drainTimeout: must be at most 1d'],
    ],
    [
      'timeouts',
      { timeouts: { head: '5x' }, routes: {} },
      [`CONFIG_INVALID_VALUE timeouts.head: must be a duration, such as 250 (milliseconds), '10s' or '1m', not "5x"`],
    ],

    ['plugins', { plugins: {}, routes: {} }, ['CONFIG_INVALID_VALUE plugins: must be an array of plugins']],
    [
      'a plugin not called',
      { plugins: [plain(), plain], routes: {} },
      ['CONFIG_NOT_A_PLUGIN plugins[1]: is a plugin that was not called: write it with parentheses'],
    ],
    [
      'not a plugin',
      { plugins: ['plain'], routes: {} },
      ['CONFIG_NOT_A_PLUGIN plugins[0]: is not a plugin: call what definePlugin returned'],
    ],
    [
      'a hole',
      { plugins: new Array(1), routes: {} },
      ['CONFIG_NOT_A_PLUGIN plugins[0]: is not a plugin: call what definePlugin returned'],
    ],
    [
      'a plugin twice',
      { plugins: [plain(), plain()], routes: {} },
      ['CONFIG_DUPLICATE_PLUGIN plugins[1]: plugin "plain" is listed twice: leave one out'],
    ],
    [
      'a name of ours',
      { plugins: [definePlugin({ name: 'service' as string })()], routes: {} },
      [
        'CONFIG_RESERVED_NAME plugins[0]: "service" is a field of a route or service and cannot name a plugin: choose another name',
      ],
    ],
    [
      'a hook for a name',
      { plugins: [definePlugin({ name: 'onRequest' as string })()], routes: {} },
      [
        'CONFIG_RESERVED_NAME plugins[0]: "onRequest" is a field of a route or service and cannot name a plugin: choose another name',
      ],
    ],
    [
      'a name that is none',
      { plugins: [definePlugin({ name: 'my-plugin' })()], routes: {} },
      ['CONFIG_INVALID_PLUGIN plugins[0]: plugin "my-plugin": name must be camelCase, of letters and digits'],
    ],
    [
      'an unknown stage',
      { plugins: [typo], routes: {} },
      [
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "typo": stage must be "guard", "identify", "authorize", "admit" or "shape", not "authorise" [did you mean "authorize"?]',
      ],
    ],
    [
      'options that are no schema',
      { plugins: [{ name: 'p', definition: { name: 'p', options: {}, routeOptions: 5 } }], routes: {} },
      [
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": options must be a Standard Schema (standardschema.dev), as zod, valibot and others make them',
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": routeOptions must be a Standard Schema',
      ],
    ],
    [
      'slots that are none',
      { plugins: [{ name: 'p', definition: { name: 'p', needs: ['user'], writes: 5 } }], routes: {} },
      [
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": writes must be an array, not 5',
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": needs.0 must be a slot: use defineSlot',
      ],
    ],
    [
      'extensions that are none',
      {
        plugins: [
          { name: 'p', definition: { name: 'p', extensions: [5, { point: 'balancr', name: 'x', create() {} }] } },
        ],
        routes: {},
      },
      [
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": extensions.0 must be an extension: use defineExtension',
        'CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": extensions.1.point must be "balancer", "connector" or "discovery", not "balancr" [did you mean "balancer"?]',
      ],
    ],
    [
      'a setup that is none',
      { plugins: [{ name: 'p', definition: { name: 'p', setup: 5 } }], routes: {} },
      ['CONFIG_INVALID_PLUGIN plugins[0]: plugin "p": setup must be a function'],
    ],
    [
      'options missing',
      { plugins: [{ ...plain(), definition: auth({ issuer: 'i' }).definition, name: 'auth' }], routes: {} },
      ['CONFIG_INVALID_VALUE plugins[0].issuer: is missing: it must be a string'],
    ],
    [
      'options wrong',
      { plugins: [{ ...auth({ issuer: 'i' }), options: { issuer: 5, isuer: 1 } }], routes: {} },
      [
        'CONFIG_INVALID_VALUE plugins[0].issuer: must be a string, not 5',
        'CONFIG_UNKNOWN_KEY plugins[0].isuer: unknown key "isuer" [did you mean "issuer"?]',
      ],
    ],
    [
      'options not wanted',
      { plugins: [{ ...plain(), options: {} }], routes: {} },
      ['CONFIG_INVALID_VALUE plugins[0]: plugin "plain" takes no options: leave them out'],
    ],
    [
      'a slot unwritten',
      { plugins: [limit()], routes: {} },
      [
        'CONFIG_SLOT_NOT_WRITTEN plugins[0]: plugin "limit" needs slot "normaliseTest.user", which no plugin writes [add the plugin that writes it]',
      ],
    ],
    [
      'an extension twice',
      {
        plugins: [
          tools(),
          definePlugin({
            name: 'more',
            extensions: [defineExtension({ point: 'balancer', name: 'random', create: () => ({ pick: t => t[0] }) })],
          })(),
        ],
        routes: {},
      },
      [
        'CONFIG_DUPLICATE_EXTENSION plugins[1]: plugin "more" provides the balancer "random", as does plugin "tools": one of them has to go',
      ],
    ],
    [
      'an extension of ours',
      {
        plugins: [
          definePlugin({
            name: 'more',
            extensions: [
              defineExtension({ point: 'balancer', name: 'roundRobin', create: () => ({ pick: t => t[0] }) }),
            ],
          })(),
        ],
        routes: {},
      },
      [
        'CONFIG_DUPLICATE_EXTENSION plugins[0]: plugin "more" provides the balancer "roundRobin", as does the gateway itself: one of them has to go',
      ],
    ],

    ['services', { services: [], routes: {} }, ['CONFIG_INVALID_VALUE services: must be an object: { name: { … } }']],
    [
      'a service',
      { services: { a: 'http://a' }, routes: {} },
      ['CONFIG_INVALID_VALUE services.a: must be an object, not a string'],
    ],
    [
      'no targets',
      { services: { a: {} }, routes: { r: { match: 'GET /', service: 'a' } } },
      ['CONFIG_SERVICE_TARGETS services.a.targets: has no targets: list some, or choose a provider with "discover"'],
    ],
    [
      'targets and discover',
      {
        plugins: [tools()],
        services: { a: { ...a, discover: { use: 'docker', service: 's' } } },
        routes: { r: { match: 'GET /', service: 'a' } },
      },
      ['CONFIG_SERVICE_TARGETS services.a.targets: has both targets and discover: choose one'],
    ],
    [
      'a balancer',
      {
        plugins: [tools()],
        services: { a: { ...a, balance: 'randm' } },
        routes: { r: { match: 'GET /', service: 'a' } },
      },
      ['CONFIG_UNKNOWN_BALANCER services.a.balance: no plugin provides the balancer "randm" [did you mean "random"?]'],
    ],
    [
      'a connector',
      { services: { a: { ...a, connector: 'echo' } }, routes: { r: { match: 'GET /', service: 'a' } } },
      [
        'CONFIG_UNKNOWN_CONNECTOR services.a.connector: no plugin provides the connector "echo" [add the plugin that provides it]',
      ],
    ],
    [
      'discovery',
      {
        plugins: [tools()],
        services: { a: { discover: { use: 'consul' } } },
        routes: { r: { match: 'GET /', service: 'a' } },
      },
      ['CONFIG_UNKNOWN_DISCOVERY services.a.discover: no plugin provides the discovery "consul" [known: docker]'],
    ],
    [
      'options of an extension',
      {
        plugins: [tools()],
        services: { a: { ...a, balance: { use: 'ringHash', replicsa: 3 } } },
        routes: { r: { match: 'GET /', service: 'a' } },
      },
      ['CONFIG_UNKNOWN_KEY services.a.balance.replicsa: unknown key "replicsa" [did you mean "replicas"?]'],
    ],
    [
      'options that a name alone lacks',
      { plugins: [tools()], services: { a: { discover: 'docker' } }, routes: { r: { match: 'GET /', service: 'a' } } },
      ['CONFIG_INVALID_VALUE services.a.discover.service: is missing: it must be a string'],
    ],
    [
      'options that nobody takes',
      {
        plugins: [tools()],
        services: {
          a: { ...a, balance: { use: 'random', seed: 1 } },
          b: { ...a, balance: { use: 'roundRobin', seed: 1 } },
        },
        routes: { r: { match: 'GET /', service: 'a' }, s: { match: 'GET /s', service: 'b' } },
      },
      [
        'CONFIG_UNKNOWN_KEY services.a.balance.seed: unknown key "seed" [known: use]',
        'CONFIG_UNKNOWN_KEY services.b.balance.seed: unknown key "seed" [known: use]',
      ],
    ],
    [
      'options of a plugin',
      {
        plugins: [health()],
        services: { a: { ...a, health: { pth: '/' } } },
        routes: { r: { match: 'GET /', service: 'a' } },
      },
      [
        'CONFIG_INVALID_VALUE services.a.health.path: is missing: it must be a string',
        'CONFIG_UNKNOWN_KEY services.a.health.pth: unknown key "pth" [did you mean "path"?]',
      ],
    ],

    ['routes', { routes: 5 }, ['CONFIG_INVALID_VALUE routes: must be an object: { name: { … } }']],
    ['routes: null', { routes: null }, ['CONFIG_INVALID_VALUE routes: must be an object: { name: { … } }']],
    ['a route', { routes: { r: 'GET /' } }, ['CONFIG_INVALID_VALUE routes.r: must be an object, not a string']],
    [
      'a key of a route',
      to({ rewrit: '/' }),
      ['CONFIG_UNKNOWN_KEY routes.r.rewrit: unknown key "rewrit" [did you mean "rewrite"?]'],
    ],
    [
      'a plugin that is not there',
      to({ auth: {} }),
      [
        `CONFIG_UNKNOWN_KEY routes.r.auth: unknown key "auth" [known: ${Object.keys({ ...routeShape, ...hookShape }).join(', ')}]`,
      ],
    ],
    [
      'an option of a plugin',
      { plugins: [auth({ issuer: 'i' })], ...to({ auth: { scope: 'x' } }) },
      ['CONFIG_UNKNOWN_KEY routes.r.auth.scope: unknown key "scope" [did you mean "scopes"?]'],
    ],
    ['a hook', to({ onRequest: 'x' }), ['CONFIG_INVALID_VALUE routes.r.onRequest: must be a function']],
    [
      'no match',
      { routes: { r: { reply: { status: 200 } } } },
      ["CONFIG_INVALID_VALUE routes.r.match: is missing: write method and path, such as 'GET /users/:id'"],
    ],
    [
      'a match',
      to({ match: '/users' }),
      [`CONFIG_INVALID_MATCH routes.r.match: must be method and path, such as 'GET /users/:id', not "/users"`],
    ],
    [
      'a method',
      to({ match: 'GTE /' }),
      ['CONFIG_UNKNOWN_METHOD routes.r.match: unknown method "GTE" [did you mean "GET"?]'],
    ],
    [
      'a method in lower case',
      to({ match: 'get /' }),
      ['CONFIG_UNKNOWN_METHOD routes.r.match: unknown method "get" [did you mean "GET"?]'],
    ],
    [
      'a method in match and in methods',
      to({ match: 'GET /a', methods: ['PUT'] }),
      ['CONFIG_INVALID_MATCH routes.r.methods: names a method, as "match" does: write "ANY /a" there'],
    ],
    [
      'an unknown method in methods',
      to({ match: 'ANY /a', methods: ['PTU'] }),
      [expect.stringMatching(/^CONFIG_INVALID_VALUE routes\.r\.methods\[0\]: must be .*\[did you mean "PUT"\?\]$/)],
    ],
    [
      'a path',
      to({ match: 'GET /a//b' }),
      ['CONFIG_INVALID_PATH routes.r.match: an empty segment matches nothing: leave one slash out'],
    ],
    [
      'a host',
      to({ host: 'a.example:80' }),
      ['CONFIG_INVALID_HOST routes.r.host: routes do not look at the port: leave it out'],
    ],
    [
      'a host of several',
      to({ host: ['a', 'b*'] }),
      ['CONFIG_INVALID_HOST routes.r.host[1]: "*" stands for whole labels at the front: write "*.example.com"'],
    ],
    [
      'no action',
      { routes: { r: { match: 'GET /' } } },
      ['CONFIG_ROUTE_ACTION routes.r: goes nowhere: give it a service, a redirect or a reply'],
    ],
    [
      'two actions',
      to({ reply: { status: 200 } }),
      ['CONFIG_ROUTE_ACTION routes.r: has service and reply: choose one'],
    ],
    [
      'an unknown service',
      {
        services: { users: a },
        routes: { r: { match: 'GET /', service: 'usrs' }, s: { match: 'GET /s', service: 'users' } },
      },
      ['CONFIG_UNKNOWN_SERVICE routes.r.service: there is no service "usrs" [did you mean "users"?]'],
    ],
    [
      'a service named like what every object has',
      to({ service: 'constructor' }),
      ['CONFIG_UNKNOWN_SERVICE routes.r.service: there is no service "constructor" [known: a]'],
    ],
    [
      'a rewrite',
      to({ match: 'GET /u/:id', rewrite: '/x/:idd' }),
      ['CONFIG_INVALID_TEMPLATE routes.r.rewrite: "/u/:id" has no parameter ":idd" [did you mean "id"?]'],
    ],
    [
      'rewrite and stripPrefix',
      to({ match: 'GET /u/*', rewrite: '/*', stripPrefix: '/u' }),
      ['CONFIG_ROUTE_ACTION routes.r.stripPrefix: has rewrite and stripPrefix: choose one'],
    ],
    [
      'a prefix',
      to({ match: 'GET /users/*', stripPrefix: '/user' }),
      ['CONFIG_INVALID_PREFIX routes.r.stripPrefix: "/user" is not the beginning of "/users/*"'],
    ],
    [
      'a rewrite that goes nowhere',
      { routes: { r: { match: 'GET /', redirect: '/x', rewrite: '/y' } } },
      ['CONFIG_ROUTE_ACTION routes.r.rewrite: rewrites a path, but goes to no service'],
    ],
    [
      'a redirect',
      { routes: { r: { match: 'GET /', redirect: 'new' } } },
      ['CONFIG_INVALID_REDIRECT routes.r.redirect: must be a path or an http(s) URL, not "new"'],
    ],
    [
      'a redirect to a host',
      { routes: { r: { match: 'GET /', redirect: { to: '//evil' } } } },
      ['CONFIG_INVALID_REDIRECT routes.r.redirect.to: must be a path or an http(s) URL, not "//evil"'],
    ],
    [
      'a parameter of a redirect',
      { routes: { r: { match: 'GET /:id', redirect: 'https://x/:i' } } },
      ['CONFIG_INVALID_TEMPLATE routes.r.redirect: "/:id" has no parameter ":i" [did you mean "id"?]'],
    ],
    [
      'two routes for the same',
      {
        routes: {
          a: { match: 'GET /x/:a', reply: { status: 200 } },
          b: { match: 'GET /x/:b', reply: { status: 200 } },
        },
      },
      ['CONFIG_ROUTE_DUPLICATE routes.b.match: asks for exactly what route "a" asks for: remove one of them'],
    ],
  ])('%s', (_name, config, expected) => {
    expect(problemsOf(config)).toEqual(expected)
  })
})

describe('many problems at once', () => {
  test('all of them, in the order of the config', () => {
    const told = problemsOf({
      lisen: {},
      listen: { port: 'x' },
      plugins: [auth({ issuer: 'i' }), { ...limit() }, 5],
      services: { a: {}, b: { targets: ['x'] } },
      routes: { one: { match: 'GTE /' }, two: { match: 'GET /', service: 'b', limit: { most: 'x' } } },
    })
    expect(told.map(line => line.split(':')[0])).toEqual([
      'CONFIG_UNKNOWN_KEY lisen',
      'CONFIG_INVALID_VALUE listen.port',
      'CONFIG_NOT_A_PLUGIN plugins[2]',
      'CONFIG_SERVICE_TARGETS services.a.targets',
      'CONFIG_INVALID_VALUE services.b.targets[0]',
      'CONFIG_UNKNOWN_METHOD routes.one.match',
      'CONFIG_ROUTE_ACTION routes.one',
      'CONFIG_INVALID_VALUE routes.two.limit.most',
    ])
  })

  test('a wrong service is not reported again by the routes that use it', () => {
    const routes = { r: { match: 'GET /', service: 'a' }, s: { match: 'GET /s', service: 'a' } }
    expect(problemsOf({ services: { a: { targets: 5 } }, routes })).toEqual([
      'CONFIG_INVALID_VALUE services.a.targets: must be an array, not 5',
    ])
    expect(problemsOf({ services: 5, routes })).toHaveLength(1)
  })

  test('a plugin that could not be read is not reported again where its options and extensions stand', () => {
    const config = {
      services: { a: { ...a, balance: 'random', health: {} } },
      routes: { r: { match: 'GET /', service: 'a', auth: {} } },
    }
    expect(problemsOf({ ...config, plugins: [auth] })).toEqual([
      'CONFIG_NOT_A_PLUGIN plugins[0]: is a plugin that was not called: write it with parentheses',
    ])
  })
})

test('a plugin that is required has to be there', () => {
  const guard = definePlugin({ name: 'guard', setup() {} })
  expect(problemsOf({ plugins: [guard()], require: ['gaurd'], routes: {} })).toEqual([
    'CONFIG_UNKNOWN_PLUGIN require[0]: there is no plugin "gaurd" in plugins [did you mean "guard"?]',
  ])
  expect(problemsOf({ plugins: [guard()], require: 'guard', routes: {} })).toEqual([
    'CONFIG_INVALID_VALUE require: must be an array, not a string',
  ])
})

test('a lint has a code that is known, and a level', () => {
  expect(problemsOf({ routes: {}, lint: { CONFIG_UNUSED_SERVICE: 'off' } })).toEqual([])
  expect(problemsOf({ routes: {}, lint: { CONFIG_UNUSED_SERVICE: 'of', CONFIG_UNUSED: 'off' } })).toHaveLength(2)
})

test('TLS below 1.2 cannot be asked for', () => {
  const listen = { port: 0, tls: { cert: 'c', key: 'k', minVersion: 'TLSv1.1' } }
  expect(problemsOf({ listen, routes: {} })).toContainEqual(
    `CONFIG_INVALID_VALUE listen.tls.minVersion: must be "TLSv1.2" or "TLSv1.3", not "TLSv1.1" [did you mean "TLSv1.2"?]`,
  )
})

describe('the split form', () => {
  const gateway = defineGateway({ plugins: [auth({ issuer: 'i' })], services: { a } })
  const users = gateway.routes({ getUser: { match: 'GET /users/:id', service: 'a', auth: {} } })
  const orders = gateway.routes({ getOrder: { match: 'GET /orders/:id', service: 'a' } })

  test('is the same model as the whole one', () => {
    const whole = defineConfig({
      plugins: [auth({ issuer: 'i' })],
      services: { a },
      routes: {
        getUser: { match: 'GET /users/:id', service: 'a', auth: {} },
        getOrder: { match: 'GET /orders/:id', service: 'a' },
      },
    })
    expect(modelOf(gateway.config(users, orders))).toEqual(modelOf(whole))
  })

  test('no table at all is no route', () => {
    expect(modelOf(defineGateway({}).config()).routes).toEqual([])
  })

  test('a name that two tables share is refused', () => {
    const again = gateway.routes({ getUser: { match: 'POST /users', service: 'a' } })
    expect(problemsOf(gateway.config(users, orders, again))).toEqual([
      'CONFIG_DUPLICATE_ROUTE routes.getUser: two tables have a route "getUser": rename one',
    ])
  })

  test('a table that is none is refused', () => {
    expect(problemsOf({ routes: [{}, 5, null] })).toEqual([
      'CONFIG_INVALID_VALUE routes: must be an object: { name: { … } }',
      'CONFIG_INVALID_VALUE routes: must be an object: { name: { … } }',
    ])
  })
})

describe('names that every object has', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']

  test.each(names)('%j names a service and a route like any other', name => {
    const json = JSON.stringify(to({}))
      .replaceAll('"a":', `${JSON.stringify(name)}:`)
      .replace('"service":"a"', `"service":${JSON.stringify(name)}`)
    const model = modelOf(JSON.parse(json.replace('"r":', `${JSON.stringify(name)}:`)))
    expect(model.services.map(service => service.name)).toEqual([name])
    expect(model.routes.map(route => [route.name, route.action])).toMatchObject([[name, { service: name }]])
  })

  test.each(names)('%j is an unknown key of a config, a route and a service', name => {
    const json = (value: string) => JSON.parse(value.replaceAll('NAME', name))
    for (const config of [
      json('{"routes":{},"NAME":{}}'),
      json('{"services":{"a":{"targets":["http://a"],"NAME":{}}},"routes":{"r":{"match":"GET /","service":"a"}}}'),
      json('{"routes":{"r":{"match":"GET /","reply":{"status":200},"NAME":{}}}}'),
    ]) {
      expect(normalise(config).problems.map(({ code, path }) => [code, path?.at(-1)])).toEqual([
        ['CONFIG_UNKNOWN_KEY', name],
      ])
    }
  })

  test('a plugin may bear one', () => {
    const plugin = definePlugin({ name: 'constructor' as string, routeOptions: z.object({ x: z.number() }) })
    const route = (options: object) => ({ plugins: [plugin()], ...to(options) })
    expect(modelOf(route({})).routes[0]?.options).toEqual({})
    expect(modelOf(route({ constructor: { x: 1 } })).routes[0]?.options).toEqual({ constructor: { x: 1 } })
    expect(problemsOf({ ...route({}), plugins: [{ name: '__proto__', definition: { name: '__proto__' } }] })).toEqual([
      'CONFIG_INVALID_PLUGIN plugins[0]: plugin "__proto__": name must be camelCase, of letters and digits',
    ])
  })
})

describe('whatever comes in', () => {
  const odd = fc.oneof(
    fc.constantFrom(null, undefined, 0, -1, '', 'x', true, Number.NaN, 10n, Symbol('x')),
    fc.constantFrom(
      [],
      {},
      [null],
      [[]],
      { a: null },
      new Date(0),
      /x/,
      new Map(),
      () => {},
      Promise.resolve(),
      Object.create(null),
    ),
    fc.jsonValue(),
    fc.anything(),
  )

  test('it never throws, and says something of whatever it refuses', () => {
    fc.assert(
      fc.property(odd, config => {
        const { model, problems } = normalise(config)
        expect(model === undefined).toBe(problems.some(({ severity }) => severity === 'error'))
      }),
      { numRuns: 500 },
    )
  })

  test('it never throws with something odd in any one place of a good config', () => {
    const make = (): Record<string, unknown> => ({
      listen: [{ port: 80, trust: ['::1'], limits: { headSize: 500 }, paths: { dotSegments: 'refuse' } }],
      timeouts: { head: 5 },
      log: { level: 'info' },
      plugins: [
        {
          name: 'p',
          definition: {
            name: 'p',
            stage: 'guard',
            writes: [user],
            needs: [user],
            options: z.object({}),
            routeOptions: z.object({ x: z.number() }),
            extensions: [{ point: 'balancer', name: 'b', options: z.object({}), create() {} }],
            setup() {},
          },
          options: {},
        },
      ],
      services: {
        a: {
          targets: [{ url: 'http://a', weight: 1 }],
          balance: { use: 'b' },
          discover: 'd',
          pool: { queue: 1 },
          tls: { ca: '' },
        },
      },
      routes: {
        r: {
          match: 'GET /:x',
          host: ['h'],
          headers: { a: 'b' },
          query: { a: true },
          service: 'a',
          rewrite: '/',
          timeout: { idle: 1 },
          p: { x: 1 },
          requestHeaders: { set: { a: 'b' }, remove: ['a'] },
        },
        s: { match: 'GET /s', redirect: { to: '/', status: 301 } },
        t: { match: 'GET /t', reply: { status: 200, headers: { a: ['b'] }, body: '' } },
      },
    })
    const places: string[][] = []
    const walk = (value: unknown, path: string[]) => {
      places.push(path)
      if (typeof value === 'object' && value !== null && !('~standard' in value)) {
        for (const key of Object.keys(value)) walk(Reflect.get(value, key), [...path, key])
      }
    }
    walk(make(), [])
    expect(places.length).toBeGreaterThan(80)
    fc.assert(
      fc.property(fc.constantFrom(...places.slice(1)), odd, (path, value) => {
        const config = make()
        let at: object = config
        for (const key of path.slice(0, -1)) at = Reflect.get(at, key) as object
        Reflect.set(at, path.at(-1) ?? '', value)
        const { model, problems } = normalise(config)
        expect(model === undefined).toBe(problems.some(({ severity }) => severity === 'error'))
      }),
      { numRuns: 2_000 },
    )
  })

  test('10,000 routes and 1,000 services are a matter of course', () => {
    const services = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`s${i}`, a]))
    const routes = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [
        `r${i}`,
        { match: `GET /r${i}/:id`, service: `s${i % 1_000}`, rewrite: '/:id' },
      ]),
    )
    expect(modelOf({ services, routes }).routes).toHaveLength(10_000)
  })
})

describe('after another config', () => {
  const limits = (schema: z.ZodType = z.strictObject({ most: z.int() })) =>
    definePlugin({ name: 'limits', routeOptions: schema })
  const kept = limits()
  const config = ({ limit = 1, label = '/a', plugin = kept }, more: object = {}) => ({
    plugins: [plugin()],
    services: { a: { targets: ['http://a'] }, b: { targets: ['http://b'], pool: { queue: limit } } },
    routes: {
      a: { match: 'GET /a/:id', service: 'a', rewrite: label },
      b: { match: 'GET /b', service: 'b', headers: { 'x-a': /x/ }, limits: { most: limit } },
    },
    ...more,
  })
  const pair = (first: unknown, second: unknown) => {
    const before = normalise(first)
    return { before, after: whole(normaliseAfter(before, second)) }
  }
  /** What is another object in the second model. */
  const differences = (first: unknown, second: unknown) => {
    const { before, after } = pair(first, second)
    const parts = ['plugins', 'services', 'routes'] as const
    return parts.flatMap(part =>
      (after.model?.[part] ?? []).flatMap((item, i) =>
        item === before.model?.[part][i] ? [] : `${part}.${item.name}`,
      ),
    )
  }

  test('an equal one is the same model', () => {
    const { before, after } = pair(config({}), config({}))
    expect(before.model).toBeDefined()
    expect(after.model).toBe(before.model)
  })

  test.each<[string, unknown, string[]]>([
    ['a route', config({ label: '/b' }), ['routes.a']],
    ['a service and options of a plugin', config({ limit: 2 }), ['services.b', 'routes.b']],
    ['a plugin that was loaded anew', config({ plugin: limits() }), ['plugins.limits']],
    [
      'a plugin that makes something else of its options',
      config({ plugin: limits(z.strictObject({ most: z.int().transform(most => most + 1) })) }),
      ['plugins.limits', 'routes.b'],
    ],
    ['the time limits of all routes', config({}, { timeouts: { head: '1s' } }), ['routes.a', 'routes.b']],
    ['a setting', config({}, { timeoutStatus: 408 }), []],
  ])('that differs in %s shares the rest', (_, second, parts) => {
    const { before, after } = pair(config({}), second)
    expect(after.model).not.toBe(before.model)
    expect(differences(config({}), second)).toEqual(parts)
    // Whatever is shared, the model is what it would be had it been read alone.
    expect(after.model).toEqual(normalise(second).model)
  })

  test.each<[string, unknown]>([
    ['a service that went', { ...config({}), services: { b: { targets: ['http://b'] } } }],
    ['a plugin that went', { ...config({}), plugins: [] }],
    ['a plugin that takes no options any more', { ...config({}), plugins: [definePlugin({ name: 'limits' })()] }],
    ['a plugin that refuses its options now', config({ plugin: limits(z.strictObject({ most: z.int().max(0) })) })],
    ['an equal route twice', { ...config({}), routes: [config({}).routes, config({}).routes] }],
    ['a conflict', { ...config({}), routes: { ...config({}).routes, c: { match: 'GET /a/:x', service: 'a' } } }],
  ])('what was right before is wrong with %s', (_, second) => {
    const { after } = pair(config({}), second)
    expect(after.model).toBeUndefined()
    expect(after.problems).toEqual(normalise(second).problems)
  })

  test('a config that was changed in place is another one', () => {
    const mutable = config({})
    const before = normalise(mutable)
    mutable.routes.b.limits.most = 5
    const after = whole(normaliseAfter(before, mutable))
    expect(before.model?.routes[1]?.options.limits).toEqual({ most: 1 })
    expect(after.model?.routes[1]?.options.limits).toEqual({ most: 5 })
  })
})
