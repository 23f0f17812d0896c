import { createGateway, definePlugin, type ExplainRequest, type Gateway, silentLog } from '@gateway/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startUpstream } from '../../../test/support/upstream.ts'
import { normalise } from '../config/normalise.ts'
import { explain, routingOf } from './explain.ts'

async function gatewayOf(config: object): Promise<Gateway> {
  const gateway = await createGateway(config, { log: silentLog })
  onTestFinished(() => gateway.close())
  return gateway
}

/** As from a file: nothing runs. */
function explainOffline(config: object, request: ExplainRequest) {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new Error(JSON.stringify(problems))
  return explain(model, routingOf(model), request)
}

const users = { targets: ['http://127.0.0.1:3001', { url: 'http://127.0.0.1:3002', weight: 2 }] }
const reply = { status: 204 }

const routes = {
  any: { match: 'ANY /users/*', reply },
  user: { match: 'GET /users/:id', service: 'users', rewrite: '/v2/:id' },
  gold: { match: 'GET /users/:id', headers: { 'X-Tier': 'gold', 'X-API-Key': 's3cret' }, reply },
  beta: { match: 'GET /users/:id', query: { beta: true }, reply },
  json: { match: 'GET /users/:id', headers: { accept: /json/ }, reply },
  create: { match: 'POST /users/:id', reply },
  admin: { match: 'GET /users/:id', host: ['admin.test', '*.admin.test'], reply },
  old: { match: 'GET /u/:id', redirect: '/users/:id' },
  list: { match: 'GET /list', reply: { status: 200, headers: { 'set-cookie': 'a=b', 'x-a': '1' } } },
  folder: { match: 'GET /folder/', reply },
  posted: { match: 'POST /posted', reply },
}
const config = { services: { users }, routes }

/** Requests with what the gateway answers them with. */
const answers: readonly (readonly [status: number, method: string, url: string, headers?: Record<string, string>])[] = [
  [204, 'GET', '/users/7?beta'],
  [204, 'GET', '/users/7', { accept: 'application/json' }],
  [204, 'GET', '/users/7', { 'x-tier': 'gold', 'x-api-key': 's3cret' }],
  [204, 'DELETE', '/users/7'],
  [204, 'GET', 'http://a.admin.test/users/7'],
  [308, 'HEAD', '/u/7?x=1'],
  [200, 'GET', '/list'],
  [404, 'GET', '/list/'],
  [404, 'GET', '/folder'],
  [404, 'GET', '/nowhere'],
  [405, 'PUT', '/list'],
  [405, 'GET', '/posted'],
  [400, 'GET', '/a%2Fb'],
  [400, 'GET', '/a%00'],
]

test('explains what the gateway does', async () => {
  const gateway = await gatewayOf(config)
  for (const [status, method, url, headers = {}] of answers) {
    const response = await gateway.fetch(new URL(url, 'http://localhost'), { method, headers, redirect: 'manual' })
    const { refusal, route } = gateway.explain({ method, url, headers: Object.entries(headers) })
    const action = route?.action
    const explained = refusal?.status ?? (action !== undefined && 'status' in action ? action.status : undefined)
    expect([method, url, response.status, explained]).toEqual([method, url, status, status])
    if (action?.kind === 'redirect') expect(action.location).toBe(response.headers.get('location'))
    if (refusal?.allow !== undefined) expect(refusal.allow.join(', ')).toBe(response.headers.get('allow'))
    if (refusal !== null) expect((await response.json()) as object).toMatchObject({ code: refusal.code })
  }
})

describe('candidates', () => {
  test('each with the first thing that it asks for in vain, those for other hosts last', () => {
    const { candidates } = explainOffline(config, {
      method: 'GET',
      url: '/users/7',
      headers: [
        ['X-Tier', 'gold'],
        ['X-API-Key', 'guess'],
      ],
    })
    expect(candidates.map(({ route, failed, verdict }) => [route, failed ?? verdict])).toEqual([
      ['gold', { what: 'header', name: 'x-api-key', wants: '"[redacted]"', got: '[redacted]' }],
      ['json', { what: 'header', name: 'accept', wants: '/json/', got: null }],
      ['beta', { what: 'query', name: 'beta', wants: 'present', got: null }],
      ['create', { what: 'method', wants: 'POST', got: 'GET' }],
      ['user', 'chosen'],
      ['any', 'shadowed'],
      ['admin', { what: 'host', wants: 'admin.test or *.admin.test', got: null }],
    ])
  })

  test('a host that is asked for', () => {
    const host = [['host', 'Api.Admin.test:8080']] as const
    const { candidates, request } = explainOffline(config, { method: 'GET', url: '/users/7', headers: host })
    expect(request.host).toBe('api.admin.test')
    expect(candidates[0]).toMatchObject({ route: 'admin', verdict: 'chosen' })
  })

  test('what has to be absent, or another value', () => {
    const only = { match: 'GET /', headers: { a: false }, reply }
    const { candidates } = explainOffline({ routes: { only } }, { method: 'GET', url: '/', headers: [['a', 'x']] })
    expect(candidates[0]?.failed).toEqual({ what: 'header', name: 'a', wants: 'absent', got: 'x' })
  })
})

