import { GatewayError } from '../contract/errors.ts'
import type { Fields } from '../http1/fields.ts'
import type { HeadLimits } from '../http1/head-reader.ts'
import { idOfName, known, sameName } from '../http1/known-fields.ts'
import { expectsContinue } from '../http1/parse-head.ts'
import { contentLength, FieldListBuilder } from './field-list.ts'

export interface Http2RequestHead {
  readonly method: string
  /** Value of `:path`; host and port with CONNECT. */
  readonly target: string
  /** Begins with Host, whichever way the client named it. */
  readonly fields: Fields
  readonly bodyLength: number
  readonly expectsContinue: boolean
  /** What an extended CONNECT (RFC 8441) asks for. It reads as the GET with Upgrade that HTTP/1.1 has in its place. */
  readonly upgrade: string | undefined
}

/**
 * Fields of one hop, malformed in HTTP/2 (RFC 9113 section 8.2.2). nghttp2 has refused them, but for HTTP2-Settings; the
 * framing that follows from them is no matter to leave to another's strictness alone.
 */
const connectionSpecific =
  (1 << known.connection) |
  (1 << known['transfer-encoding']) |
  (1 << known.upgrade) |
  (1 << known['keep-alive']) |
  (1 << known['proxy-connection']) |
  (1 << known['http2-settings'])

/**
 * Reads a request's header section (RFC 9113 section 8.3). nghttp2 has checked before: pseudo-header fields known, once,
 * first, and complete; names in lower case; Content-Length once and a number.
 *
 * @throws GatewayError with the status to answer.
 */
export function requestHead(list: readonly string[], endStream: boolean, limits: HeadLimits): Http2RequestHead {
  let method = ''
  let path: string | undefined
  let authority: string | undefined
  let scheme: string | undefined
  let protocol: string | undefined
  let i = 0
  for (; i < list.length; i += 2) {
    const name = list[i] ?? ''
    if (name.charCodeAt(0) !== 58 /* : */) break
    const value = list[i + 1] ?? ''
    if (name === ':method') method = value
    else if (name === ':path') path = value
    else if (name === ':authority') authority = value
    else if (name === ':scheme') scheme = value
    else if (name === ':protocol') protocol = value
    else throw bad(`pseudo-header field ${name}`)
  }
  // It must be known before the first field is written, since Host comes first.
  const host = hostOf(authority, list, i)
  const builder = new FieldListBuilder()
  builder.addKnown(known.host, 'host', host)
  let length: string | undefined
  let expect: string | undefined
  for (; i < list.length; i += 2) {
    const name = list[i] ?? ''
    const value = list[i + 1] ?? ''
    const id = idOfName(name)
    if (id !== 0) {
      if (id === known.host) continue
      if (((1 << id) & connectionSpecific) !== 0) throw bad(`connection-specific field ${name}`)
      if (id === known['content-length']) length = value
      else if (id === known.expect) expect = value
    } else if (name.charCodeAt(0) === 58) {
      throw bad('pseudo-header field after another field')
    }
    if (isPadded(value)) throw bad(`white space around the value of ${name}`)
    builder.addKnown(id, name, value)
  }
  checkSize(builder, method, path ?? '', limits)
  const upgrade = protocol === undefined ? undefined : upgradeOf(method, protocol, endStream)
  if (upgrade !== undefined) {
    const target = targetOf('GET', path, scheme)
    return { method: 'GET', target, fields: builder.build(), bodyLength: 0, expectsContinue: false, upgrade }
  }
  const connects = method === 'CONNECT'
  const bodyLength = endStream ? 0 : (contentLength(length) ?? -1)
  return {
    method,
    target: connects ? host : targetOf(method, path, scheme),
    fields: builder.build(),
    bodyLength,
    expectsContinue: expectsContinue(expect) && bodyLength !== 0,
    upgrade,
  }
}

function upgradeOf(method: string, protocol: string, endStream: boolean): string {
  if (method !== 'CONNECT') throw bad(':protocol goes with CONNECT alone')
  if (endStream) throw bad('the tunnel was closed as it was asked for')
  if (protocol === 'websocket') return protocol
  throw new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', `:protocol ${JSON.stringify(protocol)}`)
}

/** The request's authority. `:authority` and Host may both be there, if they agree (RFC 9113 section 8.3.1). */
function hostOf(authority: string | undefined, list: readonly string[], from: number): string {
  let host: string | undefined
  for (let i = from; i < list.length; i += 2) {
    if (idOfName(list[i] ?? '') !== known.host) continue
    if (host !== undefined) throw bad('Host stands more than once')
    host = list[i + 1] ?? ''
  }
  const name = authority ?? host
  if (name === undefined || name === '') throw bad('neither :authority nor Host names a host')
  if (host !== undefined && !sameName(name, 0, name.length, host)) throw bad('Host differs from :authority')
  return name
}

/** As HTTP/1.1 would count it: a head is allowed or not whichever version carries it. */
function checkSize(builder: FieldListBuilder, method: string, path: string, limits: HeadLimits): void {
  const size = builder.size + method.length + path.length + 13
  if (size > limits.maxHeadBytes) {
    const code = path.length > limits.maxHeadBytes ? 'GATEWAY_URI_TOO_LONG' : 'GATEWAY_HEAD_TOO_LARGE'
    throw new GatewayError(code, `the request head has ${size} bytes, ${limits.maxHeadBytes} are allowed`)
  }
  if (builder.count > limits.maxFields) {
    throw new GatewayError('GATEWAY_HEAD_TOO_LARGE', `the request has more than ${limits.maxFields} fields`)
  }
}

/** Only origin-form and `*`: an absolute URI here would name a second host. */
function targetOf(method: string, path: string | undefined, scheme: string | undefined): string {
  if (scheme !== 'http' && scheme !== 'https') throw bad(`scheme ${JSON.stringify(scheme)}`)
  if (path === undefined) throw bad(':path is missing')
  if (path.charCodeAt(0) !== 47 /* / */ && !(path === '*' && method === 'OPTIONS')) throw bad(':path')
  return path
}

/** RFC 9113 section 8.2.1: a value neither starts nor ends with a space or a tab. */
function isPadded(value: string): boolean {
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first === 32 || first === 9 || last === 32 || last === 9
}

function bad(message: string): GatewayError {
  return new GatewayError('GATEWAY_BAD_REQUEST', message)
}
