import { randomBytes } from 'node:crypto'

/** Codes of RFC 6455 section 7.4.1, and 1014 of IANA's registry, as far as this gateway says them by itself. */
export const closeCode = {
  goingAway: 1001,
  protocolError: 1002,
  invalidData: 1007,
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
  /** A gateway got no valid answer from its upstream: what 502 is in HTTP. */
  badGateway: 1014,
} as const

/** Bytes of a reason that a control frame has room for. */
const maxReason = 123

/** A Close frame; `masked` towards a server (RFC 6455 section 5.1). */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const text = Buffer.from(reason).subarray(0, maxReason)
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  if (!masked) return Buffer.concat([Buffer.from([0x88, payload.length]), payload])
  const mask = randomBytes(4)
  for (const [i, byte] of payload.entries()) payload[i] = byte ^ (mask[i % 4] ?? 0)
  return Buffer.concat([Buffer.from([0x88, 0x80 | payload.length]), mask, payload])
}
