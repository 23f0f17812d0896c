import { isToken } from './grammar.ts'
import type { ClientRequest } from './wire.ts'

// RFC 9110 section 8.6: a method whose content means something says so even when there is none.
const methodsWithContent = new Set(['POST', 'PUT', 'PATCH'])

/** Whether a request of that method, with a body so long or of unknown length (-1), has a Content-Length. */
export function saysLength(method: string, bodyLength: number): boolean {
  return bodyLength > 0 || (bodyLength === 0 && methodsWithContent.has(method))
}

/** What RFC 3986 leaves of US-ASCII has neither space nor control characters. */
export const notVisible = /[^\x21-\x7e]/

/**
 * The head of a request as it goes out, to be written as latin1: request line, the request's fields, then the framing
 * (RFC 9112 section 6) and the upgrade asked for (RFC 9110 section 7.8), of a WebSocket with its key.
 *
 * @throws TypeError when method, target or upgrade would break out of its line. Nobody after this looks at them again.
 */
export function requestText(request: ClientRequest, websocketKey = ''): string {
  const { method, target, bodyLength, upgrade } = request
  if (!isToken(method)) throw new TypeError(`not a method: ${JSON.stringify(method)}`)
  if (target === '' || notVisible.test(target)) throw new TypeError(`not a request target: ${JSON.stringify(target)}`)
  return `${method} ${target} HTTP/1.1\r\n${request.fields.toText()}${framing(method, bodyLength)}${upgrading(upgrade, websocketKey)}\r\n`
}

function framing(method: string, bodyLength: number): string {
  if (bodyLength === -1) return 'Transfer-Encoding: chunked\r\n'
  return saysLength(method, bodyLength) ? `Content-Length: ${bodyLength}\r\n` : ''
}

function upgrading(protocol: string | undefined, key: string): string {
  if (protocol === undefined) return ''
  if (/[^\x20-\x7e]/.test(protocol)) throw new TypeError(`not a protocol: ${JSON.stringify(protocol)}`)
  const proof = key === '' ? '' : `Sec-WebSocket-Key: ${key}\r\n`
  return `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${proof}`
}
