import { GatewayError } from '../contract/errors.ts'
import type { Fields } from './fields.ts'
import { classOf, DIGIT } from './grammar.ts'
import type { Side } from './head-reader.ts'
import { known, sameName } from './known-fields.ts'

/** The body's end is the last chunk. */
export const CHUNKED = -1
/** The body's end is the connection's: responses only. */
export const UNTIL_CLOSE = -2

const framingFields = (1 << known['content-length']) | (1 << known['transfer-encoding'])

/**
 * Length of a request's body (RFC 9112 section 6.3): bytes, 0 for none, or {@link CHUNKED}.
 *
 * Stricter than the RFC where two readers could differ: any second Content-Length is refused, also an equal one;
 * Content-Length beside Transfer-Encoding is; any coding but one final `chunked` is; Transfer-Encoding on HTTP/1.0 is.
 * Throws GatewayError GATEWAY_BAD_REQUEST.
 */
export function requestBodyLength(fields: Fields, minor: number): number {
  const length = declaredLength(fields, minor, 'client')
  return length === undefined ? 0 : length
}

/**
 * Length of a response's body, which depends on what was asked: bytes, 0, {@link CHUNKED} or {@link UNTIL_CLOSE}.
 * The same rules as for a request hold; they are checked even where there is no body. Throws GATEWAY_UPSTREAM_INVALID.
 */
export function responseBodyLength(fields: Fields, minor: number, status: number, method: string): number {
  const length = declaredLength(fields, minor, 'upstream')
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0
  if (method === 'CONNECT' && status < 300) return 0
  return length === undefined ? UNTIL_CLOSE : length
}

/**
 * What the framing fields say, whether or not a body follows: bytes, {@link CHUNKED}, or undefined when there are none.
 * Throws GatewayError as the functions above do.
 */
export function declaredLength(fields: Fields, minor: number, side: Side): number | undefined {
  if (!fields.mayHave(framingFields)) return undefined
  const lengths = fields.countKnown(known['content-length'])
  const codings = fields.countKnown(known['transfer-encoding'])
  if (codings > 0) {
    if (lengths > 0) throw invalid(side, 'Content-Length beside Transfer-Encoding')
    if (minor === 0) throw invalid(side, 'Transfer-Encoding in HTTP/1.0')
    const coding = fields.getKnown(known['transfer-encoding']) ?? ''
    if (codings > 1 || !sameName(coding, 0, coding.length, 'chunked')) throw invalid(side, 'transfer coding')
    return CHUNKED
  }
  if (lengths === 0) return undefined
  if (lengths > 1) throw invalid(side, 'Content-Length twice')
  const text = fields.getKnown(known['content-length']) ?? ''
  let length = text.length === 0 ? Number.NaN : 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    length = (classOf(code) & DIGIT) === 0 ? Number.NaN : length * 10 + (code - 48)
  }
  if (!Number.isSafeInteger(length)) throw invalid(side, 'Content-Length')
  return length
}

/** What Connection asks for, as bits. */
const CLOSE = 1
const KEEP_ALIVE = 2
export const UPGRADE = 4

const connectionBits: Readonly<Record<string, number>> = Object.freeze(
  Object.assign(Object.create(null), { close: CLOSE, 'keep-alive': KEEP_ALIVE, upgrade: UPGRADE }),
)

/** Bits of {@link CLOSE}, {@link KEEP_ALIVE} and {@link UPGRADE} that Connection names. */
export function connectionOptions(fields: Fields): number {
  const value = fields.getKnown(known.connection)
  if (value === undefined) return 0
  const whole = connectionBits[value]
  if (whole !== undefined) return whole
  let bits = 0
  for (const option of value.toLowerCase().split(',')) bits |= connectionBits[option.trim()] ?? 0
  return bits
}

/** Whether the sender lets the connection live on (RFC 9112 section 9.3). */
export function keepsAlive(minor: number, options: number): boolean {
  return (options & CLOSE) === 0 && (minor === 1 || (options & KEEP_ALIVE) !== 0)
}

function invalid(side: Side, what: string): GatewayError {
  return side === 'client'
    ? new GatewayError('GATEWAY_BAD_REQUEST', `framing: ${what}`)
    : new GatewayError('GATEWAY_UPSTREAM_INVALID', `response framing: ${what}`)
}
