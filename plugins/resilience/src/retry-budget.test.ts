import { expect, test } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

const limits = { ratio: 0.2, minPerSecond: 0 }

test('is a part of the requests', () => {
  const budget = new RetryBudget()
  expect(budget.take(0, limits)).toBe(false)
  for (let i = 0; i < 50; i++) budget.count(5_000)
  expect(Array.from({ length: 20 }, () => budget.take(5_000, limits)).filter(Boolean)).toHaveLength(10)
})

test('or so many a second, where that is more', () => {
  const budget = new RetryBudget()
  const few = { ratio: 0.2, minPerSecond: 1 }
  for (let i = 0; i < 20; i++) budget.count(1_000)
  expect(Array.from({ length: 20 }, () => budget.take(1_000, few)).filter(Boolean)).toHaveLength(10)
})

test('forgets after ten seconds, requests as well as retries', () => {
  const budget = new RetryBudget()
  for (let i = 0; i < 10; i++) budget.count(1_999)
  expect([budget.take(10_999, limits), budget.take(10_999, limits)]).toEqual([true, true])
  expect(budget.take(10_999, limits)).toBe(false)
  expect(budget.take(11_000, limits)).toBe(false)
  for (let i = 0; i < 5; i++) budget.count(3_600_000)
  expect(budget.take(3_600_000, limits)).toBe(true)
  expect(budget.take(3_600_000, limits)).toBe(false)
})

test('stands still when the clock is set back', () => {
  const budget = new RetryBudget()
  for (let i = 0; i < 5; i++) budget.count(60_000)
  for (let i = 0; i < 5; i++) budget.count(1_000)
  expect([1, 2, 3].map(() => budget.take(1_000, limits))).toEqual([true, true, false])
})

test('holds for the ten seconds before every retry, however requests come', () => {
  let seed = 7
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const budget = new RetryBudget()
  const requests: number[] = []
  const retries: number[] = []
  for (let now = 0; now < 120_000; now += Math.floor(random() * (random() < 0.01 ? 4_000 : 40))) {
    budget.count(now)
    requests.push(now)
    if (!budget.take(now, limits)) continue
    retries.push(now)
    const within = (times: readonly number[]) =>
      times.filter(time => time >= (Math.floor(now / 1_000) - 9) * 1_000).length
    expect(within(retries)).toBeLessThanOrEqual(0.2 * within(requests))
  }
  expect(retries.length).toBeLessThanOrEqual(0.2 * requests.length)
  expect(retries.length).toBeGreaterThan(requests.length * 0.15)
})
