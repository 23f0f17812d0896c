import { isIPv4, isIPv6 } from 'node:net'
import type { PeerSource } from '../http1/peer.ts'

/** A whole header. Without a source the connection is the proxy's own (health checks), or of a kind that has no address. */
export interface ProxyHeader {
  /** Bytes that it takes. */
  readonly length: number
  readonly source: PeerSource | undefined
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const maxLength1 = 107
/** Of version 2: addresses take at most 216, the rest is for type-length-values. */
const maxLength2 = 16 + 4096

/**
 * Reads the header of the PROXY protocol, version 1 or 2, at the start of a connection
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Undefined when more bytes are needed.
 *
 * @throws TypeError that says what is wrong with it.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  return bytes[0] === signature[0] ? readVersion2(bytes) : readVersion1(bytes)
}

function readVersion1(bytes: Buffer): ProxyHeader | undefined {
  const line = bytes.toString('latin1', 0, maxLength1)
  const end = line.indexOf('\r\n')
  if (!line.startsWith('PROXY '.slice(0, line.length))) throw new TypeError('it does not begin with a PROXY header')
  if (end === -1) {
    if (bytes.length >= maxLength1) throw new TypeError('its PROXY header is too long')
    return undefined
  }
  const length = end + 2
  const [, family, from = '', to = '', fromPort = '', toPort = '', ...rest] = line.slice(0, end).split(' ')
  // What follows is for the receiver to ignore.
  if (family === 'UNKNOWN') return { length, source: undefined }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isBareIPv6 : undefined
  if (isAddress?.(from) !== true || !isAddress(to) || !isPort(fromPort) || !isPort(toPort) || rest.length > 0) {
    throw new TypeError('its PROXY header is malformed')
  }
  return { length, source: sourceOf(from, Number(fromPort)) }
}

/** Without the zone that Node lets pass. */
const isBareIPv6 = (text: string) => isIPv6(text) && !text.includes('%')
const isPort = (text: string) => /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535

/** Bytes of the two addresses and ports, by the upper half of the family byte. */
const addressBytes: readonly (number | undefined)[] = [0, 12, 36, 216]

function readVersion2(bytes: Buffer): ProxyHeader | undefined {
  if (!signature.subarray(0, bytes.length).equals(bytes.subarray(0, signature.length))) {
    throw new TypeError('it does not begin with a PROXY header')
  }
  const command = bytes[12] ?? 0x20
  const family = bytes[13] ?? 0
  const addresses = addressBytes[family >> 4]
  if (command !== 0x20 && command !== 0x21) throw new TypeError('its PROXY header is of an unknown version or command')
  if (bytes.length < 16) return undefined
  const length = 16 + bytes.readUInt16BE(14)
  if (length > maxLength2) throw new TypeError('its PROXY header is too long')
  // LOCAL: whatever else it says is to be ignored.
  const local = command === 0x20
  if (!local && (addresses === undefined || (family & 0x0f) > 2)) {
    throw new TypeError('its PROXY header is of an unknown address family or transport')
  }
  if (bytes.length < length) return undefined
  if (local || addresses === undefined || addresses === 0) return { length, source: undefined }
  if (length < 16 + addresses) throw new TypeError('its PROXY header is too short for its addresses')
  checkValues(bytes.subarray(16 + addresses, length))
  return { length, source: sourceOfVersion2(bytes, family >> 4) }
}

/** Type, length and value, one after the other, must fill the rest: what they say is not looked at. */
function checkValues(bytes: Buffer): void {
  let at = 0
  while (at < bytes.length) at += 3 + (at + 3 <= bytes.length ? bytes.readUInt16BE(at + 1) : 0)
  if (at > bytes.length) throw new TypeError('its PROXY header has a value that is longer than itself')
}

function sourceOfVersion2(bytes: Buffer, family: number): PeerSource | undefined {
  if (family === 1) return { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) }
  // A path of a unix socket is no address that anybody could know a client by.
  if (family !== 2) return undefined
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + index * 2).toString(16))
  return sourceOf(groups.join(':'), bytes.readUInt16BE(48))
}

/** One spelling of an address, since limits and access rules compare it: shortest form, IPv4 not inside IPv6. */
function sourceOf(address: string, port: number): PeerSource {
  if (isIPv4(address)) return { address, port }
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(short) ?? []
  if (high === undefined || low === undefined) return { address: short, port }
  const value = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return { address: value.flatMap(pair => [pair >> 8, pair & 255]).join('.'), port }
}
