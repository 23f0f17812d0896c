import { isIPv6 } from 'node:net'
import { GatewayError } from '../contract/errors.ts'
import type { Fields } from './fields.ts'
import { connectionOptions, keepsAlive, requestBodyLength, UPGRADE } from './framing.ts'
import { classOf, DIGIT, HOST } from './grammar.ts'
import { defaultHeadLimits, type HeadLimits, HeadReader } from './head-reader.ts'
import { known, sameName } from './known-fields.ts'

export interface RequestHead {
  /** Any token; methods are case-sensitive. */
  readonly method: string
  /** As on the wire: origin-form, absolute-form (http or https), `*` with OPTIONS, host:port with CONNECT. */
  readonly target: string
  readonly version: '1.0' | '1.1'
  /** Host is there exactly once on 1.1 (at most once on 1.0), valid, and the target's own for an absolute-form one. */
  readonly fields: Fields
  /** Bytes, 0 for none, -1 for chunked. */
  readonly bodyLength: number
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** Value of Upgrade, lower-cased, when Connection names it. */
  readonly upgrade: string | undefined
}

export interface ResponseHead {
  readonly status: number
  /** May be empty. */
  readonly reason: string
  readonly minor: number
  readonly fields: Fields
}

/** Parses a whole request head from the start of `bytes`; undefined when it goes on beyond them. Throws as {@link HeadReader} and {@link requestHead} do. */
export function parseRequestHead(bytes: Buffer, limits: HeadLimits = defaultHeadLimits): RequestHead | undefined {
  const reader = new HeadReader('request', limits)
  return reader.read(bytes, 0) ? requestHead(reader) : undefined
}

/** Parses a whole response head from the start of `bytes`; undefined when it goes on beyond them. Throws GATEWAY_UPSTREAM_INVALID. */
export function parseResponseHead(bytes: Buffer, limits: HeadLimits = defaultHeadLimits): ResponseHead | undefined {
  const reader = new HeadReader('response', limits)
  return reader.read(bytes, 0) ? responseHead(reader) : undefined
}

/**
 * The request whose head the reader has just finished. Throws GatewayError GATEWAY_BAD_REQUEST for what breaks RFC 9112
 * sections 3 and 6, GATEWAY_EXPECTATION_FAILED for an expectation other than 100-continue.
 */
export function requestHead(reader: HeadReader): RequestHead {
  const { fields, minor, text } = reader
  const method = methodText(text, reader.methodEnd)
  const target = text.slice(reader.targetStart, reader.targetEnd)
  checkHost(fields, minor)
  checkTarget(method, target, fields)
  const bodyLength = requestBodyLength(fields, minor)
  const options = connectionOptions(fields)
  return {
    method,
    target,
    version: minor === 1 ? '1.1' : '1.0',
    fields,
    bodyLength,
    keepAlive: keepsAlive(minor, options),
    expectsContinue: minor === 1 && expectsContinue(fields.getKnown(known.expect)) && bodyLength !== 0,
    // A server must not switch protocols on HTTP/1.0 (RFC 9110 section 7.8).
    upgrade: minor === 1 && (options & UPGRADE) !== 0 ? fields.getKnown(known.upgrade)?.toLowerCase() : undefined,
  }
}

/** The response whose head the reader has just finished. */
export function responseHead(reader: HeadReader): ResponseHead {
  return {
    status: reader.status,
    reason: reader.text.slice(reader.targetStart, reader.targetEnd),
    minor: reader.minor,
    fields: reader.fields,
  }
}

/** Common methods come out as constants, which compare by identity later. */
function methodText(text: string, end: number): string {
  if (end === 3) {
    if (text.startsWith('GET')) return 'GET'
    if (text.startsWith('PUT')) return 'PUT'
  } else if (end === 4) {
    if (text.startsWith('POST')) return 'POST'
    if (text.startsWith('HEAD')) return 'HEAD'
  }
  return text.slice(0, end)
}

function checkHost(fields: Fields, minor: number): void {
  const count = fields.countKnown(known.host)
  if (count === 0 && minor === 0) return
  if (count !== 1) throw bad(count === 0 ? 'Host is missing' : 'Host stands more than once')
  if (!isAuthority(fields.getKnown(known.host) ?? '')) throw bad('invalid Host')
}

const absoluteForm = /^https?:\/\/([^/?]*)/i

function checkTarget(method: string, target: string, fields: Fields): void {
  if (method === 'CONNECT') {
    if (!isAuthority(target) || !/:\d+$/.test(target)) throw bad('request-target of CONNECT')
    return
  }
  if (target.charCodeAt(0) === 47) return
  if (target === '*' && method === 'OPTIONS') return
  const authority = absoluteForm.exec(target)?.[1]
  if (authority === undefined || !isAuthority(authority)) throw bad('request-target')
  // RFC 9112 section 3.2.2: the Host received is ignored; whoever reads Host from here on sees the host that counts.
  if (fields.getKnown(known.host) !== authority) fields.set('Host', authority)
}

/**
 * Whether `text` is host or host:port: a name, an IPv4 address, or an IPv6 address in brackets. Stricter than RFC 3986:
 * no user information, no empty host or port, no percent-encoding or sub-delims in a name, no address but IPv6 in brackets.
 */
function isAuthority(text: string): boolean {
  let end = 0
  if (text.charCodeAt(0) === 91) {
    end = text.indexOf(']') + 1
    const address = text.slice(1, end - 1)
    // A zone has no meaning to anybody but the sender (RFC 6874).
    if (end === 0 || address.includes('%') || !isIPv6(address)) return false
  } else {
    while (end < text.length && (classOf(text.charCodeAt(end)) & HOST) !== 0) end++
    if (end === 0) return false
  }
  if (end === text.length) return true
  if (text.charCodeAt(end) !== 58 || end + 1 === text.length || text.length - end > 6) return false
  let port = 0
  for (let i = end + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((classOf(code) & DIGIT) === 0) return false
    port = port * 10 + code - 48
  }
  return port <= 65_535
}

/** @throws GatewayError for an `Expect` that is no other. */
export function expectsContinue(value: string | undefined): boolean {
  if (value === undefined) return false
  if (sameName(value, 0, value.length, '100-continue')) return true
  throw new GatewayError('GATEWAY_EXPECTATION_FAILED', `unknown expectation ${JSON.stringify(value)}`)
}

function bad(message: string): GatewayError {
  return new GatewayError('GATEWAY_BAD_REQUEST', message)
}
