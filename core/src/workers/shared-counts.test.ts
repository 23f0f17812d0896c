import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { clearRow, countBytes, countRows, sharedCounts } from './shared-counts.ts'

function workers(count: number) {
  const buffer = new SharedArrayBuffer(countBytes)
  const secret = randomBytes(32)
  return { buffer, rows: Array.from({ length: count }, (_, row) => sharedCounts(buffer, row, secret, () => {})) }
}

const tries = (number: number, one: () => unknown) => Array.from({ length: number }, one).filter(Boolean).length

test('limits hold for the sum of all workers; what one gives back another may have', () => {
  const [first, second] = workers(2).rows
  if (first === undefined || second === undefined) throw new Error('unreachable')
  expect([tries(3, () => first.enter(5)), tries(3, () => second.enter(5))]).toEqual([3, 2])
  first.leave()
  expect([tries(2, () => second.enter(5)), second.enter(0)]).toEqual([1, true])

  const leave = first.add('::1', 5)
  expect([tries(2, () => first.add('::1', 5)), tries(3, () => second.add('::1', 5))]).toEqual([2, 2])
  expect(tries(1, () => second.add('::2', 5))).toBe(1)
  expect([first.count('::1'), first.count('::2'), first.count('::3')]).toEqual([5, 1, 0])
  leave?.()
  expect(second.count('::1')).toBe(4)
  expect([tries(2, () => second.add('::1', 5)), tries(1, () => second.add('::1', 0))]).toEqual([1, 1])
})

test('the share of a worker that died is given back, and the lock that it held', () => {
  const { buffer, rows } = workers(2)
  const [first, second] = rows
  for (const counts of rows) {
    expect([tries(2, () => counts.enter(4)), tries(2, () => counts.add('::1', 4))]).toEqual([2, 2])
  }
  const locks = new Int32Array(buffer, 4 * countRows, 2_048).fill(1)
  clearRow(buffer, 0)
  expect(locks.every(lock => lock === 0)).toBe(true)
  expect([tries(4, () => second?.enter(4)), tries(4, () => second?.add('::1', 4))]).toEqual([2, 2])
  expect(first?.enter(4)).toBe(false)
})

test('more clients than the table holds are still counted, and none is left over', () => {
  const { buffer, rows } = workers(1)
  const [counts] = rows
  const addresses = Array.from({ length: 34_000 }, (_, number) => `2001:db8::${number.toString(16)}`)
  const leaves = addresses.flatMap(address => counts?.add(address, 1) ?? [])
  expect(leaves).toHaveLength(addresses.length)
  expect(addresses.slice(-500).some(address => counts?.add(address, 1))).toBe(false)
  expect(addresses.every(address => counts?.count(address) === 1)).toBe(true)
  for (const leave of leaves) leave()
  expect(
    new Int32Array(buffer, countBytes - 4 * (32_768 * countRows + 1), 32_768 * countRows).some(count => count !== 0),
  ).toBe(false)
  expect(addresses.slice(-500).every(address => counts?.add(address, 1))).toBe(true)
})
