import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration, parseSize } from './units.ts'

test.each([
  [0, 0],
  [250, 250],
  [1.5, 1.5],
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
  ['0s', 0],
])('duration %j is %j ms', (given, milliseconds) => {
  expect(parseDuration(given)).toBe(milliseconds)
})

test.each([
  [0, 0],
  [1024, 1024],
  ['100b', 100],
  ['16kb', 16_384],
  ['1.5kb', 1_536],
  ['0.3b', 0],
  ['10mb', 10 * 1024 ** 2],
  ['1gb', 1024 ** 3],
])('size %j is %j bytes', (given, bytes) => {
  expect(parseSize(given)).toBe(bytes)
})

const noDuration = ['', '10', 's', '10 s', ' 10s', '10S', '-1s', '1e3s', '.5s', '5.s', '10x', '1s1s', '10constructor']
test.each([
  ...noDuration,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  undefined,
  true,
  {},
  `${'9'.repeat(400)}d`,
  [],
  ['10s'],
  10n,
])('%s is no duration', given => {
  expect(parseDuration(given)).toBeUndefined()
})

test('a unit of one kind is none of the other', () => {
  expect(parseSize('10s')).toBeUndefined()
  expect(parseDuration('10kb')).toBeUndefined()
})

test('whatever is taken is a number that can be counted with', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.double(), fc.anything()), given => {
      for (const parsed of [parseDuration(given), parseSize(given)]) {
        expect(parsed === undefined || (Number.isFinite(parsed) && parsed >= 0)).toBe(true)
      }
    }),
  )
})
