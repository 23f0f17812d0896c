import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fakeTarget } from '../../../test/support/fake-target.ts'
import type { Context } from '../contract/context.ts'
import type { Target } from '../contract/hooks.ts'
import { roundRobin } from './round-robin.ts'

// The balancer asks nothing of a request.
const ctx = {} as Context

const targetsOf = (weights: Readonly<Record<string, number>> | readonly number[]): Target[] =>
  Object.entries(weights).map(([url, weight]) => fakeTarget(url, { weight }))

function picks(weights: Readonly<Record<string, number>>, count: number): string {
  const balancer = roundRobin()
  const targets = targetsOf(weights)
  return Array.from({ length: count }, () => balancer.pick(targets, ctx)?.url).join('')
}

test('equal weights take turns', () => {
  expect(picks({ a: 1, b: 1, c: 1 }, 7)).toBe('abcabca')
  expect(picks({ a: 0.5, b: 0.5 }, 4)).toBe('abab')
  expect(picks({ a: 7 }, 3)).toBe('aaa')
})

test('unequal weights take turns in proportion, none of them in a row longer than it must', () => {
  expect(picks({ a: 5, b: 1, c: 1 }, 14)).toBe('aabacaaaabacaa')
  expect(picks({ a: 0.2, b: 0.1 }, 6)).toBe('abaaba')
  const many = picks({ a: 3, b: 2, c: 1 }, 600)
  expect(['a', 'b', 'c'].map(name => many.split(name).length - 1)).toEqual([300, 200, 100])
})

test('whoever is picked has the most credit, by an account for each target', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 })
  const property = fc.property(weights, given => {
    const balancer = roundRobin()
    const targets = targetsOf(given)
    const total = given.reduce((sum, weight) => sum + weight, 0)
    const credits = given.map(() => 0)
    for (let pick = 0; pick < 3 * total; pick++) {
      for (const [i, weight] of given.entries()) credits[i] = (credits[i] ?? 0) + weight
      const picked = Number(balancer.pick(targets, ctx)?.url)
      expect(credits[picked]).toBe(Math.max(...credits))
      credits[picked] = (credits[picked] ?? 0) - total
    }
  })
  fc.assert(property, { seed: 7, numRuns: 200 })
})

test('no targets, no pick', () => {
  expect(roundRobin().pick([], ctx)).toBeUndefined()
})

test('other targets are learned at once', () => {
  const balancer = roundRobin()
  const two = targetsOf({ a: 1, b: 1 })
  expect(balancer.pick(two, ctx)?.url).toBe('a')
  const three = targetsOf({ c: 2, d: 1 })
  expect([1, 2, 3].map(() => balancer.pick(three, ctx)?.url)).toEqual(['c', 'd', 'c'])
  expect(balancer.pick([], ctx)).toBeUndefined()
  expect(balancer.pick(two, ctx)?.url).toBe('a')
})
