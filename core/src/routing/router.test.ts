import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { whole } from '../slices.ts'
import { matchKey, type Pattern, parsePattern } from './pattern.ts'
import { conditionsOf, holds, type Predicate } from './predicate.ts'
import { compileRouter, type RouteSpec } from './router.ts'

interface Given {
  readonly listeners?: readonly string[]
  readonly hosts?: readonly string[]
  readonly methods?: readonly string[]
  readonly headers?: readonly Predicate[]
  readonly query?: readonly Predicate[]
}
type Row = readonly [name: string, path: string, given?: Given]

function spec([name, path, given = {}]: Row): RouteSpec<string> {
  const pattern = parsePattern(path)
  if ('error' in pattern) throw new Error(pattern.error)
  return { name, hosts: [], methods: [], ...given, pattern, value: name }
}

const routerOf = (rows: readonly Row[]) => compileRouter(rows.map(spec))

interface Asked {
  readonly listener?: string
  readonly method?: string
  readonly host?: string
  readonly query?: string
  readonly fields?: Readonly<Record<string, string>>
}

const reader = (fields: Readonly<Record<string, string>> = {}) => ({ get: (name: string) => fields[name] })

/** Name of the route; or the status, for 405 with Allow. */
function ask(router: ReturnType<typeof routerOf>, path: string, asked: Asked = {}): string {
  const { method = 'GET', host = 'h', query = '', fields, listener } = asked
  const match = router.match(method, host, path, query, reader(fields), listener)
  if (match.found) return match.value
  return match.status === 404 ? '404' : `405 ${match.allow.join(' ')}`
}

describe('a path', () => {
  const router = routerOf([
    ['literal', '/a/b/c'],
    ['end', '/a/:x/c'],
    ['below', '/a/b/*'],
    ['any', '/a/*'],
    ['slash', '/a/'],
    ['two', '/:x/:y'],
    ['deep', '/a/b/c/d/e'],
    ['me', '/u/@me'],
    ['user', '/u/:id'],
    ['dash', '/u-x'],
  ])
  it.each([
    ['/a/b/c', 'literal'],
    ['/a/x/c', 'end'],
    ['/a/b/d', 'below'],
    ['/a/b/c/d', 'below'],
    ['/a/b/c/d/e', 'deep'],
    ['/a/b/c/d/e/f', 'below'],
    ['/a/b/', 'below'],
    ['/a/b', 'any'],
    ['/a/x/d', 'any'],
    ['/a/', 'slash'],
    ['/a//', 'any'],
    ['/a', '404'],
    ['/b/c', 'two'],
    ['/b/', '404'],
    ['//c', '404'],
    ['/', '404'],
    ['/u/@me', 'me'],
    ['/u/%40me', 'me'],
    ['/u/%40you', 'user'],
    ['/u/@m', 'user'],
    ['/u-', '404'],
    ['/u-xx', '404'],
    ['*', '404'],
    ['', '404'],
  ])('%s goes to %s', (path, name) => {
    expect(ask(router, path)).toBe(name)
  })

  it('with encoded characters does not become another path', () => {
    const encoded = routerOf([
      ['slash', '/a/b'],
      ['percent', '/a%2540'],
      ['param', '/:x'],
    ])
    expect(ask(encoded, '/a%2Fb')).toBe('param')
    expect(ask(encoded, '/a%2540')).toBe('percent')
    expect(ask(encoded, '/a%40')).toBe('param')
    expect(ask(encoded, '/%3Ax')).toBe('param')
  })

  it('is found among literals of one hash', () => {
    // "Aa" and "BB" have the same polynomial hash to the base of 31.
    const router = routerOf([...'AaAa AaBB BBAa BBBB'.split(' ')].map(text => [text, `/${text}/x`] as const))
    for (const text of ['AaAa', 'AaBB', 'BBAa', 'BBBB']) expect(ask(router, `/${text}/x`)).toBe(text)
    expect(ask(router, '/AaAa/y')).toBe('404')
    expect(ask(router, '/AaBA/x')).toBe('404')
  })
})

