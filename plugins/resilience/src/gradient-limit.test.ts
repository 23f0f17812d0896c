import { describe, expect, test } from 'vitest'
import { GradientLimit } from './gradient-limit.ts'

const options = { min: 2, max: 200, tolerance: 1.5 }

/** An upstream that answers so many requests at a time, each in 10 ms, and lets the others wait. */
function simulate(
  limit: GradientLimit,
  seconds: number,
  capacity: () => number,
  demand: () => number,
  since = 0,
): number {
  let now = since
  while (now < since + seconds * 1_000) {
    const inUse = Math.min(limit.within(options), demand())
    const latency = 10 * Math.max(1, inUse / capacity())
    for (let i = 0; i < inUse; i++) limit.sample(latency, inUse, now, options)
    now += latency
  }
  return now
}

const of = (number: number) => () => number

describe('a limit that is learned', () => {
  test('finds out what the upstream can do, and does not flood it', () => {
    const limit = new GradientLimit(5)
    let now = 0
    const seen: number[] = []
    for (let minute = 0; minute < 10; minute++) {
      now = simulate(limit, 60, of(40), of(1_000), now)
      seen.push(limit.within(options))
    }
    // Full at 40, it takes half as long again with 60; sqrt(68) more than that is where it stays, not only for a while.
    for (const value of seen) expect(value).toBeLessThanOrEqual(70)
    expect(Math.max(...seen)).toBeGreaterThanOrEqual(66)
  })

  test('falls when the upstream slows down, and comes back', () => {
    const limit = new GradientLimit(20)
    let now = simulate(limit, 30, of(40), of(1_000))
    const before = limit.within(options)
    now = simulate(limit, 3, of(10), of(1_000), now)
    expect(limit.within(options)).toBeLessThan(before / 2)
    simulate(limit, 60, of(40), of(1_000), now)
    expect(limit.within(options)).toBeGreaterThanOrEqual(40)
  })

  test('is lowered for two windows to see what is usual, and forgets what the queue shows meanwhile', () => {
    const limit = new GradientLimit(50)
    let now = 0
    const window = (latency: number, inUse = limit.within(options)) => {
      now += 100
      for (let i = 0; i < 10; i++) limit.sample(latency, inUse, now, options)
      return limit.within(options)
    }
    let before = 0
    let after = window(10)
    while (after >= before) [before, after] = [after, window(10)]
    const lowered = Math.floor(options.max / (2 * options.tolerance))
    expect([before, after, window(90, options.max), window(10)]).toEqual([options.max, lowered, lowered, options.max])
  })

  test('does not grow while nobody needs it', () => {
    const limit = new GradientLimit(50)
    simulate(limit, 60, of(40), of(20))
    expect(limit.within(options)).toBe(50)
  })

  test('falls by a tenth when attempts fail, no further than to its minimum', () => {
    const limit = new GradientLimit(50)
    const fail = (now: number) => {
      for (let i = 0; i < 10; i++) limit.sample(undefined, 50, now, options)
    }
    fail(1_000)
    expect(limit.within(options)).toBe(45)
    fail(1_050)
    expect(limit.within(options)).toBe(45)
    for (let now = 2_000; now < 10_000; now += 100) fail(now)
    expect(limit.within(options)).toBe(2)
  })

  test('keeps within bounds that a reload has narrowed', () => {
    const limit = new GradientLimit(50)
    expect(limit.within({ ...options, max: 30 })).toBe(30)
    expect(limit.within({ ...options, min: 60 })).toBe(60)
  })
})
