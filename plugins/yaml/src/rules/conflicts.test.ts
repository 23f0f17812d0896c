import { expect, test } from 'vitest'
import { findConflicts } from './conflicts.ts'
import { readPath } from './path-pattern.ts'

const at = { source: { file: '', place: () => ({ line: 1, column: 1 }) }, offset: 0 }

test.each([
  ['/api/users', ['/api/users']],
  ['/api/users/', ['/api/users/*', '/api/users']],
  ['/api/users/*', ['/api/users/*']],
  ['/*', ['/*']],
  ['/', ['/*']],
  ['/users/:id', ['/users/:id']],
  ['/users/:id/*', ['/users/:id/*']],
  ['/x/{id}', ['/x/:id']],
  ['/x/{id}/y', ['/x/:id/y']],
  ['/x/{rest...}', ['/x/*']],
  ['/x/{$}', ['/x/']],
  ['/{$}', ['/']],
])('the path %s takes %j', (path, paths) => expect(readPath(path)).toEqual({ paths }))

test.each(['/api*', 'api', ''])('the path "%s" is none', path => expect(readPath(path)).toHaveProperty('error'))

interface Case {
  readonly paths: readonly (string | readonly [path: string, ...methods: string[]])[]
  readonly conflicts: readonly (readonly [string, string])[]
}

const cases: readonly Case[] = [
  { paths: ['/a/:x', '/:y/b'], conflicts: [['/a/:x', '/:y/b']] },
  { paths: ['/u/:id', '/u/:name'], conflicts: [['/u/:id', '/u/:name']] },
  { paths: ['/u', '/u'], conflicts: [['/u', '/u']] },
  { paths: ['/a/*', '/:x/b'], conflicts: [['/a/*', '/:x/b']] },
  { paths: ['/:x/b', '/a/*'], conflicts: [['/:x/b', '/a/*']] },
  { paths: ['/*', '/a/*', '/a/:x', '/a/b', '/a/:x/c', '/:x', '/:x/*'], conflicts: [] },
  { paths: ['/:x/*', '/a/:y/b'], conflicts: [] },
  { paths: ['/a/:x/*', '/:y/b/*'], conflicts: [['/a/:x/*', '/:y/b/*']] },
  // An empty segment is no parameter's.
  { paths: ['/a/', '/a/:x', '/a/*'], conflicts: [] },
  { paths: [['/u', 'GET'], ['/u', 'POST'], '/u'], conflicts: [] },
  {
    paths: [
      ['/u', 'GET', 'POST'],
      ['/u', 'POST', 'PUT'],
    ],
    conflicts: [['/u', '/u']],
  },
  {
    paths: [
      ['/u', 'GET', 'POST'],
      ['/u', 'POST'],
    ],
    conflicts: [],
  },
  {
    paths: [
      ['/a/:x', 'GET'],
      ['/:y/b', 'POST'],
    ],
    conflicts: [],
  },
]

test.each(cases)('$paths', ({ paths, conflicts }) => {
  const claims = paths.map(given => {
    const [path, ...methods] = typeof given === 'string' ? [given] : given
    return { rule: path, at, path, methods: methods.length === 0 ? undefined : methods }
  })
  expect([...findConflicts(claims)].map(([first, second]) => [first.path, second.path])).toEqual(conflicts)
})

test('ten thousand paths beside each other are looked through at once', () => {
  const claims = Array.from({ length: 10_000 }, (_, index) => {
    return { rule: `${index}`, at, path: `/api/${index}/:id/*`, methods: undefined }
  })
  expect([...findConflicts([...claims, { rule: 'all', at, path: '/*', methods: undefined }])]).toEqual([])
})