describe('a host', () => {
  const router = routerOf([
    ['exact', '/x', { hosts: ['api.example.com'] }],
    ['deep', '/x', { hosts: ['*.api.example.com'] }],
    ['wild', '/x', { hosts: ['*.example.com', 'other.org'] }],
    ['any', '/x'],
    ['wild only', '/w', { hosts: ['*.example.com'] }],
    ['any only', '/y/:z'],
    ['wild worse path', '/y/*', { hosts: ['*.example.com'] }],
    ['six', '/x', { hosts: ['[::1]'] }],
  ])
  it.each([
    ['api.example.com', '/x', 'exact'],
    ['v1.api.example.com', '/x', 'deep'],
    ['a.b.api.example.com', '/x', 'deep'],
    ['www.example.com', '/x', 'wild'],
    ['a.b.example.com', '/x', 'wild'],
    ['example.com', '/x', 'any'],
    ['badexample.com', '/x', 'any'],
    ['other.org', '/x', 'wild'],
    ['www.other.org', '/x', 'any'],
    ['', '/x', 'any'],
    ['[::1]', '/x', 'six'],
    ['api.example.com', '/w', 'wild only'],
    ['v1.api.example.com', '/w', 'wild only'],
    ['api.example.com', '/y/1', 'wild worse path'],
    ['v1.api.example.com', '/y/1', 'wild worse path'],
    ['other.org', '/y/1', 'any only'],
    ['other.org', '/w', '404'],
  ])('%s, %s goes to %s', (host, path, name) => {
    expect(ask(router, path, { host })).toBe(name)
  })

  it('that is no pattern is an error', () => {
    expect(() => routerOf([['r', '/', { hosts: ['a b'] }]])).toThrow(/route r: "a b"/)
  })
})

describe('a method', () => {
  const router = routerOf([
    ['get', '/r', { methods: ['GET'] }],
    ['post', '/r', { methods: ['POST', 'PUT'] }],
    ['head', '/h', { methods: ['HEAD'] }],
    ['get h', '/h', { methods: ['GET'] }],
    ['any h', '/h'],
    ['head below', '/*', { methods: ['HEAD'] }],
    ['get a', '/a', { methods: ['GET'] }],
    ['any a', '/a'],
    ['delete below', '/r/*', { methods: ['DELETE'] }],
    ['patch one', '/r/:id', { methods: ['PATCH'] }],
    ['host', '/r/:id', { hosts: ['x'], methods: ['TRACE'] }],
  ])
  it.each([
    ['GET', '/r', 'get'],
    ['HEAD', '/r', 'get'],
    ['PUT', '/r', 'post'],
    ['DELETE', '/r', '405 GET HEAD POST PUT'],
    ['OPTIONS', '/r', '405 GET HEAD POST PUT'],
    ['get', '/r', '405 GET HEAD POST PUT'],
    ['HEAD', '/h', 'head'],
    ['GET', '/h', 'get h'],
    ['POST', '/h', 'any h'],
    ['HEAD', '/a', 'get a'],
    ['POST', '/a', 'any a'],
    ['GET', '/z', '405 HEAD'],
    ['DELETE', '/r/1', 'delete below'],
    ['HEAD', '/r/1', 'head below'],
    ['GET', '/r/1', '405 DELETE HEAD PATCH'],
    ['GET', '/r/1/2', '405 DELETE HEAD'],
  ])('%s %s goes to %s', (method, path, name) => {
    expect(ask(router, path, { method })).toBe(name)
  })

  it('is allowed by routes of all hosts that the request could have met', () => {
    expect(ask(router, '/r/1', { host: 'x' })).toBe('405 DELETE HEAD PATCH TRACE')
  })
})

