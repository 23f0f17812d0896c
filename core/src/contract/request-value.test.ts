import { expect, test } from 'vitest'
import type { Context } from './context.ts'
import { requestValue, type ValuePlace } from './request-value.ts'

function contextOf(fields: Readonly<Record<string, string>>, query: string): Context {
  return { headers: { get: (name: string) => fields[name] }, query } as object as Context
}

test.each<[ValuePlace, string | undefined]>([
  [{ header: 'X-Tenant' }, 'blue'],
  [{ header: 'X-Empty' }, undefined],
  [{ header: 'X-None' }, undefined],
  [{ cookie: 'a' }, '1=1'],
  [{ cookie: 'b' }, '2'],
  [{ cookie: 'B' }, undefined],
  [{ cookie: 'empty' }, undefined],
  [{ cookie: 'c' }, undefined],
  [{ query: 'q' }, 'a b'],
  [{ query: 'empty' }, undefined],
  [{ query: 'none' }, undefined],
])('%o', (place, value) => {
  const fields = { 'X-Tenant': 'blue', 'X-Empty': '', cookie: 'a=1=1;  b=2 ;b=3; abc=4; empty=' }
  expect(requestValue(place)(contextOf(fields, 'q=a%20b&q=2&empty='))).toBe(value)
})

test('of a request without cookies and query', () => {
  const bare = contextOf({}, '')
  expect([requestValue({ cookie: 'a' })(bare), requestValue({ query: 'a' })(bare)]).toEqual([undefined, undefined])
})
