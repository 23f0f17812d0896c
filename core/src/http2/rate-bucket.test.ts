import { afterEach, expect, test, vi } from 'vitest'
import { RateBucket } from './rate-bucket.ts'

afterEach(() => void vi.useRealTimers())

test('lets a burst through, then so many a second, and never more than a burst', () => {
  vi.useFakeTimers()
  const bucket = new RateBucket(10, 5)
  const taken = () => {
    let count = 0
    while (bucket.take()) count++
    return count
  }
  expect(taken()).toBe(10)
  vi.advanceTimersByTime(1_000)
  expect(taken()).toBe(5)
  vi.advanceTimersByTime(100)
  expect(taken()).toBe(0)
  vi.advanceTimersByTime(100)
  expect(taken()).toBe(1)
  vi.advanceTimersByTime(60_000)
  expect(taken()).toBe(10)
})