describe('conditions', () => {
  const beta = { name: 'X-Beta', value: '1' }
  const router = routerOf([
    ['plain', '/r', { methods: ['GET'] }],
    ['beta', '/r', { methods: ['GET'], headers: [beta] }],
    ['beta there', '/r', { methods: ['GET'], headers: [{ name: 'x-beta' }] }],
    ['beta like', '/r', { methods: ['GET'], headers: [{ name: 'x-beta', pattern: /^\d$/g }] }],
    ['beta and v2', '/r', { methods: ['GET'], headers: [beta], query: [{ name: 'v', value: '2' }] }],
    ['any method', '/r', { headers: [beta, { name: 'x-other' }] }],
    ['no auth', '/s', { headers: [{ name: 'authorization', not: true }] }],
    ['not 1', '/t', { query: [{ name: 'v', value: '1', not: true }] }],
    ['post beta', '/u', { methods: ['POST'], headers: [beta] }],
    ['get', '/u', { methods: ['GET'] }],
  ])
  it.each<[string, Asked, string]>([
    ['/r', {}, 'plain'],
    ['/r', { fields: { 'x-beta': '1' } }, 'beta'],
    ['/r', { fields: { 'x-beta': '7' } }, 'beta like'],
    ['/r', { fields: { 'x-beta': '7' } }, 'beta like'],
    ['/r', { fields: { 'x-beta': 'yes' } }, 'beta there'],
    ['/r', { fields: { 'x-beta': '1' }, query: 'a=b&v=2' }, 'beta and v2'],
    ['/r', { fields: { 'x-beta': '1' }, query: 'v=3&v=2' }, 'beta'],
    ['/r', { fields: { 'x-beta': '1' }, query: '%76=%32' }, 'beta and v2'],
    ['/r', { fields: { 'x-beta': '1', 'x-other': '' } }, 'beta'],
    ['/r', { method: 'POST', fields: { 'x-beta': '1', 'x-other': '' } }, 'any method'],
    ['/r', { method: 'POST' }, '405 GET HEAD'],
    ['/s', {}, 'no auth'],
    ['/s', { fields: { authorization: 'x' } }, '404'],
    ['/t', {}, 'not 1'],
    ['/t', { query: 'v=2' }, 'not 1'],
    ['/t', { query: 'v=1' }, '404'],
    ['/t', { query: '?v=1' }, 'not 1'],
    ['/u', { method: 'PUT' }, '405 GET HEAD'],
    ['/u', { method: 'PUT', fields: { 'x-beta': '1' } }, '405 GET HEAD POST'],
  ])('%s with %j: %s', (path, asked, name) => {
    expect(ask(router, path, asked)).toBe(name)
  })
})

describe('a listener', () => {
  const router = routerOf([
    ['any', '/u'],
    ['web', '/u', { listeners: ['web'] }],
    ['both', '/both', { methods: ['GET'], listeners: ['web', 'sockets'] }],
    ['sockets', '/both', { methods: ['GET'], listeners: ['sockets'] }],
    ['unnamed', '/unnamed', { listeners: [''] }],
  ])
  it.each([
    ['/u', undefined, 'any'],
    ['/u', 'web', 'web'],
    ['/u', 'sockets', 'any'],
    ['/both', undefined, '404'],
    ['/both', 'web', 'both'],
    ['/both', 'sockets', 'sockets'],
    ['/unnamed', undefined, 'unnamed'],
    ['/unnamed', 'web', '404'],
  ])('%s by %s', (path, listener, expected) => {
    expect(ask(router, path, listener === undefined ? {} : { listener })).toBe(expected)
  })

  it('counts for Allow', () => {
    expect(ask(router, '/both', { method: 'POST', listener: 'web' })).toBe('405 GET HEAD')
    expect(ask(router, '/both', { method: 'POST' })).toBe('404')
  })
})

describe('explain', () => {
  const router = routerOf([
    ['one', '/u/:id', { methods: ['GET'], headers: [{ name: 'x' }] }],
    ['two', '/u/:id', { methods: ['GET'] }],
    ['three', '/u/:id', { methods: ['POST'] }],
    ['four', '/*', { methods: ['GET'] }],
    ['five', '/v'],
  ])
  it('says of every route that host and path lead to why it was not chosen', () => {
    expect(router.explain('HEAD', 'h', '/u/1', '', reader())).toEqual([
      { name: 'one', path: '/u/:id', verdict: 'condition differs' },
      { name: 'three', path: '/u/:id', verdict: 'method differs' },
      { name: 'two', path: '/u/:id', verdict: 'chosen' },
      { name: 'four', path: '/*', verdict: 'shadowed' },
    ])
    expect(router.explain('GET', 'h', '*', '', reader())).toEqual([])
  })
})

