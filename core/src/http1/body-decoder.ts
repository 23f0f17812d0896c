import { GatewayError } from '../contract/errors.ts'
import type { Fields } from './fields.ts'
import { CHUNKED, UNTIL_CLOSE } from './framing.ts'
import { classAt, VALUE } from './grammar.ts'
import { defaultHeadLimits, type HeadLimits, HeadReader, type Side } from './head-reader.ts'

/** Where a decoder puts what it finds. */
export interface DecoderSink {
  /** A slice of what was given to `decode`, not a copy. Return false to pause. */
  onData(chunk: Buffer): boolean
  onEnd(trailers: Fields | undefined): void
}

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILERS = 6
const LENGTH = 7
const CLOSE = 8
const DONE = 9

const CR = 13
const LF = 10

/** Hex digits in a chunk size; more can not be a safe integer, leading zeros aside. */
const maxSizeDigits = 16
/** Bytes of chunk extensions, for one chunk and for a whole body: nobody uses them but to keep a reader busy. */
const maxExtension = 256
const maxExtensions = 8192

/**
 * Fields that must not be merged or believed when they come late (RFC 9110 section 6.5.1): framing, routing, request
 * modifiers, authentication, response control, and how to read the content. They are dropped and the rest of the trailers
 * is passed on. A request whose framing comes after its content has no honest use, and other readers refuse it: so do we.
 */
export const forbiddenTrailers: readonly string[] = (
  'transfer-encoding content-length connection keep-alive proxy-connection te trailer upgrade http2-settings host ' +
  'expect max-forwards range cache-control pragma if-match if-none-match if-modified-since if-unmodified-since if-range ' +
  'authorization proxy-authorization www-authenticate proxy-authenticate authentication-info proxy-authentication-info ' +
  'cookie set-cookie age expires date location retry-after vary warning content-encoding content-type content-range ' +
  'forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-forwarded-prefix x-real-ip x-request-id'
).split(' ')

/**
 * Decodes one body after another: by length, chunked (RFC 9112 section 7.1), or until the connection closes. Strict and
 * incremental: the cuts between pieces change nothing. White space after a chunk size is refused though the RFC has
 * readers tolerate it, and so is any line end but CRLF.
 */
export class BodyDecoder {
  readonly #side: Side
  readonly #limits: HeadLimits
  #state = DONE
  /** Bytes left of the body or of the chunk. */
  #left = 0
  #digits = 0
  #extension = 0
  #extensions = 0
  #trailers: HeadReader | undefined

  constructor(side: Side, limits: HeadLimits = defaultHeadLimits) {
    this.#side = side
    this.#limits = limits
  }

  /** Makes ready for a body: bytes, {@link CHUNKED} or {@link UNTIL_CLOSE}. A body of 0 bytes is done at once, without `onEnd`. */
  start(length: number): void {
    this.#left = length < 0 ? 0 : length
    this.#digits = 0
    this.#extensions = 0
    this.#trailers = undefined
    this.#state = length > 0 ? LENGTH : length === CHUNKED ? SIZE : length === UNTIL_CLOSE ? CLOSE : DONE
  }

  get done(): boolean {
    return this.#state === DONE
  }

  /** Bytes still to come when they are known; else Infinity. */
  get remaining(): number {
    return this.#state === LENGTH ? this.#left : this.#state === DONE ? 0 : Number.POSITIVE_INFINITY
  }

  /**
   * Decodes `bytes` from `start` and gives the index of the first byte not taken. It stops at the end of the body
   * (`done`), or after `onData` returned false: go on later from that index. Throws GatewayError GATEWAY_BAD_REQUEST, or
   * GATEWAY_UPSTREAM_INVALID for an upstream's body; what the sink throws comes through too.
   */
  decode(bytes: Buffer, start: number, sink: DecoderSink): number {
    let at = start
    const end = bytes.length
    while (at < end) {
      switch (this.#state) {
        case LENGTH:
        case DATA: {
          const stop = Math.min(end, at + this.#left)
          const chunk = at === 0 && stop === end ? bytes : bytes.subarray(at, stop)
          this.#left -= stop - at
          at = stop
          if (this.#left > 0) {
            if (!sink.onData(chunk)) return at
            break
          }
          if (this.#state === DATA) {
            this.#state = DATA_CR
            if (!sink.onData(chunk)) return at
            break
          }
          this.#state = DONE
          sink.onData(chunk)
          sink.onEnd(undefined)
          return at
        }
        case SIZE: {
          const digit = hexDigit(bytes[at] ?? 0)
          if (digit >= 0) {
            if (++this.#digits > maxSizeDigits) throw this.#bad('chunk size')
            this.#left = this.#left * 16 + digit
            if (!Number.isSafeInteger(this.#left)) throw this.#bad('chunk size')
            at++
            break
          }
          if (this.#digits === 0) throw this.#bad('chunk size')
          if (bytes[at] === CR) this.#state = SIZE_LF
          else if (bytes[at] === 59) this.#state = EXTENSION
          else throw this.#bad('chunk size')
          this.#extension = 0
          at++
          break
        }
        case EXTENSION:
          if (bytes[at] === CR) {
            this.#state = SIZE_LF
          } else {
            if ((classAt(bytes, at) & VALUE) === 0) throw this.#bad('chunk extension')
            if (++this.#extension > maxExtension || ++this.#extensions > maxExtensions) {
              throw this.#bad('chunk extension: too long')
            }
          }
          at++
          break
        case SIZE_LF:
          if (bytes[at] !== LF) throw this.#bad('end of a chunk size')
          at++
          this.#state = this.#left > 0 ? DATA : TRAILERS
          break
        case DATA_CR:
          if (bytes[at] !== CR) throw this.#bad('end of a chunk')
          at++
          this.#state = DATA_LF
          break
        case DATA_LF:
          if (bytes[at] !== LF) throw this.#bad('end of a chunk')
          at++
          this.#digits = 0
          this.#state = SIZE
          break
        case TRAILERS: {
          this.#trailers ??= new HeadReader('trailers', this.#limits, this.#side)
          const whole = this.#trailers.read(bytes, at)
          at = this.#trailers.consumed
          if (!whole) break
          const trailers = this.#allowed(this.#trailers.fields)
          this.#state = DONE
          sink.onEnd(trailers)
          return at
        }
        case CLOSE:
          sink.onData(at === 0 ? bytes : bytes.subarray(at))
          return end
        case DONE:
          return at
      }
    }
    return at
  }

  /** The connection ended. False when the body was cut off; else `onEnd` has been told. */
  finish(sink: DecoderSink): boolean {
    if (this.#state !== CLOSE) return this.#state === DONE
    this.#state = DONE
    sink.onEnd(undefined)
    return true
  }

  #allowed(trailers: Fields): Fields | undefined {
    if (trailers.size === 0) return undefined
    if (this.#side === 'client' && (trailers.has('content-length') || trailers.has('transfer-encoding'))) {
      throw this.#bad('trailers: framing')
    }
    for (const name of forbiddenTrailers) trailers.delete(name)
    return trailers.size === 0 ? undefined : trailers
  }

  #bad(what: string): GatewayError {
    const code = this.#side === 'client' ? 'GATEWAY_BAD_REQUEST' : 'GATEWAY_UPSTREAM_INVALID'
    return new GatewayError(code, `body: invalid ${what}`)
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
