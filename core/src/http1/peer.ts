import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Peer } from './wire.ts'

/** The other end of an accepted socket. */
export function peerOf(socket: Socket): Peer {
  const secure = socket instanceof TLSSocket
  const serverName = secure ? socket.servername : undefined
  return {
    address: plainAddress(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    localAddress: plainAddress(socket.localAddress),
    localPort: socket.localPort ?? 0,
    secure,
    serverName: typeof serverName === 'string' ? serverName : undefined,
  }
}

/** A dual-stack listener shows IPv4 clients as IPv6: the address they have is the IPv4 one. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
