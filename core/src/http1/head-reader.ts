import { Fields } from './fields.ts'
import { defaultHeadLimits, type HeadKind, type HeadLimits, HeadScanner, rows, type Side } from './head-scanner.ts'

export { defaultHeadLimits, type HeadLimits, type Side } from './head-scanner.ts'

const sideOf = { request: 'client', response: 'upstream', trailers: 'client' } as const

/**
 * Reads one head after another off a connection, strictly and incrementally (RFC 9112 sections 2 to 5). Every byte is
 * looked at once, wherever the pieces are cut, and the cuts change neither result nor error.
 *
 * `read` gives true when a head is whole: `text` and `fields` then describe it, with the offsets of the start line.
 */
export class HeadReader extends HeadScanner {
  /** The head's text, latin1, from the start line to the empty line. */
  text = ''
  fields: Fields = noFields
  /** Index in the piece last given to `read` of the first byte it did not take. */
  consumed = 0
  readonly #maxBytes: number
  /** The head's bytes when it came in several pieces, and the rows found in them. */
  #pieces: Buffer | undefined
  #rows: number[] | undefined

  constructor(kind: HeadKind, limits: HeadLimits = defaultHeadLimits, side: Side = sideOf[kind]) {
    super(kind, limits, side)
    this.#maxBytes = limits.maxHeadBytes
  }

  /** No byte of the next head has come, or no more than the empty lines before a request line. */
  get idle(): boolean {
    return this.scanned === 0
  }

  /**
   * Reads on in `piece` from `start`. True when the head is whole; false when all was taken and more is needed.
   * Throws GatewayError: from a client with the status to answer, from an upstream GATEWAY_UPSTREAM_INVALID. The reader
   * is of no use after that.
   */
  read(piece: Buffer, start: number): boolean {
    let from = start
    if (this.beforeHead) {
      from = this.skipEmptyLines(piece, from)
      if (this.beforeHead) {
        this.consumed = from
        return false
      }
    }
    const held = this.#pieces
    if (held === undefined) {
      if (!this.scan(piece, from, piece.length)) {
        this.#hold(piece, from)
        this.consumed = piece.length
        return false
      }
      this.consumed = from + this.scanned
      this.#finish(piece, from)
      return true
    }
    const before = this.scanned
    const room = this.#maxBytes - before
    const taken = Math.min(room, piece.length - from)
    const whole = grow(held, before, taken)
    piece.copy(whole, before, from, from + taken)
    this.#pieces = whole
    this.#restoreRows()
    if (!this.scan(whole, 0, before + taken)) {
      this.#rows = rows.slice(0, this.used)
      this.consumed = piece.length
      return false
    }
    this.consumed = from + this.scanned - before
    this.#finish(whole, 0)
    return true
  }

  #hold(piece: Buffer, from: number): void {
    const length = piece.length - from
    const held = Buffer.allocUnsafe(Math.max(1024, length * 2))
    piece.copy(held, 0, from)
    this.#pieces = held
    this.#rows = rows.slice(0, this.used)
  }

  #restoreRows(): void {
    const saved = this.#rows ?? []
    for (let i = 0; i < saved.length; i++) rows[i] = saved[i] ?? 0
  }

  /** Takes the result out and makes ready for the next head. */
  #finish(bytes: Buffer, base: number): void {
    const length = this.scanned
    this.text = bytes.toString('latin1', base, base + length)
    this.fields = new Fields(this.text, rows.slice(0, this.used), length - 2, this.mask)
    this.reset()
    this.#pieces = undefined
    this.#rows = undefined
  }
}

const noFields = new Fields()

function grow(held: Buffer, used: number, more: number): Buffer {
  if (used + more <= held.length) return held
  const larger = Buffer.allocUnsafe((used + more) * 2)
  held.copy(larger, 0, 0, used)
  return larger
}
