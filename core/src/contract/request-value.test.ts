import { expect, test } from 'vitest'
import { Fields } from '../http1/fields.ts'
import type { Context } from './context.ts'
import { requestValue, type ValuePlace } from './request-value.ts'

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
  const headers = new Fields()
  headers.append('X-Tenant', 'blue')
  headers.append('X-Empty', '')
  headers.append('Cookie', 'a=1=1;  b=2 ;b=3; abc=4; empty=')
  const query = 'q=a%20b&q=2&empty='
  expect(requestValue(place)({ headers, query } as object as Context)).toBe(value)
})

test('of a request without cookies and query', () => {
  const bare = { headers: new Fields(), query: '' } as object as Context
  expect([requestValue({ cookie: 'a' })(bare), requestValue({ query: 'a' })(bare)]).toEqual([undefined, undefined])
})
