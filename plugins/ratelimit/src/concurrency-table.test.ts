import { expect, test } from 'vitest'
import { ConcurrencyTable, concurrencyTableBytes } from './concurrency-table.ts'

function workersOf(keys = 1024) {
  const memory = new SharedArrayBuffer(concurrencyTableBytes(keys))
  return (worker: number) => {
    const table = new ConcurrencyTable(memory, keys, worker)
    const hashKey = table.keys.derive('test')
    return { table, acquire: (key: string, limit = 2) => table.acquire(hashKey, key, limit) }
  }
}

test('as many as the limit, over all workers, and again when one has ended', () => {
  const worker = workersOf()
  const one = worker(0)
  const two = worker(1)
  const slot = one.acquire('a')
  expect(slot).toBeGreaterThanOrEqual(0)
  expect(two.acquire('a')).toBe(slot)
  expect(one.acquire('a')).toBe(-1)
  expect(two.acquire('a')).toBe(-1)
  expect(one.acquire('b')).toBeGreaterThanOrEqual(0)
  one.table.release(slot)
  expect(two.acquire('a')).toBe(slot)
})

test('a worker that starts gives back what the one before it held', () => {
  const worker = workersOf()
  const first = worker(0)
  const other = worker(1)
  expect(first.acquire('a')).toBeGreaterThanOrEqual(0)
  expect(other.acquire('a')).toBeGreaterThanOrEqual(0)
  expect(other.acquire('a')).toBe(-1)
  const next = worker(0)
  expect(next.acquire('a')).toBeGreaterThanOrEqual(0)
  expect(next.acquire('a')).toBe(-1)
})

test('a full set gives away what is idle, and nothing else', () => {
  const { table, acquire } = workersOf(8)(0)
  const slots = Array.from({ length: 8 }, (_, index) => acquire(`key ${index}`))
  expect(new Set(slots).size).toBe(8)
  expect(acquire('new')).toBe(-1)
  table.release(slots[3] ?? -1)
  expect(acquire('new')).toBe(slots[3])
  expect(acquire('key 3')).toBe(-1)
  expect(acquire('key 4')).toBe(slots[4])
})
