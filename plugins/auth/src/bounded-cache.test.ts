import { expect, test } from 'vitest'
import { BoundedCache } from './bounded-cache.ts'

test('holds so many entries, and those in use rather than others', () => {
  const cache = new BoundedCache<number>(3)
  for (const [key, value] of Object.entries({ a: 1, b: 2, c: 3 })) cache.set(key, value)
  expect(cache.get('a')).toBe(1)
  cache.set('d', 4)
  expect(['a', 'b', 'c', 'd'].map(key => cache.get(key))).toEqual([1, undefined, 3, 4])
  expect(cache.size).toBe(3)
  cache.set('d', 5)
  expect([cache.get('d'), cache.size]).toEqual([5, 3])
  cache.delete('d')
  expect([cache.get('d'), cache.size]).toEqual([undefined, 2])
})

test('never grows, also when all are in use', () => {
  const cache = new BoundedCache<number>(100)
  for (let i = 0; i < 10_000; i++) {
    cache.set(String(i), i)
    for (let j = i - 50; j <= i; j++) cache.get(String(j))
    expect(cache.size).toBeLessThanOrEqual(100)
  }
  expect(cache.get('9999')).toBe(9999)
})

test('of size 0 holds nothing', () => {
  const cache = new BoundedCache<number>(0)
  cache.set('a', 1)
  expect([cache.get('a'), cache.size]).toEqual([undefined, 0])
})
