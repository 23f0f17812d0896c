/** Bodies that both ends know: which one and where in it is told by every few bytes of it. */
import { Random } from './random.ts'

// Prime, so that no power of two shifts it onto itself.
const period = 65_521
const random = new Random(1)
// Twice over, so that a piece needs no wrapping.
const bytes = Buffer.alloc(2 * period)
for (let i = 0; i < period; i++) bytes[i] = bytes[i + period] = random.between(0, 255)

/** At most so many bytes of body `id` from `at` on. */
export function pieceOf(id: number, at: number, length: number): Buffer {
  const from = (id + at) % period
  return bytes.subarray(from, from + Math.min(length, period))
}

/** Reads along as a body passes. */
export class BodyCheck {
  received = 0
  wrong = false
  readonly #id: number

  constructor(id: number) {
    this.#id = id
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const expected = pieceOf(this.#id, this.received, chunk.length - at)
      if (expected.compare(chunk, at, at + expected.length) !== 0) this.wrong = true
      at += expected.length
      this.received += expected.length
    }
  }
}
