import { definePlugin } from '@gateway/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { normalise } from '../config/normalise.ts'
import { ConfigProblems } from '../config/problem.ts'
import { explain, routingOf } from '../control/explain.ts'
import { serialiseModel } from '../control/serialise-model.ts'
import { createDecide } from './decide.ts'
import type { Found, RecordedRequest } from './recorded-requests.ts'
import { replay } from './replay.ts'
import { reviveDeciding } from './revive-deciding.ts'

const limit = definePlugin({
  name: 'limit',
  options: z.object({ most: z.number() }),
  routeOptions: z.union([z.object({ per: z.string() }), z.literal(false)]),
  setup() {},
})
const always = definePlugin({ name: 'always', setup() {} })

const base = {
  listen: [{ port: 8080 }, { port: 9090, paths: { dotSegments: 'resolve' } }],
  plugins: [always(), limit({ most: 3 })],
  services: { users: { targets: ['http://a', 'http://b'] }, orders: { targets: ['http://o'] } },
  routes: {
    user: { match: 'GET /users/:id', service: 'users', rewrite: '/v2/users/:id', limit: { per: 'ip' } },
    rest: { match: 'ANY /users/*', service: 'users', stripPrefix: '/users', limit: false },
    beta: { match: 'GET /users/:id', headers: { 'X-Beta': /^y/i }, service: 'orders' },
    paged: { match: 'GET /users/:id', query: { page: '2' }, reply: { status: 410 } },
    vip: { match: 'GET /vip', host: '*.vip.test', headers: { 'x-api-key': 's3cret' }, reply: { status: 204 } },
    old: { match: 'GET /old/:id', redirect: '/users/:id' },
  },
}

async function read(config: object) {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  return { model, serialised: await serialiseModel(model, 'salt') }
}

const request = (method: string, url: string, headers: Record<string, string> = {}): RecordedRequest => ({
  method,
  url,
  host: undefined,
  fields: { get: name => headers[name.toLowerCase()] },
})

const requests = [
  request('GET', '/users/7?full=1'),
  request('GET', '/users/7?page=2'),
  request('GET', '/users/7', { 'x-beta': 'Yes' }),
  request('HEAD', '/users/7', { host: 'a.test' }),
  request('PUT', '/users/a/b'),
  request('POST', '/old/3'),
  request('GET', '/old/3?a'),
  request('GET', 'http://a.vip.test/vip', { 'x-api-key': 's3cret' }),
  request('GET', 'http://a.vip.test/vip', { 'x-api-key': 'guess' }),
  request('GET', '/nowhere'),
  request('GET', '/users/../old/3'),
  request('GET', 'http://a.test:9090/users/../old/3'),
  request('GET', '/a b'),
  request('OPTIONS', '*'),
  request('CONNECT', 'a.test:443'),
  request('TRACE', '/users/7'),
  request('GET', '/users/7', { host: 'a b' }),
]

test('what is decided is what explain says, also by a config that was only told', async () => {
  const { model, serialised } = await read(base)
  const told = JSON.parse(JSON.stringify(serialised))
  const revived = reviveDeciding(told, model, serialised)
  const stranger = await read({ routes: { other: { match: 'GET /', reply: { status: 200 } } }, listen: base.listen })
  const unlike = reviveDeciding(told, stranger.model, stranger.serialised)
  expect([revived.untold, unlike.untold]).toEqual([[], ['vip']])
  const routing = routingOf(model)
  const names = ['host', 'x-beta', 'x-api-key']
  for (const sent of requests) {
    const decided = createDecide(serialised, model)(sent)
    const headers = names.flatMap((name): [string, string][] => {
      const value = sent.fields.get(name)
      return value === undefined ? [] : [[name, value]]
    })
    const { route, refusal } = explain(model, routing, { method: sent.method, url: sent.url, headers })
    const action = route?.action
    expect([sent.url, decided.decision.route, decided.decision.code]).toEqual([
      sent.url,
      route?.name ?? null,
      refusal?.code ?? null,
    ])
    const to = action?.kind === 'service' ? action.path : action?.kind === 'redirect' ? action.location : ''
    expect([sent.url, decided.to]).toEqual([sent.url, to])
    expect(createDecide(told, revived.deciding)(sent)).toEqual(decided)
    const isVip = decided.decision.route === 'vip'
    expect(createDecide(told, unlike.deciding)(sent).decision).toEqual(
      isVip ? expect.objectContaining({ code: 'GATEWAY_ROUTE_NOT_FOUND' }) : decided.decision,
    )
  }
})

