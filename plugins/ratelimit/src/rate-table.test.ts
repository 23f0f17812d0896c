import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Rate, ticksAt } from './algorithms.ts'
import type { Hammer, Hammered } from './hammer.fixture.ts'
import { slotsFor } from './key-table.ts'
import { type Admitted, checkOf, excessOfBucket, mostOfWindow, rateOf } from './limits.fixture.ts'
import { RateTable, rateTableBytes } from './rate-table.ts'

const startMs = Date.UTC(2026, 10, 5)
const fcOptions = { seed: 5, numRuns: 300 }

function tableOf(keys = 1024) {
  const memory = new SharedArrayBuffer(rateTableBytes(keys))
  const table = new RateTable(memory, keys)
  const hashKey = table.keys.derive('test')
  return {
    memory,
    table,
    hashKey,
    /** Asks for a key at a time, in milliseconds from the start. */
    ask(rate: Rate, atMs: number, key = 'key', cost = 1) {
      const check = checkOf(rate, hashKey, key, cost)
      table.decide([check], ticksAt(startMs + atMs))
      return check
    },
  }
}

const schedule = (most: number) =>
  fc.array(fc.tuple(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: most })), fc.integer({ min: 0, max: 3 })), {
    maxLength: 150,
  })
const rates = fc.record({
  limit: fc.integer({ min: 1, max: 20 }),
  windowMs: fc.integer({ min: 5, max: 3000 }),
  burst: fc.integer({ min: 1, max: 30 }),
})

describe('a token bucket', () => {
  test('admits what its bound allows, no more and no less', () => {
    fc.assert(
      fc.property(rates, schedule(500), (given, steps) => {
        const { ask } = tableOf()
        const rate = rateOf(given)
        const admitted: Admitted[] = []
        let atMs = 0
        let tokens = given.burst
        for (const [wait, cost] of steps) {
          atMs += wait
          tokens = Math.min(given.burst, tokens + (wait * given.limit) / given.windowMs)
          const check = ask(rate, atMs, 'key', cost)
          // Rounding to ticks takes from the client, and very little.
          expect(check.admitted || tokens < cost + 1e-3).toBe(true)
          if (!check.admitted) continue
          tokens -= cost
          admitted.push({ atMs, cost })
          expect(Math.abs(check.remaining - tokens)).toBeLessThan(1 + 1e-3)
        }
        expect(excessOfBucket(admitted, rate)).toBeLessThanOrEqual(1e-6)
      }),
      fcOptions,
    )
  })

  test('says when to come again, to the millisecond', () => {
    fc.assert(
      fc.property(rates, schedule(200), (given, steps) => {
        const { ask } = tableOf()
        const rate = rateOf(given)
        let atMs = 0
        for (const [wait, cost] of steps) {
          atMs += wait
          const { admitted, retryTicks } = ask(rate, atMs, 'key', cost)
          if (admitted) continue
          expect(retryTicks === Number.POSITIVE_INFINITY).toBe(cost > given.burst)
          if (cost > given.burst) continue
          const laterMs = atMs + Math.ceil(retryTicks / 16_000)
          if (laterMs - 1 > atMs) expect(ask(rate, laterMs - 1, 'key', cost).admitted).toBe(false)
          expect(ask(rate, laterMs, 'key', cost).admitted).toBe(true)
          atMs = laterMs
        }
      }),
      fcOptions,
    )
  })

  test('is empty, not shut, when the clock is set back', () => {
    const { ask } = tableOf()
    const rate = rateOf({ limit: 10, windowMs: 1000 })
    for (let request = 0; request < 10; request++) expect(ask(rate, 3_600_000).admitted).toBe(true)
    expect(ask(rate, 0).admitted).toBe(false)
    expect(ask(rate, 99).admitted).toBe(false)
    expect(ask(rate, 100).admitted).toBe(true)
    expect(ask(rate, 100).admitted).toBe(false)
  })

  test('does not fill up for a worker that has read the clock earlier than another', () => {
    const { ask } = tableOf()
    const rate = rateOf({ limit: 10, windowMs: 1000 })
    for (let request = 0; request < 10; request++) ask(rate, 500)
    expect(ask(rate, 100).admitted).toBe(false)
    expect(ask(rate, 500).admitted).toBe(false)
    expect(ask(rate, 600).admitted).toBe(true)
  })
})

