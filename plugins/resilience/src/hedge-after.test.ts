import { describe, expect, test } from 'vitest'
import { hedgeAfter } from './hedge-after.ts'
import { Latencies } from './latencies.ts'

const fill = (latencies: Latencies, times: readonly number[]) => {
  for (const ms of times) latencies.add(ms)
}
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('times to an answer', () => {
  test.each([
    [0.5, 500],
    [0.95, 950],
    [0.99, 990],
  ])('part %d of 1 to 1,000 ms is within a tenth of %d', (part, ms) => {
    const latencies = new Latencies()
    fill(latencies, upTo(1_000))
    expect(latencies.percentile(part) / ms).toBeGreaterThan(0.9)
    expect(latencies.percentile(part) / ms).toBeLessThan(1.1)
  })

  test('say nothing while there are few, and take any', () => {
    const latencies = new Latencies()
    fill(latencies, upTo(99))
    expect(latencies.percentile(0.5)).toBe(0)
    fill(latencies, [-1, 0, 1e12])
    expect(latencies.percentile(0.5)).toBeGreaterThan(0)
    expect(latencies.percentile(1)).toBeGreaterThan(1e6)
  })

  test('forget: what is now counts more than what was', () => {
    const latencies = new Latencies()
    fill(latencies, Array(4_000).fill(1_000))
    fill(latencies, Array(10_000).fill(10))
    expect(latencies.percentile(0.75)).toBeLessThan(12)
  })
})

describe('a hedge', () => {
  test('after a time', () => {
    const hedge = hedgeAfter(80, new Latencies(), () => false)
    expect([hedge.afterMs, hedge.may()]).toEqual([80, false])
  })

  test('after a percentile, which does not sink because of hedges that win', () => {
    const latencies = new Latencies()
    fill(latencies, upTo(1_000))
    const hedge = hedgeAfter('p90', latencies, () => true)
    const first = hedge.afterMs
    for (let round = 0; round < 50; round++) {
      for (const ms of upTo(1_000)) {
        // Who is slower is overtaken and never tells.
        if (ms > hedge.afterMs) hedge.may()
        else latencies.add(ms)
      }
    }
    expect(hedge.afterMs / first).toBeGreaterThan(0.85)
    expect(hedge.afterMs / first).toBeLessThan(1.2)
  })
})
