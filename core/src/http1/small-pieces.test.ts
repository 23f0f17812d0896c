import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { SmallPieces } from './small-pieces.ts'

const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251))

/** A stream that is pushed these sizes, and what of it is read once it flows. */
function filled(sizes: readonly number[], mostBytes = 65_536) {
  const stream = new Readable({ read() {} })
  const small = new SmallPieces(stream, mostBytes)
  let at = 0
  const goOn = sizes.map(size => {
    at += size
    return stream.push(bytes.subarray(at - size, at))
  })
  const read = async () => {
    small.flush()
    stream.push(null)
    const pieces: Buffer[] = []
    stream.on('data', piece => pieces.push(piece))
    await new Promise(resolve => stream.on('end', resolve))
    return pieces
  }
  return { stream, small, goOn, read }
}

test('bytes that come one by one wait in few pieces', async () => {
  const pieces = await filled(Array(20_000).fill(1)).read()
  expect(pieces.length).toBeLessThan(10)
  expect(Buffer.concat(pieces)).toEqual(bytes)
})

test('pieces of every size come out in order', async () => {
  const sizes = [3, 1, 5_000, 1, 1_023, 1_024, 1, 4_000, 1_023, 1_023, 1_023, 1_023, 1]
  const length = sizes.reduce((sum, size) => sum + size)
  expect(Buffer.concat(await filled(sizes).read())).toEqual(bytes.subarray(0, length))
})

test('the end comes behind what waits', async () => {
  const { stream, read } = filled([1, 2, 3])
  expect(stream.readableLength).toBe(0)
  expect(Buffer.concat(await read())).toEqual(bytes.subarray(0, 6))
})

test('the source is told to wait at the bytes that may be held', () => {
  expect(filled([500, 499, 1, 1], 1_000).goOn).toEqual([true, true, false, false])
  expect(filled([1], 0).goOn).toEqual([false])
})

test('released, the stream is as it was, with what waited', async () => {
  const { stream, small, read } = filled([1, 1])
  expect(small.any).toBe(true)
  small.release()
  stream.push(bytes.subarray(2, 3))
  expect([small.any, Object.hasOwn(stream, 'push')]).toEqual([false, false])
  expect(await read()).toEqual([bytes.subarray(0, 2), bytes.subarray(2, 3)])
})
