import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frame } from '../../../test/support/websocket.ts'
import { FrameScanner } from './frame-scanner.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]

test.each(lengths.flatMap(length => [true, false].map(mask => ({ length, mask }))))(
  'a frame of $length bytes, masked: $mask, ends where it ends, wherever it is cut',
  ({ length, mask }) => {
    const whole = bytes(frame(2, 'x'.repeat(length), { mask }))
    const head = whole.length - length
    const cuts = [...Array(head + 1).keys(), head + (length >> 1), whole.length - 1, whole.length]
    for (const cut of cuts.filter(at => at >= 0 && at <= whole.length)) {
      const scanner = new FrameScanner()
      scanner.scan(whole.subarray(0, cut))
      expect(scanner.between).toBe(cut === 0 || cut === whole.length)
      const rest = Buffer.concat([whole.subarray(cut), bytes(frame(1, 'next', { mask }))])
      if (cut === whole.length) continue
      expect(scanner.scan(rest, 0, true)).toBe(whole.length - cut)
      expect([scanner.between, scanner.messages]).toEqual([true, 1])
      scanner.scan(rest, whole.length - cut)
      expect([scanner.between, scanner.messages]).toEqual([true, 2])
    }
  },
)

const anyFrame = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  fin: fc.boolean(),
  rsv: fc.integer({ min: 0, max: 7 }),
  mask: fc.boolean(),
  length: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constantFrom(...lengths)),
})

test('any frames, cut anywhere: the same ends, the same messages', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat()), (frames, cuts) => {
      const parts = frames.map(({ opcode, length, ...rest }) => bytes(frame(opcode, 'x'.repeat(length), rest)))
      const whole = Buffer.concat(parts)
      const ends = new Set([0])
      let end = 0
      for (const part of parts) {
        end += part.length
        ends.add(end)
      }
      const places = [...new Set(cuts.map(cut => cut % (whole.length + 1)))].toSorted((a, b) => a - b)
      const scanner = new FrameScanner()
      let at = 0
      for (const place of [...places, whole.length]) {
        scanner.scan(whole.subarray(at, place))
        at = place
        expect(scanner.between).toBe(ends.has(place))
      }
      expect(scanner.messages).toBe(frames.filter(({ opcode, fin }) => fin && opcode < 8).length)
    }),
    { seed: 6455, numRuns: 300 },
  )
})

test('a Close shows at its first byte; what can not be counted does not end', () => {
  const scanner = new FrameScanner()
  scanner.scan(bytes(frame(8)).subarray(0, 1))
  expect(scanner.closing).toBe(true)
  const endless = new FrameScanner()
  endless.scan(Buffer.from([0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
  expect([endless.between, endless.messages]).toEqual([false, 0])
})
