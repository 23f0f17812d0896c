import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ReplayBuffer } from './replay-buffer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const clock = { now: () => Date.now(), after: () => () => {} }
const limits = { events: 100, bytes: 1_000, maxAge: 60_000 }
const event = (id: string | undefined, text = `${id}`) => ({
  bytes: Buffer.from(text),
  id,
  retry: undefined,
  comment: false,
})
const after = (buffer: ReplayBuffer, id: string) => buffer.after(id)?.map(bytes => Buffer.from(bytes).toString())

test('keeps so many events', () => {
  const buffer = new ReplayBuffer({ ...limits, events: 2 }, clock)
  buffer.add(['1', '2', '3'].map(id => event(id)))
  expect([after(buffer, '1'), after(buffer, '2'), after(buffer, '3')]).toEqual([undefined, ['3'], []])
})

test('keeps so many bytes', () => {
  const buffer = new ReplayBuffer({ ...limits, bytes: 10 }, clock)
  buffer.add([event('1', 'aaaaa'), event('2', 'bbbbb'), event('3', 'c')])
  expect([after(buffer, '1'), after(buffer, '2')]).toEqual([undefined, ['c']])
  buffer.add([event('4', 'd'.repeat(11))])
  expect(after(buffer, '4')).toBeUndefined()
})

test('keeps them for so long', () => {
  const buffer = new ReplayBuffer(limits, clock)
  buffer.add([event('1')])
  vi.advanceTimersByTime(40_000)
  buffer.add([event('2')])
  vi.advanceTimersByTime(40_000)
  expect([after(buffer, '1'), after(buffer, '2'), buffer.lastId]).toEqual([undefined, [], '2'])
  vi.advanceTimersByTime(40_000)
  expect([after(buffer, '2'), buffer.lastId]).toEqual([undefined, ''])
})

test('an event without an id has the one before it; comments are not kept', () => {
  const buffer = new ReplayBuffer(limits, clock)
  buffer.add([event('1'), event(undefined, 'a'), { ...event(undefined, ':'), comment: true }, event('2')])
  expect(after(buffer, '1')).toEqual(['2'])
})

test('keeps copies', () => {
  const bytes = Buffer.from('one')
  const buffer = new ReplayBuffer(limits, clock)
  buffer.add([event('0'), { ...event('1'), bytes }])
  bytes.fill(0)
  expect(after(buffer, '0')).toEqual(['one'])
})
