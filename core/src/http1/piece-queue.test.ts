import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { PieceQueue } from './piece-queue.ts'
import { SocketReader } from './socket-reader.ts'

const reader = new SocketReader(new Socket(), () => {})
const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251))

function filled(sizes: Iterable<number>): PieceQueue {
  const queue = new PieceQueue()
  let at = 0
  for (const size of sizes) {
    queue.push(bytes.subarray(at, at + size))
    queue.keep(reader)
    at += size
  }
  expect(queue.bytes).toBe(at)
  return queue
}

/** What it holds, piece by piece. */
function drained(queue: PieceQueue): Buffer[] {
  const pieces: Buffer[] = []
  for (let { first } = queue; first !== undefined; first = queue.first) {
    pieces.push(first.subarray(queue.at))
    queue.moveTo(first.length)
  }
  expect(queue.bytes).toBe(0)
  return pieces
}

test('bytes that come one by one wait in few pieces', () => {
  const pieces = drained(filled(Array(20_000).fill(1)))
  expect(pieces.length).toBeLessThan(10)
  expect(Buffer.concat(pieces)).toEqual(bytes)
})

test('pieces of every size come out in order, and stay what they are when others come', () => {
  const sizes = [3, 1, 5_000, 1, 1_023, 1_024, 1, 4_000, 1_023, 1_023, 1_023, 1_023, 1]
  const length = sizes.reduce((sum, size) => sum + size)
  expect(Buffer.concat(drained(filled(sizes)))).toEqual(bytes.subarray(0, length))
  const queue = filled([2, 2, 2])
  queue.moveTo(2)
  const { first } = queue
  queue.push(Buffer.from('xy'))
  queue.keep(reader)
  queue.push(Buffer.from('z'))
  queue.keep(reader)
  expect(first).toEqual(bytes.subarray(2, 6))
  expect(Buffer.concat(drained(queue))).toEqual(Buffer.concat([bytes.subarray(2, 6), Buffer.from('xyz')]))
})
