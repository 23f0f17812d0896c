const CLOSE = 8
const FIN = 0x80
const MASKED = 0x80
/** Lengths beyond this many bytes would not be counted right. No connection will carry one. */
const largest = Number.MAX_SAFE_INTEGER

/**
 * Follows the frames (RFC 6455 section 5.2) in one direction of a connection by their heads alone: where each ends, how
 * many messages there were, and whether the Close frame has come. It keeps no byte of a payload and judges nothing.
 */
export class FrameScanner {
  /** That have come whole. */
  messages = 0
  /** The Close frame has begun: no other frame comes after it. */
  closing = false
  /** Bytes of the head read, and how many it has as far as is known. */
  #read = 0
  #size = 2
  #first = 0
  /** Where in the head the length ends. */
  #lengthEnd = 2
  /** Of the payload, as its head tells. */
  #length = 0
  /** Of the payload, still to come. */
  #left = 0

  /** Between two frames. */
  get between(): boolean {
    return this.#read === 0 && this.#left === 0
  }

  /**
   * Goes on by a chunk, or only as far as the end of the frame under way.
   *
   * @returns where it stopped: the chunk's length, or the place after the frame.
   */
  scan(chunk: Uint8Array, from = 0, oneFrame = false): number {
    let at = from
    while (at < chunk.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at)
        this.#left -= step
        at += step
      } else {
        this.#readHead(chunk[at++] ?? 0)
      }
      if (this.#left > 0 || this.#read > 0) continue
      if (this.#ends()) this.messages++
      if (oneFrame) return at
    }
    return at
  }

  #readHead(byte: number): void {
    const place = this.#read++
    if (place === 0) {
      this.#first = byte
      if ((byte & 0x0f) === CLOSE) this.closing = true
    } else if (place === 1) {
      const length = byte & 0x7f
      const extended = length === 126 ? 2 : length === 127 ? 8 : 0
      this.#size = 2 + extended + ((byte & MASKED) === 0 ? 0 : 4)
      this.#length = extended === 0 ? length : 0
      this.#lengthEnd = 2 + extended
    } else if (place < this.#lengthEnd) {
      this.#length = Math.min(this.#length * 256 + byte, largest)
    }
    if (this.#read < this.#size || this.#read < 2) return
    this.#read = 0
    this.#size = 2
    this.#left = this.#length
  }

  /** The frame that has just come whole was the last of a message. */
  #ends(): boolean {
    return (this.#first & FIN) !== 0 && (this.#first & 0x0f) < CLOSE
  }
}
