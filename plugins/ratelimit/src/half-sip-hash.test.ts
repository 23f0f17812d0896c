import { expect, test } from 'vitest'
import { digest, halfSipHash } from './half-sip-hash.ts'

// The authors' vectors (github.com/veorq/SipHash, vectors_hsip64): key 00..07, input 00 01 02 … of as many bytes.
test.each([
  [0, '218d1f59b9b83cc8'],
  [2, '064f39ef7c50eb57'],
  [4, 'd5e78a175be52ea1'],
  [6, 'ce3e91358aa2bc25'],
  [8, 'edfee820bce4858c'],
])('of %d bytes', (bytes, expected) => {
  const input = Buffer.from(Array.from({ length: bytes }, (_, index) => index))
  halfSipHash(0x03020100, 0x07060504, input.toString('utf16le'))
  const output = Buffer.alloc(8)
  output.writeInt32LE(digest.low, 0)
  output.writeInt32LE(digest.high, 4)
  expect(output.toString('hex')).toBe(expected)
})