async function replayed(after: object, found: readonly Found[], host?: string) {
  const [old, now] = await Promise.all([read(base), read({ ...base, ...after })])
  async function* pieces() {
    yield found.map((item, index) => ({ line: index + 1, found: item }))
  }
  return replay(pieces(), createDecide(old.serialised, old.model), createDecide(now.serialised, now.model), host)
}

test('the same config decides alike', async () => {
  expect(await replayed({}, requests)).toMatchObject({ requests: requests.length, differing: 0, groups: [] })
})

test.each([
  ['a route that takes over', { routes: { ...base.routes, seven: { match: 'GET /users/7', service: 'users' } } }],
  ['a plugin with other options', { plugins: [always(), limit({ most: 4 })] }],
  ['another target', { services: { ...base.services, users: { targets: ['http://a'] } } }],
  ['another path', { routes: { ...base.routes, user: { ...base.routes.user, rewrite: '/v3/users/:id' } } }],
  ['a route that is gone', { routes: { rest: { ...base.routes.rest, match: 'PUT /users/:id' } } }],
  ['a reply instead', { routes: { ...base.routes, user: { match: 'GET /users/:id', reply: { status: 503 } } } }],
])('%s', async (what, after) => {
  const differs = {
    'a route that takes over': ['route', 'plugins', 'path'],
    'a plugin with other options': ['plugins'],
    'another target': ['target'],
    'another path': ['path'],
    'a route that is gone': ['route', 'status'],
    'a reply instead': ['status', 'target', 'plugins', 'path'],
  }[what]
  const { groups, differing } = await replayed(after, [request('GET', '/users/7?token=abc')])
  expect(differing).toBe(1)
  expect(groups).toMatchObject([{ before: { route: 'user', service: 'users' }, differs, count: 1 }])
  expect(groups[0]?.examples).toMatchObject([
    { line: 1, method: 'GET', url: expect.stringMatching(/^\/users\/7\?token=/) },
  ])
  expect(JSON.stringify(groups)).not.toContain('abc')
})

test('what is switched off for a route, or unnamed, takes no part', async () => {
  const { differing } = await replayed({ plugins: [always(), limit({ most: 4 })] }, [request('PUT', '/users/a/b')])
  expect(differing).toBe(0)
})

test('groups, counts, examples that differ, faults, and a host for those without', async () => {
  const { user, ...routes } = base.routes
  const hosted = { ...user, host: 'a.test' }
  const found: Found[] = [
    'other',
    ...[1, 2, 2, 3, 4, 5].map(id => request('GET', `/users/${id}`)),
    ...Array.from({ length: 7 }, () => ({ fault: 'no JSON' })),
    request('GET', '/old/1'),
  ]
  const without = await replayed({ routes: { ...routes, user: hosted } }, found)
  expect(without).toMatchObject({ requests: 7, differing: 6, others: 1, hostless: 7, malformed: { count: 7 } })
  expect(without.malformed.first).toHaveLength(5)
  expect(without.malformed.first[0]).toEqual({ line: 8, fault: 'no JSON' })
  expect(without.groups).toMatchObject([{ before: { route: 'user' }, after: { route: 'rest' }, count: 6 }])
  expect(without.groups[0]?.examples.map(({ url }) => url)).toEqual(['/users/1', '/users/2', '/users/3'])
  const withHost = await replayed({ routes: { ...routes, user: hosted } }, found, 'a.test')
  expect(withHost).toMatchObject({ requests: 7, differing: 0, hostless: 0 })
})