describe('hints and notes', () => {
  const hintOf = (url: string, more: object = {}) =>
    explainOffline({ ...config, ...more }, { method: 'GET', url }).refusal?.hint

  test.each([
    ['/a%2Fb', "paths: { encodedSlashes: 'keep' } on the listener lets it through as data"],
    ['/a/../b', "paths: { dotSegments: 'resolve' } on the listener resolves it"],
    ['http://h.test/ä b', 'a client has to send it as /%C3%A4%20b'],
    ['/a%00', undefined],
    ['/list/', 'route "list" takes /list: a slash at the end counts'],
    ['/folder', 'route "folder" takes /folder/: a slash at the end counts'],
  ])('%s', (url, hint) => {
    expect(hintOf(url)).toBe(hint)
  })

  test('another listener, another rule: that of the port', () => {
    const paths = { emptySegments: 'refuse' }
    const listen = [{ port: 8080 }, { port: 8081, paths }]
    const merges = "paths: { emptySegments: 'merge' } on the listener merges the slashes"
    expect(hintOf('http://h.test:8081//list', { listen })).toBe(merges)
    expect(hintOf('http://h.test:8080//list', { listen })).toBeUndefined()
  })

  test('a semicolon where the listener refuses it', () => {
    const listen = { port: 8080, paths: { parameters: 'refuse' } }
    expect(hintOf('/list;x', { listen })).toBe(
      "paths: { parameters: 'keep' } on the listener lets its semicolon through",
    )
  })

  test('routes for other hosts only', () => {
    const only = { match: 'GET /', host: 'a.test', reply }
    const { refusal } = explainOffline({ routes: { only } }, { method: 'GET', url: 'http://b.test/' })
    expect(refusal).toMatchObject({ status: 404, hint: expect.stringContaining('want another host') })
  })

  test('routes of another listener only', () => {
    const listen = [
      { port: 8080, name: 'web' },
      { port: 8081, name: 'sockets', exclusive: true },
    ]
    const routes = { page: { match: 'GET /', reply }, chat: { match: 'GET /chat', listener: 'sockets', reply } }
    const ask = (url: string) => explainOffline({ listen, routes }, { method: 'GET', url })
    expect(ask('http://h.test:8081/chat').route?.name).toBe('chat')
    expect(ask('http://h.test:8080/').route?.name).toBe('page')
    const { refusal, candidates } = ask('http://h.test:8080/chat')
    expect(refusal).toMatchObject({ status: 404, hint: expect.stringContaining('another listener') })
    expect(candidates[0]?.failed).toEqual({ what: 'listener', wants: 'sockets', got: 'web' })
    expect(ask('http://h.test:8081/').candidates[0]?.failed).toEqual({
      what: 'listener',
      wants: 'web',
      got: 'sockets',
    })
  })

  test('HEAD that a route for GET takes', () => {
    expect(explainOffline(config, { method: 'HEAD', url: '/list' }).notes).toHaveLength(1)
    expect(explainOffline(config, { method: 'GET', url: '/list' }).notes).toEqual([])
  })

  test('OPTIONS of the gateway as a whole', () => {
    const { refusal, route, notes } = explainOffline(config, { method: 'OPTIONS', url: '*' })
    expect({ refusal, route, notes }).toEqual({ refusal: null, route: null, notes: [expect.stringContaining('204')] })
  })

  test('a preflight, which its plugins answer', async () => {
    const cors = definePlugin({
      name: 'cors',
      setup: () => ({
        onRoute: ({ name }) => (name === 'user' ? { onPreflight: () => ({ status: 204 }) } : undefined),
      }),
    })
    const gateway = await gatewayOf({ ...config, plugins: [cors()] })
    const notesFor = (url: string) => {
      const headers = [
        ['Origin', 'https://a.test'],
        ['Access-Control-Request-Method', 'GET'],
      ] as const
      return gateway.explain({ method: 'OPTIONS', url, headers }).notes
    }
    expect(notesFor('/users/7')).toEqual([
      'A CORS preflight for GET: cors of route "user" may answer it before it is routed.',
    ])
    expect(notesFor('/list')).toEqual([])
  })

  test.each([
    ['G T', []],
    ['GET', [['a b', 'c']]],
  ] as const)('what is no HTTP is a TypeError: %j', (method, headers) => {
    expect(() => explainOffline(config, { method, url: '/', headers })).toThrow(TypeError)
  })
})

