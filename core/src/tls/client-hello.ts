/** ContentType and HandshakeType (RFC 8446 sections 4 and 5.1). */
const handshake = 22
const clientHello = 1
const recordHead = 5
const messageHead = 4
const hostName = 0
/** Of a whole ClientHello. With post-quantum keys, long ones have three kilobytes. */
const maxBytes = 16_384
/** Nobody needs them, and each piece that comes is looked at anew. */
const maxRecords = 8

/**
 * The server name (RFC 6066 section 3) that a TLS connection asks for which begins like this: empty when it asks for none,
 * undefined while more has to come to tell. Whatever is no ClientHello asks for none, and TLS will refuse it.
 */
export function askedServerName(bytes: Buffer): string | undefined {
  const fragments: Buffer[] = []
  for (let at = 0; at + recordHead <= bytes.length; ) {
    const end = at + recordHead + bytes.readUInt16BE(at + 3)
    if (bytes[at] !== handshake || end === at + recordHead || fragments.length === maxRecords) return ''
    fragments.push(bytes.subarray(at + recordHead, end))
    at = end
  }
  const message = Buffer.concat(fragments)
  if (message.length < messageHead) return undefined
  const end = messageHead + message.readUIntBE(1, 3)
  if (message[0] !== clientHello || end > maxBytes) return ''
  if (message.length < end) return undefined
  try {
    return nameIn(message.subarray(0, end))
  } catch {
    // A length that points beyond the end.
    return ''
  }
}

/** RFC 8446 section 4.1.2. @throws RangeError */
function nameIn(message: Buffer): string {
  const version = 2
  const random = 32
  let at = messageHead + version + random
  // Session, ciphers, compression.
  at += 1 + message.readUInt8(at)
  at += 2 + message.readUInt16BE(at)
  at += 1 + message.readUInt8(at)
  for (at += 2; at < message.length; at += 4 + message.readUInt16BE(at + 2)) {
    // The extension's type and length, the list's length, the name's type and length.
    if (message.readUInt16BE(at) !== 0) continue
    const start = at + 9
    const end = start + message.readUInt16BE(at + 7)
    return message.readUInt8(at + 6) === hostName && end <= message.length ? message.toString('latin1', start, end) : ''
  }
  return ''
}
