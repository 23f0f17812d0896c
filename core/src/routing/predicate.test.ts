import { describe, expect, it } from 'vitest'
import { type Condition, holds, implies, negate, queryValue } from './predicate.ts'

const tests: readonly Omit<Condition, 'source' | 'name'>[] = [{}, { value: '1' }, { value: '2' }, { pattern: /1/g }]
const conditions = tests
  .map((test): Condition => ({ source: 'header', name: 'x', ...test }))
  .flatMap(condition => [condition, negate(condition)])
const values = [undefined, '', '0', '1', '2', '11']

describe('implies', () => {
  it.each(conditions.flatMap(a => conditions.map(b => [a, b] as const)))('%j, %j', (a, b) => {
    const always = values.every(value => !holds(a, value) || holds(b, value))
    expect(implies(a, b)).toBe(always)
    expect(implies(a, { ...b, name: 'y' })).toBe(false)
    expect(implies(a, { ...b, source: 'query' })).toBe(false)
  })
})

describe('queryValue', () => {
  it.each([
    ['', 'a', undefined],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a=1&a=2', 'a', '1'],
    ['b=1&a=2', 'a', '2'],
    ['A=1', 'a', undefined],
    ['%61=%C3%A9+x', 'a', 'é x'],
    ['?a=1', 'a', undefined],
    ['__proto__=1', '__proto__', '1'],
  ])('of %s, %s', (query, name, value) => {
    expect(queryValue(query, name)).toBe(value)
  })
})