/** The order that the router promises, said once more as plainly as it can be: a list of numbers for each candidate. */
function reference(
  routes: readonly RouteSpec<string>[],
  asked: Required<Omit<Asked, 'listener'>>,
  path: string,
): string {
  const key = matchKey(path).slice(1).split('/')
  const candidates = routes.flatMap(route => {
    const hosts = route.hosts.length === 0 ? [''] : route.hosts
    return hosts.flatMap(host => {
      const hostRank = rankHost(host, asked.host)
      const pathRank = rankPath(route.pattern, key)
      const conditions = conditionsOf(route.headers, route.query)
      const query = new URLSearchParams(asked.query)
      const met = conditions.every(condition =>
        holds(
          condition,
          condition.source === 'header' ? asked.fields[condition.name] : (query.get(condition.name) ?? undefined),
        ),
      )
      if (hostRank === undefined || pathRank === undefined || !met) return []
      const exact = conditions.filter(({ not, value }) => !not && value !== undefined).length
      const like = conditions.filter(({ not, pattern }) => !not && pattern !== undefined).length
      return [
        {
          route,
          rank: [hostRank, ...pathRank, rankMethod(route.methods, asked.method), -conditions.length, -exact, -like],
        },
      ]
    })
  })
  const takers = candidates.filter(({ rank }) => !rank.includes(Number.POSITIVE_INFINITY))
  if (takers.length > 0) {
    takers.sort((a, b) => compareLists(a.rank, b.rank) || (a.route.name < b.route.name ? -1 : 1))
    return takers[0]?.route.name ?? ''
  }
  const allow = new Set(candidates.flatMap(({ route }) => route.methods))
  if (allow.has('GET')) allow.add('HEAD')
  return allow.size === 0 ? '404' : `405 ${[...allow].sort().join(' ')}`
}

function rankHost(pattern: string, host: string): number | undefined {
  if (pattern === '') return 1
  if (pattern === host) return -1_000
  return pattern.startsWith('*') && host.endsWith(pattern.slice(1)) ? -pattern.length : undefined
}

function rankPath(pattern: Pattern, key: readonly string[]): number[] | undefined {
  const { segments, wildcard } = pattern
  if (wildcard ? key.length <= segments.length : key.length !== segments.length) return undefined
  const rank = segments.map((segment, i) => {
    if (segment.param !== undefined) return key[i] === '' ? undefined : 1
    return segment.key === key[i] ? 0 : undefined
  })
  if (rank.includes(undefined)) return undefined
  // Padded, so that what follows is compared at the same place.
  return Array.from({ length: key.length }, (_, i) => rank[i] ?? 2)
}

function rankMethod(methods: readonly string[], method: string): number {
  if (methods.includes(method)) return 0
  if (method === 'HEAD' && methods.includes('GET')) return 1
  return methods.length === 0 ? 2 : Number.POSITIVE_INFINITY
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - (b[i] ?? 0)
  return 0
}

const word = fc.constantFrom('a', 'b', 'aa', 'c%20d', '@')
const pathText = fc
  .tuple(fc.array(fc.oneof(word, fc.constant(':')), { maxLength: 4 }), fc.constantFrom('', '/', '/*'))
  .map(([parts, end]) =>
    `/${parts.map((part, i) => (part === ':' ? `:p${i}` : part)).join('/')}${end}`.replace(/^\/\//, '/'),
  )
const predicate = fc.record(
  {
    name: fc.constantFrom('x', 'y'),
    value: fc.constantFrom('1', '2'),
    not: fc.boolean(),
  },
  { requiredKeys: ['name'] },
)
const like = fc.record({ name: fc.constantFrom('x', 'y'), pattern: fc.constantFrom(/1/, /^[12]$/g) })
const predicates = fc.array(fc.oneof(predicate, like), { maxLength: 2 })
const given = fc.record({
  hosts: fc.array(fc.constantFrom('h.com', 'a.h.com', '*.h.com', '*.com', '*.a.h.com'), { maxLength: 2 }),
  methods: fc.uniqueArray(fc.constantFrom('GET', 'HEAD', 'POST'), { maxLength: 2 }),
  headers: predicates,
  query: predicates,
})
const table = fc
  .array(fc.tuple(pathText, given), { maxLength: 18 })
  .map(rows => rows.map(([text, conditions], i) => spec([`r${String(i).padStart(2, '0')}`, text, conditions])))
const asked = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
  host: fc.constantFrom('h.com', 'a.h.com', 'b.h.com', 'b.a.h.com', 'c.org'),
  query: fc.constantFrom('', 'x=1', 'x=2&y=1', 'y=3'),
  fields: fc.constantFrom<Readonly<Record<string, string>>>({}, { x: '1' }, { x: '2', y: '2' }, { y: '12' }),
})
const path = fc
  .array(fc.oneof(word, fc.constantFrom('', 'z', '%40')), { maxLength: 5 })
  .map(parts => `/${parts.join('/')}`)