describe('the route', () => {
  test('what is done with the request, and where each value comes from', () => {
    const user = {
      ...routes.user,
      timeout: { head: '5s' },
      requestHeaders: { remove: ['X-Debug'], set: { Authorization: 'Bearer s3cret' } },
      responseHeaders: { append: { Vary: 'Origin' } },
      onRequest: () => undefined,
    }
    const { route } = explainOffline(
      { services: { users }, timeouts: { head: '9s', idle: '10s' }, routes: { user } },
      { method: 'GET', url: '/users/a%20b?x=1' },
    )
    const at = (...path: (string | number)[]) => ({ from: 'config', path })
    expect(route).toMatchObject({
      name: 'user',
      origin: at('routes', 'user'),
      params: { id: 'a b' },
      action: {
        kind: 'service',
        service: 'users',
        path: '/v2/a%20b?x=1',
        host: 'target',
        balance: { use: 'roundRobin' },
        targets: [
          { url: 'http://127.0.0.1:3001', weight: 1 },
          { url: 'http://127.0.0.1:3002', weight: 2 },
        ],
      },
      timeouts: {
        connect: { ms: 5_000, origin: { from: 'default' } },
        head: { ms: 5_000, origin: at('routes', 'user', 'timeout', 'head') },
        idle: { ms: 10_000, origin: at('timeouts', 'idle') },
        total: { ms: 0, origin: { from: 'default' } },
      },
      hooks: ['onRequest'],
      requestHeaders: [
        { change: 'remove', name: 'X-Debug', origin: at('routes', 'user', 'requestHeaders', 'remove', 0) },
        { change: 'set', name: 'Authorization', value: '[redacted]' },
      ],
      responseHeaders: [{ change: 'append', name: 'Vary', value: 'Origin' }],
    })
  })

  test('a reply does not show its secrets', () => {
    const { route } = explainOffline(config, { method: 'GET', url: '/list' })
    expect(route?.action).toEqual({ kind: 'reply', status: 200, headers: { 'set-cookie': '[redacted]', 'x-a': '1' } })
  })

  test('plugins in their order, with the hooks that they returned once they run', async () => {
    const shaping = definePlugin({
      name: 'shaping',
      setup: () => ({ onRoute: () => ({ onResponse() {}, onRequest() {} }) }),
    })
    const guard = definePlugin({ name: 'guard', stage: 'guard', setup: () => ({ onRoute: () => {} }) })
    const whole = { ...config, plugins: [shaping(), guard()] }
    const request = { method: 'GET', url: '/users/7' }
    const plugins = [
      { name: 'guard', stage: 'guard', origin: { path: ['plugins', 1] }, routeOptions: null },
      { name: 'shaping', stage: 'shape', origin: { path: ['plugins', 0] }, routeOptions: null },
    ]
    const offline = explainOffline(whole, request).route?.plugins
    expect(offline).toMatchObject(plugins)
    expect(offline?.map(({ hooks }) => hooks)).toEqual([null, null])
    const running = (await gatewayOf(whole)).explain(request).route?.plugins
    expect(running).toMatchObject(plugins)
    expect(running?.map(({ hooks }) => hooks)).toEqual([[], ['onRequest', 'onResponse']])
  })

  test('the fields that it says the gateway sets are those that the upstream gets, and Host is whose it says', async () => {
    const upstream = await startUpstream((request, response) => response.end(JSON.stringify(request.headers)))
    const target = `127.0.0.1:${upstream.port}`
    const service = (more: object) => ({ targets: [`http://${target}`], ...more })
    const gateway = await gatewayOf({
      services: { plain: service({}), kept: service({ preserveHost: true }) },
      routes: {
        target: { match: 'GET /target', service: 'plain' },
        client: { match: 'GET /client', service: 'kept' },
        requestHeaders: {
          match: 'GET /requestHeaders',
          service: 'kept',
          requestHeaders: { set: { host: 'set.test' } },
        },
      },
    })
    const hosts = { target, client: 'asked.test', requestHeaders: 'set.test' }
    for (const [host, expected] of Object.entries(hosts)) {
      const url = `http://asked.test/${host}`
      const { route } = gateway.explain({ method: 'GET', url })
      if (route?.action.kind !== 'service') throw new Error('it goes to no service')
      const got: Record<string, string> = (await (await gateway.fetch(url)).json()) as Record<string, string>
      expect(route.action.host).toBe(host)
      expect(got.host).toBe(expected)
      const sets = route.action.sets.map(name => name.toLowerCase())
      expect(
        Object.keys(got)
          .filter(name => !['host', 'connection'].includes(name))
          .sort(),
      ).toEqual(sets.sort())
    }
  })
})