describe('a sliding window', () => {
  const windowOf = (given: { limit: number; windowMs: number }) => rateOf({ ...given, algorithm: 'slidingWindow' })

  test('admits its limit in a window by the clock, and less than twice of it in any', () => {
    fc.assert(
      fc.property(rates, schedule(500), ({ limit, windowMs }, steps) => {
        const { ask } = tableOf()
        const rate = windowOf({ limit, windowMs })
        const admitted: Admitted[] = []
        let atMs = startMs % windowMs
        const offset = startMs - atMs
        for (const [wait, cost] of steps) {
          atMs += wait
          if (ask(rate, offset + atMs - startMs, 'key', cost).admitted) admitted.push({ atMs, cost })
        }
        const most = mostOfWindow(
          admitted.map(({ atMs, cost }) => ({ atMs: offset + atMs - Date.UTC(2026, 0, 1), cost })),
          rate,
        )
        expect(most.byClock).toBeLessThanOrEqual(limit)
        expect(most.anywhere).toBeLessThan(2 * limit)
      }),
      fcOptions,
    )
  })

  test('weighs the window before by what is in sight of it', () => {
    const { ask } = tableOf()
    const rate = windowOf({ limit: 10, windowMs: 1000 })
    for (let request = 0; request < 10; request++) expect(ask(rate, 0).admitted).toBe(true)
    expect(ask(rate, 999)).toMatchObject({ admitted: false, remaining: 0 })
    expect(ask(rate, 1000).admitted).toBe(false)
    expect(ask(rate, 1500, 'key', 5)).toMatchObject({ admitted: true, remaining: 0 })
    expect(ask(rate, 1500).admitted).toBe(false)
  })

  test('says when to come again, to the millisecond', () => {
    fc.assert(
      fc.property(rates, schedule(200), ({ limit, windowMs }, steps) => {
        const { ask } = tableOf()
        const rate = windowOf({ limit, windowMs })
        let atMs = 0
        for (const [wait, cost] of steps) {
          atMs += wait
          const { admitted, retryTicks } = ask(rate, atMs, 'key', cost)
          if (admitted || cost > limit) continue
          const laterMs = atMs + Math.ceil(retryTicks / 16_000)
          if (laterMs - 1 > atMs) expect(ask(rate, laterMs - 1, 'key', cost).admitted).toBe(false)
          expect(ask(rate, laterMs, 'key', cost).admitted).toBe(true)
          atMs = laterMs
        }
      }),
      fcOptions,
    )
  })

  test('goes on counting when the clock is set back, and is not shut', () => {
    const { ask } = tableOf()
    const rate = windowOf({ limit: 10, windowMs: 1000 })
    for (let request = 0; request < 10; request++) ask(rate, 3_600_000)
    expect(ask(rate, 0).admitted).toBe(false)
    expect(ask(rate, 1000).admitted).toBe(false)
    expect(ask(rate, 1100).admitted).toBe(true)
    expect(ask(rate, 900).admitted).toBe(false)
  })
})

test('a request that one limit refuses takes nothing from the others', () => {
  const { table, hashKey } = tableOf()
  const wide = rateOf({ limit: 100, windowMs: 60_000 })
  const narrow = rateOf({ limit: 2, windowMs: 60_000 })
  const decide = () => {
    const checks = [checkOf(wide, hashKey, 'wide'), checkOf(narrow, hashKey, 'narrow')]
    return { admitted: table.decide(checks, ticksAt(startMs)), remaining: checks.map(check => check.remaining) }
  }
  expect(decide()).toEqual({ admitted: true, remaining: [99, 1] })
  expect(decide()).toEqual({ admitted: true, remaining: [98, 0] })
  expect(decide()).toEqual({ admitted: false, remaining: [98, 0] })
  expect(decide()).toEqual({ admitted: false, remaining: [98, 0] })
})

