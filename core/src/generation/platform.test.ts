import { expect, onTestFinished, test, vi } from 'vitest'
import { machine } from './platform.ts'

const day = 86_400_000

test('times longer than a timer of Node takes', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const [late, never, often] = [vi.fn(), vi.fn(), vi.fn()]
  machine.after(60 * day, late)
  const callOff = machine.after(60 * day, never)
  const stop = machine.every(60 * day, often)
  vi.advanceTimersByTime(59 * day)
  callOff()
  expect([late.mock.calls.length, often.mock.calls.length]).toEqual([0, 2])
  stop()
  vi.advanceTimersByTime(100 * day)
  expect([late, never, often].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 2])
})