describe('the compiled router', () => {
  it('agrees with a linear search, on every request', () => {
    fc.assert(
      fc.property(table, fc.array(fc.tuple(path, asked), { minLength: 1, maxLength: 30 }), (routes, requests) => {
        const router = compileRouter(routes)
        for (const [text, request] of requests) {
          expect(ask(router, text, request)).toBe(reference(routes, request, text))
        }
      }),
      { numRuns: 1_500 },
    )
  })

  it('does not depend on the order of the routes', () => {
    const shuffled = table.chain(routes =>
      fc.tuple(fc.constant(routes), fc.shuffledSubarray(routes, { minLength: routes.length })),
    )
    fc.assert(
      fc.property(shuffled, path, asked, ([routes, others], text, request) => {
        expect(ask(compileRouter(others), text, request)).toBe(ask(compileRouter(routes), text, request))
      }),
      { numRuns: 500 },
    )
  })

  it('is the same when it came of another by changes, and leaves that one as it was', () => {
    const tables = fc.tuple(table, table, fc.infiniteStream(fc.boolean()))
    fc.assert(
      fc.property(tables, fc.array(fc.tuple(path, asked), { minLength: 1, maxLength: 20 }), (tables, requests) => {
        const [before, others, stays] = tables
        const kept = before.filter(() => stays.next().value)
        const added = others.map(route => ({ ...route, name: `s${route.name}`, value: `s${route.name}` }))
        // A route of a name that goes may come with another path.
        const gone = before.filter(route => !kept.includes(route))
        const back = gone.slice(0, 2).map((route, i) => ({ ...route, pattern: others[i]?.pattern ?? route.pattern }))
        const old = compileRouter(before)
        const changed = whole(old.change(gone, [...back, ...added]))
        const again = compileRouter([...kept, ...back, ...added])
        for (const [text, request] of requests) {
          expect(ask(changed, text, request)).toBe(ask(again, text, request))
          expect(ask(old, text, request)).toBe(reference(before, request, text))
        }
        const emptied = whole(changed.change([...kept, ...back, ...added], []))
        for (const [text, request] of requests) expect(ask(emptied, text, request)).toBe('404')
      }),
      { numRuns: 1_000 },
    )
  })

  it('returns one object for one route', () => {
    const router = routerOf([['r', '/:id']])
    expect(router.match('GET', 'h', '/1', '', reader())).toBe(router.match('GET', 'h', '/2', '', reader()))
  })

  it('takes every one of 10,000 routes to itself', () => {
    const paths = { '/s': '/s', '/p/:id': '/p/1', '/w/*': '/w/x/y' }
    const rows = Array.from({ length: 10_000 }, (_, i) => `/t${i}`).flatMap(start =>
      Object.keys(paths).map((path): Row => [start + path, start + path]),
    )
    const router = routerOf(rows)
    for (let i = 0; i < 10_000; i++) {
      for (const [path, text] of Object.entries(paths)) expect(ask(router, `/t${i}${text}`)).toBe(`/t${i}${path}`)
    }
    expect(ask(router, '/t10000/s')).toBe('404')
  })
})
