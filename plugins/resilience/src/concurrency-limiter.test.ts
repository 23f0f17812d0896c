import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Limiter, type LimiterRules, type Place, type Waiter } from './concurrency-limiter.ts'

function start(given: Partial<LimiterRules> = {}) {
  let rules: LimiterRules = { limit: 2, queue: 2, maxWait: 1_000, adaptive: undefined, ...given }
  let idle = 0
  const timers: { ms: number; run: (() => void) | undefined }[] = []
  const after = (ms: number, run: () => void) => {
    const timer: (typeof timers)[number] = { ms, run }
    timers.push(timer)
    return () => {
      timer.run = undefined
    }
  }
  const limiter = new Limiter(rules, () => void idle++)
  const heard: string[] = []
  /** Enters, or waits under a name. */
  function enter(name = ''): Place | undefined {
    const place = limiter.enter(rules)
    if (place !== undefined) return place
    const waiter: Waiter | undefined = limiter.wait(after)
    void waiter?.admitted.then(admitted => heard.push(`${name} ${admitted}`))
    return waiter
  }
  return {
    limiter,
    timers,
    heard,
    enter,
    idle: () => idle,
    change(other: Partial<LimiterRules>) {
      rules = { ...rules, ...other }
    },
    counts: () => [limiter.inUse, limiter.waiting],
  }
}

describe('a limiter', () => {
  test('lets so many in, lets so many wait in order, and refuses the rest', async () => {
    const { enter, counts, heard, timers } = start()
    const first = enter()
    enter()
    for (const name of ['a', 'b']) enter(name)
    expect(enter()).toBeUndefined()
    expect(counts()).toEqual([2, 2])
    first?.leave()
    await turn()
    expect([heard, counts()]).toEqual([['a true'], [2, 1]])
    expect(timers.map(({ ms, run }) => [ms, run !== undefined])).toEqual([
      [1_000, false],
      [1_000, true],
    ])
  })

  test('who comes later does not overtake who waits', () => {
    const { limiter, enter, counts, change } = start({ limit: 1 })
    const first = enter()
    const waiting = enter()
    first?.leave()
    expect(counts()).toEqual([1, 0])
    enter()
    change({ limit: 1, queue: 5 })
    expect(enter()).not.toBe(limiter)
    expect(counts()).toEqual([1, 2])
    waiting?.leave()
    expect(counts()).toEqual([1, 1])
  })

  test('who leaves the queue, or waits too long, is in it no more', async () => {
    const { enter, counts, heard, timers, idle } = start({ limit: 1 })
    const first = enter()
    const leaving = enter('a')
    const late = enter('b')
    leaving?.leave()
    expect(timers.map(({ run }) => run !== undefined)).toEqual([false, true])
    timers[1]?.run?.()
    await turn()
    expect([counts(), heard]).toEqual([[1, 0], ['b false']])
    for (const place of [leaving, late]) place?.leave()
    expect([counts(), idle()]).toEqual([[1, 0], 0])
    first?.leave()
    expect([counts(), idle()]).toEqual([[0, 0], 1])
  })

  test('who leaves with a place that he does not know of yet gives it back', () => {
    const { enter, counts } = start({ limit: 1 })
    const first = enter()
    const waiting = enter()
    first?.leave()
    expect(counts()).toEqual([1, 0])
    waiting?.leave()
    waiting?.leave()
    expect(counts()).toEqual([0, 0])
  })

  test('other rules hold from the next request on, also for those who wait', async () => {
    const { enter, counts, change, heard } = start({ limit: 1 })
    enter()
    enter('a')
    enter('b')
    change({ limit: 4 })
    enter()
    await turn()
    expect([heard, counts()]).toEqual([
      ['a true', 'b true'],
      [4, 0],
    ])
    change({ limit: 1, queue: 0 })
    expect(enter()).toBeUndefined()
  })

  test('an adaptive limit begins where it is told to, and lets in who waits when it grows', async () => {
    const adaptive = { min: 1, max: 100, tolerance: 1.5 }
    const { limiter, enter, heard, counts } = start({ limit: 4, adaptive })
    for (let i = 0; i < 4; i++) enter()
    enter('a')
    expect(counts()).toEqual([4, 1])
    for (let window = 1; window < 10; window++) {
      for (let i = 0; i < 10; i++) limiter.sample(10, window * 1_000, adaptive)
    }
    await turn()
    expect([heard, limiter.limit > 4]).toEqual([['a true'], true])
  })
})
