import type { Context, Host } from '@gateway/core'
import { defineSlot } from '@gateway/core'
import { expect, test } from 'vitest'
import { Gate, partOf } from './concurrency-gate.ts'
import type { Place } from './concurrency-limiter.ts'
import { limitSchema } from './concurrency-options.ts'

test('of several workers each has its part, and at least one place', () => {
  const rules = { limit: 10, queue: 5, maxWait: 1, adaptive: { min: 2, max: 10, tolerance: 1.5 } }
  const parts = [0, 1, 2, 3].map(index => partOf(rules, { index, count: 4 }))
  expect(parts.map(({ limit, queue, adaptive }) => [limit, queue, adaptive?.min, adaptive?.max])).toEqual([
    [3, 2, 1, 3],
    [3, 1, 1, 3],
    [2, 1, 1, 2],
    [2, 1, 1, 2],
  ])
})

test('a key is forgotten with its last request', () => {
  const limiters = new Map<string, unknown>()
  const worker = { index: 0, count: 1 }
  const host = { worker, share: () => limiters, clock: { after: () => () => {} } } as object as Host
  const slot = defineSlot<Place>()('test.place')
  const options = limitSchema.parse({ limit: 1, by: (ctx: Context) => ctx.id })
  const gate = new Gate(host, { name: 'test', options, slot, hasTarget: () => true })
  function enter(id: string): Context {
    let place: unknown
    const ctx = {
      id,
      get: () => place,
      set(_slot: unknown, value: unknown) {
        place = value
      },
    }
    expect(gate.enter(ctx as object as Context)).toBeUndefined()
    return ctx as object as Context
  }
  const all = ['a', 'b', 'c'].map(enter)
  expect(limiters.size).toBe(3)
  for (const ctx of all) ctx.get(slot)?.leave()
  expect(limiters.size).toBe(0)
})