test('what was taken can be given back, as long as nobody else has used the key since', () => {
  const { table, hashKey, ask } = tableOf()
  const rate = rateOf({ limit: 3, windowMs: 60_000 })
  const first = checkOf(rate, hashKey, 'key')
  table.decide([first], ticksAt(startMs))
  table.undo([first])
  table.undo([first])
  expect(ask(rate, 0).remaining).toBe(2)
  const second = checkOf(rate, hashKey, 'key')
  table.decide([second], ticksAt(startMs))
  expect(ask(rate, 0).remaining).toBe(0)
  table.undo([second])
  expect(ask(rate, 0).admitted).toBe(false)
})

describe('memory', () => {
  test('is bounded under 1,000,000 keys in a minute, and does not forget who has used up his limit', {
    timeout: 60_000,
  }, () => {
    const { memory, ask } = tableOf(131_072)
    const rate = rateOf({ limit: 100, windowMs: 60_000 })
    for (let request = 0; request < 100; request++) ask(rate, 0, 'greedy')
    let admitted = 0
    for (let key = 0; key < 1_000_000; key++) {
      const atMs = Math.floor(key * 0.06)
      ask(rate, atMs, `flood ${key}`)
      if (key % 1000 === 0 && ask(rate, atMs, 'greedy').admitted) admitted++
    }
    expect(memory.byteLength).toBeLessThan(131_072 * 21)
    // What comes back to him in that minute.
    expect(admitted).toBeLessThanOrEqual(100)
    expect(admitted).toBeGreaterThan(90)
  })

  test('a new key takes the place of the one that is soonest back to its full quota', () => {
    const { ask } = tableOf(8)
    const rate = rateOf({ limit: 10, windowMs: 60_000 })
    for (let key = 0; key < 8; key++) for (let cost = 0; cost <= key; cost++) ask(rate, 0, `key ${key}`)
    expect(ask(rate, 0, 'new').remaining).toBe(9)
    expect(ask(rate, 0, 'key 7').remaining).toBe(1)
    // It was thrown out, and throws out the next.
    expect(ask(rate, 0, 'key 0').remaining).toBe(9)
    expect(ask(rate, 0, 'key 6').remaining).toBe(2)
  })
})

test('two threads admit what one would', async () => {
  for (const seed of [1, 2, 3]) {
    const pace = [rateOf({ limit: 40, windowMs: 50, burst: 25 }), rateOf({ limit: 60, windowMs: 50, burst: 40 })]
    const names = Array.from({ length: seed * 7 }, (_, index) => `key ${index}`)
    const keys = seed === 3 ? 64 : 1024
    const workerData: Hammer = {
      memory: new SharedArrayBuffer(rateTableBytes(keys)),
      clock: new SharedArrayBuffer(8),
      keys,
      rates: pace,
      names,
      fromMs: startMs,
      untilMs: 100,
    }
    // A hash by which no nine keys share a set of the small table. Left to chance, every other run throws keys out,
    // and a key that is thrown out rightly starts anew.
    new Int32Array(workerData.memory, 12 * slotsFor(keys), 2).fill(3)
    const threads = [0, 1].map(() => new Worker(new URL('./hammer.fixture.ts', import.meta.url), { workerData }))
    const results = await Promise.all(threads.map(async thread => (await once(thread, 'message')) as [Hammered]))
    await Promise.all(threads.map(thread => thread.terminate()))
    const all = results.flatMap(([admitted]) => admitted).toSorted(([, a], [, b]) => a - b)
    for (const name of names) {
      const admitted = all.flatMap(([key, atMs]) => (key === name ? [{ atMs, cost: 1 }] : []))
      expect(admitted.length).toBeGreaterThanOrEqual(25)
      for (const rate of pace) expect(excessOfBucket(admitted, rate)).toBeLessThanOrEqual(1e-6)
    }
  }
})
