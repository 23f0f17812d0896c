import { expect, test } from 'vitest'
import { requestId } from './request-id.ts'

test.each(['1', 'abc-DEF_012', 'a.b~c+d/e=f:g', 'x'.repeat(128)])('%s is kept', id => {
  expect(requestId(id)).toBe(id)
})

test.each([
  undefined,
  '',
  ' ',
  'a b',
  'a\tb',
  'a,b',
  'a;b',
  '{a}',
  '"a"',
  'a\r\nb',
  'a%0a',
  'é',
  '\u{1f600}',
  'x'.repeat(129),
])('%j is replaced by a new UUID', id => {
  const made = requestId(id)
  expect(made).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  expect(requestId(id)).not.toBe(made)
})
