import { createHash } from 'node:crypto'
import { lineValue, type Message } from './message.ts'
import { type RawUpstream, rawUpstream } from './upstream.ts'
import { connect, requestText, type Wire } from './wire.ts'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** The example of RFC 6455 section 1.3, and its answer. */
export const sampleKey = 'dGhlIHNhbXBsZSBub25jZQ=='
export const sampleAccept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** A request to open a WebSocket, by hand. */
export function upgradeText(target = '/', lines: readonly string[] = []): string {
  return requestText(`GET ${target}`, [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${sampleKey}`,
    ...lines,
  ])
}

/** The 101 that answers a request, or a key, as a server writes it. */
export function acceptText(request: Message | string, lines: readonly string[] = []): string {
  const key = typeof request === 'string' ? request : (lineValue(request.lines, 'sec-websocket-key') ?? '')
  const accept = createHash('sha1').update(`${key}${guid}`).digest('base64')
  const all = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`, ...lines]
  return `HTTP/1.1 101 Switching Protocols\r\n${all.join('\r\n')}\r\n\r\n`
}

/** An upstream that accepts every WebSocket and leaves the bytes to the test. */
export function websocketUpstream(
  script: (wire: Wire, request: Message) => Promise<void> | void = () => {},
  lines: readonly string[] = [],
): Promise<RawUpstream> {
  return rawUpstream(async wire => {
    const request = await wire.request()
    wire.send(acceptText(request, lines))
    await script(wire, request)
  })
}

/** Opens a WebSocket on a connection of its own, by hand. */
export async function openWebSocket(
  port: number,
  target = '/',
  lines: readonly string[] = [],
): Promise<{ wire: Wire; response: Message }> {
  const wire = await connect(port)
  wire.send(upgradeText(target, lines))
  const response = await wire.response()
  return { wire, response }
}

/** A frame as RFC 6455 section 5.2 lays it out, latin1: masked by a fixed key where the sender is a client. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = '',
  { fin = true, rsv = 0, mask = false } = {},
): string {
  const bytes = Buffer.from(typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload)
  const { length } = bytes
  const size = length < 126 ? length : length < 65_536 ? 126 : 127
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | size]
  if (size === 126) head.push(length >> 8, length & 255)
  if (size === 127)
    head.push(0, 0, 0, 0, (length >>> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255)
  if (mask) {
    const key = [0x37, 0xfa, 0x21, 0x3d]
    head.push(...key)
    for (let i = 0; i < length; i++) bytes[i] = (bytes[i] ?? 0) ^ (key[i % 4] ?? 0)
  }
  return Buffer.from(head).toString('latin1') + bytes.toString('latin1')
}

/** The payload of a Close frame. */
export function closePayload(code: number, reason = ''): string {
  return String.fromCharCode(code >> 8, code & 255) + reason
}
