import { GatewayError } from '@gateway/core'

/** A stretch of a stream that can be passed on by itself: an event, or comments between two. */
export interface ServerEvent {
  /** As they came, with the blank line that ends it. Views of what was pushed, unless it came in pieces. */
  readonly bytes: Uint8Array
  /** Last event ID from here on, as Latin-1; undefined: as before. */
  readonly id: string | undefined
  /** Milliseconds that the upstream asks clients to wait before they come back. */
  readonly retry: number | undefined
  readonly comment: boolean
}

const lf = 0x0a
const cr = 0x0d
const colon = 0x3a
const bom = [0xef, 0xbb, 0xbf]
const nothing = new Uint8Array(0)

/**
 * Cuts an event stream into events (WHATWG HTML, sections 9.2.5 and 9.2.6), however it comes in pieces. An event is there
 * with the first byte of its blank line's end: a CR that could be half of a CRLF is not waited for, and the LF is dropped.
 */
export class EventParser {
  readonly #maxSize: number
  /** What may become a byte order mark; undefined once the stream has begun. */
  #start: Uint8Array | undefined = nothing
  #pending: Uint8Array[] = []
  #pendingSize = 0
  #atLineStart = true
  #afterCr = false
  #dropLf = false
  #onlyComments = true

  /** `maxSize`: bytes that an event may have. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize
  }

  /** @throws GatewayError SSE_EVENT_TOO_LARGE; the parser is of no use then. */
  push(piece: Uint8Array): ServerEvent[] {
    const chunk = this.#start === undefined ? piece : this.#withoutMark(this.#start, piece)
    const events: ServerEvent[] = []
    let from = 0
    let i = 0
    if (this.#dropLf && chunk.length > 0) {
      this.#dropLf = false
      if (chunk[0] === lf) from = i = 1
    }
    for (; i < chunk.length; i++) {
      const byte = chunk[i]
      if (byte !== lf && byte !== cr) {
        if (this.#atLineStart && byte !== colon) this.#onlyComments = false
        this.#atLineStart = false
        this.#afterCr = false
        // Nothing within a line matters here.
        while (i + 1 < chunk.length && chunk[i + 1] !== lf && chunk[i + 1] !== cr) i++
        continue
      }
      if (byte === lf && this.#afterCr) {
        this.#afterCr = false
        continue
      }
      const blank = this.#atLineStart
      this.#atLineStart = true
      this.#afterCr = byte === cr
      if (!blank && !this.#onlyComments) continue
      if (byte === cr && chunk[i + 1] === lf) i++
      else this.#dropLf = byte === cr && i + 1 === chunk.length
      events.push(this.#take(chunk.subarray(from, i + 1)))
      from = i + 1
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from))
    return events
  }

  /** What came since the last event. To a browser it is nothing. */
  get rest(): Uint8Array {
    return Buffer.concat([this.#start ?? nothing, ...this.#pending])
  }

  #withoutMark(start: Uint8Array, piece: Uint8Array): Uint8Array {
    const chunk = start.length === 0 ? piece : Buffer.concat([start, piece])
    const alike = bom.findIndex((byte, index) => chunk[index] !== byte)
    if (alike === chunk.length) {
      this.#start = chunk
      return nothing
    }
    this.#start = undefined
    return alike === -1 ? chunk.subarray(bom.length) : chunk
  }

  #keep(piece: Uint8Array): void {
    this.#pending.push(piece)
    this.#pendingSize += piece.length
    if (this.#pendingSize > this.#maxSize) throw tooLarge(this.#maxSize)
  }

  #take(end: Uint8Array): ServerEvent {
    if (this.#pendingSize + end.length > this.#maxSize) throw tooLarge(this.#maxSize)
    const bytes = this.#pendingSize === 0 ? end : Buffer.concat([...this.#pending, end])
    const comment = this.#onlyComments
    this.#pending = []
    this.#pendingSize = 0
    this.#onlyComments = true
    this.#afterCr = false
    return { bytes, comment, ...(comment ? unsaid : fieldsOf(bytes)) }
  }
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('SSE_EVENT_TOO_LARGE', `an event of the upstream has more than ${limit} bytes`, {
    status: 502,
    source: 'upstream',
    title: 'Bad gateway',
  })
}

const unsaid = { id: undefined, retry: undefined }
const speaking = /(?<![^\r\n])(id|retry)(?:: ?([^\r\n]*))?(?![^\r\n])/g

function fieldsOf(bytes: Uint8Array): Pick<ServerEvent, 'id' | 'retry'> {
  // As Latin-1, in which a field's value is bytes, too: Last-Event-ID goes upstream as it came.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  let id: string | undefined
  let retry: number | undefined
  for (const [, name, value = ''] of text.matchAll(speaking)) {
    if (name === 'id' && !value.includes('\0')) id = value
    else if (name === 'retry' && /^\d+$/.test(value)) retry = Number(value)
  }
  return { id, retry }
}
