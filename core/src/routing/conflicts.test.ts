import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { whole } from '../slices.ts'
import { findConflicts, findDuplicates } from './conflicts.ts'
import { parsePattern } from './pattern.ts'
import type { Predicate } from './predicate.ts'
import { compileRouter, type RouteSpec } from './router.ts'

interface Given {
  readonly listeners?: readonly string[]
  readonly hosts?: readonly string[]
  readonly headers?: readonly Predicate[]
  readonly query?: readonly Predicate[]
}

/** `GET,POST /a`: methods, or ANY, and a path. */
function route(name: string, match: string, given: Given = {}): RouteSpec<string> {
  const [methods = '', path = ''] = match.split(' ')
  const pattern = parsePattern(path)
  if ('error' in pattern) throw new Error(pattern.error)
  return { name, hosts: [], methods: methods === 'ANY' ? [] : methods.split(','), pattern, value: name, ...given }
}

/** In the order of the routes' names. */
function conflictsOf(routes: readonly RouteSpec<string>[]) {
  const duplicates = whole(findDuplicates(routes))
  const others = routes.filter(({ name }) => !duplicates.some(duplicate => duplicate.route === name))
  return [...duplicates, ...whole(findConflicts(others))].sort((a, b) => (a.route < b.route ? -1 : 1))
}

const found = (...routes: RouteSpec<string>[]) =>
  conflictsOf(routes).map(({ kind, route: name, by }) => `${kind} ${name} by ${by}`)

const x = (more: Omit<Predicate, 'name'> = {}) => ({ headers: [{ name: 'x', ...more }] })

describe('duplicates', () => {
  it('ask for the same in other words', () => {
    expect(found(route('b', 'GET /u/:id'), route('a', 'GET /u/:name'))).toEqual(['duplicate b by a'])
    expect(found(route('a', 'GET,POST /u'), route('b', 'POST,GET /u'))).toEqual(['duplicate b by a'])
    expect(found(route('a', 'ANY /u/@me'), route('b', 'ANY /u/%40me'))).toEqual(['duplicate b by a'])
    expect(
      found(route('a', 'ANY /', { hosts: ['X.de', '*.y'] }), route('b', 'ANY /', { hosts: ['*.y', 'x.de'] })),
    ).toEqual(['duplicate b by a'])
    expect(
      found(
        route('a', 'ANY /', { headers: [{ name: 'X' }, { name: 'y' }] }),
        route('b', 'ANY /', { headers: [{ name: 'y' }, { name: 'x' }] }),
      ),
    ).toEqual(['duplicate b by a'])
    expect(found(route('a', 'ANY /*'), route('b', 'ANY /*'), route('c', 'ANY /*'))).toEqual([
      'duplicate b by a',
      'duplicate c by a',
    ])
  })

  it('differ in nothing', () => {
    expect(found(route('a', 'GET /u'), route('b', 'POST /u'))).toEqual([])
    expect(found(route('a', 'GET /u'), route('b', 'GET /u/'))).toEqual([])
    const by = (...listeners: string[]) => ({ listeners })
    expect(found(route('a', 'GET /u', by('web')), route('b', 'GET /u', by('sockets')))).toEqual([])
    expect(found(route('a', 'GET /u', by('c', 'd')), route('b', 'GET /u', by('e', 'f')))).toEqual([])
    expect(found(route('a', 'GET /u', by('web')), route('b', 'GET /u'))).toEqual([])
    expect(found(route('a', 'GET /u/:id'), route('b', 'GET /u/*'))).toEqual([])
    expect(found(route('a', 'GET /u', { hosts: ['x'] }), route('b', 'GET /u', { hosts: ['y'] }))).toEqual([])
    expect(found(route('a', 'GET /u', { hosts: ['x'] }), route('b', 'GET /u'))).toEqual([])
    expect(found(route('a', 'GET /u', x({ value: '1' })), route('b', 'GET /u', x({ value: '2' })))).toEqual([])
    expect(found(route('a', 'GET /u', x()), route('b', 'GET /u', x({ not: true })))).toEqual([])
    // A parameter, and a literal that decodes to its sign.
    expect(found(route('a', 'GET /:a'), route('b', 'GET /%3A'))).toEqual([])
  })
})

