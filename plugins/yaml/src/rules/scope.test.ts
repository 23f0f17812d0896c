import { expect, test } from 'vitest'
import { covers, patternScope, prefixScope } from './scope.ts'

test.each([
  ['/public/', '/public/*', true],
  ['/public/', '/public/:id', true],
  ['/public/', '/public', false],
  ['/public/*', '/public/a', true],
  ['/pub', '/public/*', true],
  ['/public/a', '/public/*', false],
  ['/public/a', '/public/:id', false],
  ['/', '/*', true],
])('the paths that begin with %s have those of %s: %s', (text, pattern, expected) =>
  expect(covers(prefixScope(text), pattern)).toBe(expected),
)

test.each([
  ['/a', '/a', true],
  ['/a', '/a/*', false],
  ['/a*', '/ab', true],
  ['/a/*', '/a', false],
])('%s has the paths of %s: %s', (scope, pattern, expected) =>
  expect(covers(patternScope(scope), pattern)).toBe(expected),
)
