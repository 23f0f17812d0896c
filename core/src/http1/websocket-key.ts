import { createHash, randomBytes } from 'node:crypto'

/** What proves that the other side of a 101 has understood it (RFC 6455 section 1.3). HTTP/2 needs no such proof. */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function newWebSocketKey(): string {
  return randomBytes(16).toString('base64')
}

/** Whether it has the form of a key: 16 bytes in base64. */
export function isWebSocketKey(text: string): boolean {
  return /^[+/0-9A-Za-z]{22}==$/.test(text)
}

/** The Sec-WebSocket-Accept that answers a key. */
export function websocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${guid}`).digest('base64')
}
