import { GatewayError, type GatewayErrorCode } from '../contract/errors.ts'
import { classAt, DIGIT, PATH, QUERY, TOKEN, VALUE } from './grammar.ts'
import { idOfBytes } from './known-fields.ts'

export interface HeadLimits {
  /** From the first byte of the start line to the end of the empty line. */
  readonly maxHeadBytes: number
  readonly maxFields: number
}

export const defaultHeadLimits: HeadLimits = { maxHeadBytes: 16_384, maxFields: 100 }

/** What stands before the fields: a request line, a status line, or nothing (trailers). */
export type HeadKind = 'request' | 'response' | 'trailers'

/** Who sent the message, and so whose error a fault in it is. */
export type Side = 'client' | 'upstream'

// States. Plain constants, since `switch` on small integers is what the engine turns into a jump table.
const EMPTY_LINE = 0
const EMPTY_LINE_LF = 1
const METHOD = 2
const TARGET_PATH = 3
const TARGET_QUERY = 4
const REQUEST_VERSION = 5
const RESPONSE_VERSION = 6
const STATUS = 7
const REASON = 8
const START_LINE_LF = 9
const FIELD = 10
const NAME = 11
const BEFORE_VALUE = 12
const FIELD_VALUE = 13
const FIELD_LF = 14
const LAST_LF = 15

const CR = 13
const LF = 10
const SP = 32
const HTAB = 9
const COLON = 58

const firstState = { request: EMPTY_LINE, response: RESPONSE_VERSION, trailers: FIELD } as const

/** Empty lines tolerated before a request line (RFC 9112 section 2.2). */
const maxEmptyLines = 2

const versionText = 'HTTP/1.'
const versionLength = versionText.length + 1

/** Offsets of the head being scanned. Shared, for a scan never yields; an unfinished one takes its rows away with it. */
export const rows: number[] = []

/**
 * The state machine of a head: strict (RFC 9112 sections 2 to 5), and able to stop and go on at every byte. Offsets count
 * from the head's first byte.
 */
export class HeadScanner {
  /** Bounds of method and target, or of the reason phrase. */
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  /** Minor version: 0 or 1. */
  minor = 1
  status = 0

  protected state: number
  /** Bytes of the head scanned so far. */
  protected scanned = 0
  /** How many entries of {@link rows} are this head's. */
  protected used = 0
  /** The names that were seen, as the bit set of a field block. */
  protected mask = 0

  readonly #kind: HeadKind
  readonly #side: Side
  readonly #limits: HeadLimits
  #emptyLines = 0
  #nameStart = 0
  #nameEnd = 0
  #id = 0
  #valueStart = 0

  constructor(kind: HeadKind, limits: HeadLimits, side: Side) {
    this.#kind = kind
    this.#side = side
    this.#limits = limits
    this.state = firstState[kind]
  }

