import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ClientStream } from './client-stream.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const clock = {
  now: () => Date.now(),
  after(ms: number, task: () => void) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
const read = (client: ClientStream) => String(client.read() ?? '')

test('a comment comes after so much silence, and an event is no silence', () => {
  const client = new ClientStream(clock, 15_000)
  vi.advanceTimersByTime(10_000)
  client.send(Buffer.from('data: a\n\n'), 1)
  expect(read(client)).toBe('data: a\n\n')
  vi.advanceTimersByTime(14_999)
  expect(read(client)).toBe('')
  vi.advanceTimersByTime(1)
  expect(read(client)).toBe(':\n\n')
  vi.advanceTimersByTime(15_000)
  expect(read(client)).toBe(':\n\n')
  client.destroy()
})

test('comments do not pile up for a client that reads nothing', () => {
  const client = new ClientStream(clock, 15_000)
  vi.advanceTimersByTime(15_000_000)
  expect(client.readableLength).toBe(3)
  client.destroy()
})

test('nothing runs on once it has ended or was given up', () => {
  const ended = new ClientStream(clock, 15_000)
  ended.finish(3_000)
  ended.finish(9_000)
  ended.send(Buffer.from('late'), 1)
  new ClientStream(clock, 15_000).destroy()
  expect(read(ended)).toBe('retry: 3000\n\n')
  expect(vi.getTimerCount()).toBe(0)
})
