import { expect, test } from 'vitest'
import { keepAliveMs } from './client-keep-alive.ts'

test.each([
  [undefined, Infinity],
  ['', Infinity],
  ['max=100', Infinity],
  ['timeout=5', 4_000],
  ['max=100, Timeout = "60"', 59_000],
  ['timeout=1', 0],
  ['timeout=0', 0],
  ['xtimeout=9', Infinity],
  ['timeout=-5', Infinity],
])('%j', (field, ms) => {
  expect(keepAliveMs(field)).toBe(ms)
})