describe('listeners', () => {
  const by = (...listeners: string[]) => ({ listeners })
  it('make routes the same, unreachable or ambiguous', () => {
    expect(found(route('a', 'GET /u', by('web')), route('b', 'GET /u', by('web')))).toEqual(['duplicate b by a'])
    expect(
      found(route('a', 'GET /u', by('c', 'd')), route('b', 'GET /u', { ...by('c'), headers: [{ name: 'x' }] })),
    ).toEqual([])
    expect(found(route('any', 'ANY /*', by('c')), route('a', 'GET /u/*', by('d')))).toEqual([])
    expect(found(route('a', 'GET /u', by('c', 'd')), route('b', 'GET /u', by('d', 'e')))).toEqual(['ambiguous b by a'])
    expect(found(route('a', 'GET /:x', by('c')), route('b', 'GET /', by('c')), route('d', 'GET /*', by('c')))).toEqual(
      [],
    )
    expect(
      found(
        route('a', 'GET /u', { ...by('c'), headers: [{ name: 'x' }] }),
        route('b', 'GET /u', { ...by('c'), headers: [{ name: 'x', not: true }] }),
        route('z', 'GET /u', by('c')),
      ),
    ).toEqual(['unreachable z by a'])
  })
})

describe('unreachable', () => {
  it('is what others by name together take', () => {
    expect(found(route('c', 'GET,POST /u'), route('a', 'GET /u'), route('b', 'POST /u'))).toEqual([
      'unreachable c by a',
    ])
    expect(found(route('a', 'GET,POST /u'), route('b', 'GET /u'))).toEqual(['unreachable b by a'])
    const at = (...hosts: string[]) => ({ hosts })
    expect(
      found(route('c', 'GET /u', at('x', 'y')), route('a', 'GET /u', at('x')), route('b', 'GET /u', at('y'))),
    ).toEqual(['unreachable c by a'])
    expect(conflictsOf([route('c', 'GET,POST /u'), route('a', 'GET /u'), route('b', 'POST /u')])).toMatchObject([
      {
        message:
          'is never chosen: routes "a", "b" together take every request first, so remove it or make it more specific',
      },
    ])
  })

  it('is not what still has a host, a method or a path of its own', () => {
    expect(found(route('b', 'GET /u', { hosts: ['x', 'y'] }), route('a', 'GET /u', { hosts: ['x', 'z'] }))).toEqual([
      'ambiguous b by a',
    ])
    expect(found(route('b', 'ANY /u'), route('a', 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS /u'))).toEqual([])
    expect(found(route('b', 'HEAD /u'), route('a', 'GET /u'))).toEqual([])
    expect(found(route('b', 'GET /u'), route('a', 'HEAD /u'))).toEqual([])
  })

  it('is what conditions take between them', () => {
    expect(found(route('r', 'GET /u'), route('a', 'GET /u', x()), route('b', 'GET /u', x({ not: true })))).toEqual([
      'unreachable r by a',
    ])
    const y = { name: 'y', value: '1' }
    expect(
      found(
        route('r', 'GET /u'),
        route('a', 'GET /u', x({ value: '1' })),
        route('b', 'GET /u', { headers: [{ name: 'x', value: '1', not: true }, y] }),
        route('c', 'GET /u', {
          headers: [
            { name: 'x', value: '1', not: true },
            { ...y, not: true },
          ],
        }),
      ),
    ).toEqual(['unreachable r by a'])
    expect(
      found(route('r', 'GET /u'), route('a', 'GET /u', x()), route('b', 'GET /u', x({ value: '1', not: true }))),
    ).toEqual(['ambiguous b by a', 'unreachable r by a'])
    expect(
      found(
        route('r', 'GET /u'),
        route('a', 'GET /u', x({ value: '1' })),
        route('b', 'GET /u', x({ value: '2', not: true })),
      ),
    ).toEqual([])
  })

  it('is what conditions that are met anyway take', () => {
    const both = { headers: [{ name: 'x' }, { name: 'x', pattern: /^a/ }] }
    expect(found(route('r', 'GET /u', x({ value: 'abc' })), route('s', 'GET /u', both))).toEqual(['unreachable r by s'])
    expect(found(route('r', 'GET /u', x({ value: 'bcd' })), route('s', 'GET /u', both))).toEqual([])
  })

  it('is what asks for two things that exclude each other', () => {
    const never = {
      headers: [
        { name: 'x', value: '1' },
        { name: 'X', not: true },
      ],
    }
    expect(found(route('a', 'GET /u', never), route('b', 'GET /u', { ...x(), query: [{ name: 'y' }] }))).toEqual([
      'unreachable a by a',
    ])
  })

  it('is not what only the meaning of two expressions could tell', () => {
    expect(found(route('r', 'GET /u', x({ pattern: /^ab/ })), route('s', 'GET /u', x({ pattern: /^a/ })))).toEqual([
      'ambiguous s by r',
    ])
  })

  it('is a wildcard with nothing left', () => {
    const all = [route('a', 'ANY /f/'), route('b', 'ANY /f/:x'), route('c', 'ANY /f/:x/*')]
    expect(found(route('r', 'GET /f/*'), ...all)).toEqual(['unreachable r by a'])
    expect(found(route('r', 'ANY /f/*'), ...all)).toEqual(['unreachable r by a'])
    for (const one of all) expect(found(route('r', 'GET /f/*'), ...all.filter(other => other !== one))).toEqual([])
    const deeper = [
      ...all.slice(0, 2),
      route('c', 'ANY /f/:x/'),
      route('d', 'ANY /f/:x/:y'),
      route('e', 'ANY /f/:x/:y/*'),
    ]
    expect(found(route('r', 'GET /f/*'), ...deeper)).toEqual(['unreachable r by a'])
    const above = [route('a', 'GET /'), route('b', 'GET /:x'), route('c', 'GET /:x/*')]
    expect(found(route('r', 'GET,HEAD /*'), ...above)).toEqual(['unreachable r by a'])
    expect(found(route('r', 'GET,PUT /*'), ...above)).toEqual([])
    expect(found(route('r', 'GET /*', { hosts: ['x'] }), ...above)).toEqual([])
  })
})

describe('ambiguous', () => {
  it('are routes that one request can meet, neither more specific', () => {
    const y = { headers: [{ name: 'y' }] }
    expect(found(route('a', 'GET /u', x()), route('b', 'GET /u', y))).toEqual(['ambiguous b by a'])
    expect(found(route('b', 'ANY /u', { query: [{ name: 'x' }] }), route('a', 'ANY /u', x()))).toEqual([
      'ambiguous b by a',
    ])
    expect(found(route('a', 'GET,POST /u'), route('b', 'GET,PUT /u'))).toEqual(['ambiguous b by a'])
    expect(
      conflictsOf([route('b', 'GET,PUT /u/:id', { hosts: ['h'] }), route('a', 'GET,POST /u/:x', { hosts: ['h'] })]),
    ).toEqual([
      {
        kind: 'ambiguous',
        route: 'b',
        by: 'a',
        message:
          'and route "a" can both take a request for GET h/u/:id, and neither is more specific: "a" goes first, by its name',
      },
    ])
  })

  it('are not routes that no request meets, or of which one is more specific', () => {
    expect(found(route('a', 'GET /u', x({ value: '1' })), route('b', 'GET /u', x({ value: '2' })))).toEqual([])
    expect(found(route('a', 'GET /u', x({ value: '1' })), route('b', 'GET /u', x()))).toEqual([])
    expect(found(route('a', 'GET /u', x({ pattern: /a/ })), route('b', 'GET /u', x()))).toEqual([])
    expect(
      found(route('a', 'GET /u', x({ pattern: /^a/ })), route('b', 'GET /u', x({ pattern: /^a/, not: true }))),
    ).toEqual([])
    expect(found(route('a', 'GET /u'), route('b', 'ANY /u'))).toEqual([])
    expect(found(route('a', 'GET /a/:x/c'), route('b', 'GET /a/b/*'))).toEqual([])
  })
})

const pathText = fc.constantFrom('/', '/*', '/:a', '/:b', '/:a/*', '/:a/', '/:a/:b', '/:a/:b/*', '/x', '/x/*', '/x/:a')
const predicate = (...names: string[]) =>
  fc.oneof(
    fc.record(
      { name: fc.constantFrom(...names), value: fc.constantFrom('1', '2'), not: fc.boolean() },
      { requiredKeys: ['name'] },
    ),
    fc.record({ name: fc.constantFrom(...names), pattern: fc.constant(/1/), not: fc.boolean() }),
  )
const table = fc
  .array(
    fc.record({
      path: pathText,
      methods: fc.uniqueArray(fc.constantFrom('GET', 'HEAD', 'POST'), { maxLength: 2 }),
      hosts: fc.uniqueArray(fc.constantFrom('h', '*.h', '*.a.h'), { maxLength: 2 }),
      headers: fc.array(predicate('x', 'X'), { maxLength: 2 }),
      query: fc.array(predicate('y'), { maxLength: 1 }),
    }),
    { minLength: 2, maxLength: 12 },
  )
  .map(rows =>
    rows.map(({ path, methods, hosts, headers, query }, i) =>
      route(`r${i}`, `${methods.join() || 'ANY'} ${path}`, { hosts, headers, query }),
    ),
  )

/** Every request that these tables can tell apart, with the routes that take it when one after the other is left out. */
function* requests() {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT'])
    for (const host of ['h', 'z.h', 'z.a.h', 'j'])
      for (const path of ['/', '/x', '/z', '/x/', '/z/', '/x/z', '/z/z', '/x/z/', '/z/z/', '/z/z/z', '/x/z/z'])
        for (const x of [undefined, '0', '1', '2', '11'])
          for (const y of [undefined, '0', '1', '2', '11']) {
            const fields = { get: (name: string) => (name === 'x' ? x : undefined) }
            yield { method, host, path, query: y === undefined ? '' : `y=${y}`, fields }
          }
}

describe('for random tables', () => {
  it('a route is reported as never chosen exactly when no request chooses it', () => {
    fc.assert(
      fc.property(table, routes => {
        const router = compileRouter(routes)
        const chosen = new Set<string>()
        for (const { method, host, path, query, fields } of requests()) {
          const match = router.match(method, host, path, query, fields)
          if (match.found) chosen.add(match.name)
        }
        const reported = conflictsOf(routes).filter(({ kind }) => kind !== 'ambiguous')
        for (const { route: name } of reported) expect(chosen).not.toContain(name)
        const names = new Set(reported.map(({ route: name }) => name))
        for (const { name } of routes) if (!chosen.has(name)) expect(names).toContain(name)
        const duplicates = whole(findDuplicates(routes)).map(({ route: name }) => name)
        expect(duplicates.sort()).toEqual(
          reported.flatMap(({ kind, route: name }) => (kind === 'duplicate' ? name : [])),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('the same duplicates are found beside routes that are known to have none', () => {
    const few = fc.array(fc.constantFrom('GET /x', 'ANY /x', 'GET /:a', 'GET /:b'), { minLength: 2, maxLength: 6 })
    fc.assert(
      fc.property(few, matches => {
        const routes = matches.map((match, i) => route(`r${i}`, match))
        const all = whole(findDuplicates(routes))
        const known = routes.filter(({ name }) => all.every(({ route: duplicate }) => duplicate !== name))
        expect(whole(findDuplicates(routes, known))).toEqual(all)
        expect(whole(findDuplicates(known, known))).toEqual([])
      }),
    )
  })

  it('the result does not depend on the order of the routes', () => {
    fc.assert(
      fc.property(table, routes => {
        expect(conflictsOf(routes.toReversed())).toEqual(conflictsOf(routes))
      }),
    )
  })
})

it('10,000 routes that differ in a header only are gone through', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => route(`r${i}`, 'GET /u', x({ value: String(i) })))
  expect(conflictsOf([...routes, route('s', 'GET /u', x({ value: '7' }))])).toMatchObject([
    { kind: 'duplicate', route: 's', by: 'r7' },
  ])
})