  /** Makes ready for the next head. */
  protected reset(): void {
    this.state = firstState[this.#kind]
    this.scanned = 0
    this.used = 0
    this.mask = 0
    this.#emptyLines = 0
  }

  /** Whether a head may still begin: nothing has come but the empty lines before a request line. */
  protected get beforeHead(): boolean {
    return this.state <= EMPTY_LINE_LF
  }

  /** Gives where the head begins, or the end of the piece when it does not yet. */
  protected skipEmptyLines(piece: Buffer, start: number): number {
    let at = start
    for (; at < piece.length; at++) {
      const byte = piece[at]
      if (this.state === EMPTY_LINE_LF) {
        if (byte !== LF) throw this.#bad('CR without LF')
        this.state = EMPTY_LINE
        if (++this.#emptyLines > maxEmptyLines) throw this.#bad('empty lines before the request line')
      } else if (byte === CR) {
        this.state = EMPTY_LINE_LF
      } else {
        this.state = METHOD
        break
      }
    }
    return at
  }

  /** Scans `bytes[base, end)` from where it stopped. True at the end of the head. Offsets are kept from `base`. */
  protected scan(bytes: Buffer, base: number, end: number): boolean {
    // No further than the limit, so that what lies beyond it can not change which error is reported.
    const limit = Math.min(end, base + this.#limits.maxHeadBytes)
    let at = base + this.scanned
    let state = this.state
    while (at < limit) {
      switch (state) {
        case FIELD_VALUE: {
          while (at < limit && (classAt(bytes, at) & VALUE) !== 0) at++
          if (at === limit) break
          if (bytes[at] !== CR) throw this.#bad('field value')
          let valueEnd = at
          while (valueEnd > base + this.#valueStart && isSpace(bytes[valueEnd - 1])) valueEnd--
          const used = this.used
          rows[used] = this.#id
          rows[used + 1] = this.#nameStart
          rows[used + 2] = this.#nameEnd
          rows[used + 3] = this.#valueStart
          rows[used + 4] = valueEnd - base
          this.used = used + 5
          at++
          state = FIELD_LF
          break
        }
        case FIELD_LF:
          if (bytes[at] !== LF) throw this.#bad('CR without LF')
          at++
          state = FIELD
          break
        case FIELD:
          if (bytes[at] === CR) {
            at++
            state = LAST_LF
            break
          }
          if (this.used === this.#limits.maxFields * 5) throw this.#error('GATEWAY_HEAD_TOO_LARGE', 'too many fields')
          this.#nameStart = at - base
          state = NAME
          break
        case NAME: {
          while (at < limit && (classAt(bytes, at) & TOKEN) !== 0) at++
          if (at === limit) break
          const start = base + this.#nameStart
          // Also refused here: a line folded (it starts with white space) and white space before the colon.
          if (bytes[at] !== COLON || at === start) throw this.#bad('field name')
          this.#nameEnd = at - base
          const id = idOfBytes(bytes, start, at)
          this.#id = id
          this.mask |= 1 << id
          at++
          state = BEFORE_VALUE
          this.#valueStart = at - base
          break
        }
        case BEFORE_VALUE:
          while (at < limit && isSpace(bytes[at])) at++
          this.#valueStart = at - base
          if (at < limit) state = FIELD_VALUE
          break
        case LAST_LF:
          if (bytes[at] !== LF) throw this.#bad('CR without LF')
          this.scanned = at + 1 - base
          return true
        case METHOD:
          while (at < limit && (classAt(bytes, at) & TOKEN) !== 0) at++
          if (at === limit) break
          if (bytes[at] !== SP || at === base) throw this.#bad('method')
          this.methodEnd = at - base
          at++
          this.targetStart = at - base
          state = TARGET_PATH
          break
        case TARGET_PATH:
        case TARGET_QUERY: {
          const allowed = state === TARGET_PATH ? PATH : QUERY
          while (at < limit && (classAt(bytes, at) & allowed) !== 0) at++
          if (at === limit) break
          if (bytes[at] === 63 && state === TARGET_PATH) {
            at++
            state = TARGET_QUERY
            break
          }
          if (bytes[at] !== SP || at - base === this.targetStart) throw this.#bad('request-target')
          this.targetEnd = at - base
          at++
          state = REQUEST_VERSION
          break
        }
        case REQUEST_VERSION: {
          at = this.#version(bytes, at, limit, base + this.targetEnd + 1)
          if (at === limit) break
          if (bytes[at] !== CR) throw this.#bad('request line')
          at++
          state = START_LINE_LF
          break
        }
        case START_LINE_LF:
          if (bytes[at] !== LF) throw this.#bad('CR without LF')
          at++
          state = FIELD
          break
        case RESPONSE_VERSION:
          at = this.#version(bytes, at, limit, base)
          if (at === limit) break
          if (bytes[at] !== SP) throw this.#bad('status line')
          at++
          this.targetStart = at - base
          state = STATUS
          break
        case STATUS: {
          const start = base + this.targetStart
          while (at < limit && at < start + 3) {
            if ((classAt(bytes, at) & DIGIT) === 0) throw this.#bad('status')
            at++
          }
          if (at === limit) break
          this.status =
            ((bytes[start] ?? 0) - 48) * 100 + ((bytes[start + 1] ?? 0) - 48) * 10 + (bytes[start + 2] ?? 0) - 48
          if (this.status < 100 || this.status > 599) throw this.#bad('status')
          // The space before an empty reason phrase is often left out.
          if (bytes[at] !== SP && bytes[at] !== CR) throw this.#bad('status line')
          if (bytes[at] === SP) at++
          this.targetStart = at - base
          state = REASON
          break
        }
        case REASON:
          while (at < limit && (classAt(bytes, at) & VALUE) !== 0) at++
          if (at === limit) break
          if (bytes[at] !== CR) throw this.#bad('reason phrase')
          this.targetEnd = at - base
          at++
          state = START_LINE_LF
          break
      }
    }
    this.state = state
    this.scanned = at - base
    if (at - base < this.#limits.maxHeadBytes) return false
    const inTarget = state === TARGET_PATH || state === TARGET_QUERY
    throw this.#error(inTarget ? 'GATEWAY_URI_TOO_LONG' : 'GATEWAY_HEAD_TOO_LARGE', 'too many bytes')
  }

  /** Scans `HTTP/1.0` or `HTTP/1.1`, which begins at `start`; gives where it stopped. */
  #version(bytes: Buffer, from: number, limit: number, start: number): number {
    let at = from
    for (; at < limit && at < start + versionLength; at++) {
      const index = at - start
      const byte = bytes[at] ?? 0
      if (byte === versionText.charCodeAt(index)) continue
      if ((classAt(bytes, at) & DIGIT) === 0 || (index !== 5 && index !== 7)) throw this.#bad('HTTP version')
      if (index === 5 || byte > 49) throw this.#unsupported()
      this.minor = byte - 48
    }
    return at
  }

  #bad(what: string): GatewayError {
    return this.#error('GATEWAY_BAD_REQUEST', `invalid ${what}`)
  }

  #unsupported(): GatewayError {
    return this.#error('GATEWAY_VERSION_NOT_SUPPORTED', 'HTTP version is neither 1.0 nor 1.1')
  }

  #error(code: GatewayErrorCode, message: string): GatewayError {
    return new GatewayError(
      this.#side === 'upstream' ? 'GATEWAY_UPSTREAM_INVALID' : code,
      `${this.#kind} head: ${message}`,
    )
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB
}
