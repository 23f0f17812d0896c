import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../contract/context.ts'
import { describeCertificate } from './peer-certificate.ts'
import type { Peer } from './wire.ts'

/** Where a connection comes from, when its other end is a proxy that says so. */
export interface PeerSource {
  readonly address: string
  readonly port: number
}

/** The other end of an accepted socket; `source` replaces the socket's own address. */
export function peerOf(socket: Socket, source?: PeerSource): Peer {
  const peer = {
    address: source?.address ?? plainAddress(socket.remoteAddress),
    port: source?.port ?? socket.remotePort ?? 0,
    localAddress: plainAddress(socket.localAddress),
    localPort: socket.localPort ?? 0,
  }
  if (socket instanceof TLSSocket) return new TlsPeer(peer, socket)
  return { ...peer, secure: false, serverName: undefined, certificate: undefined }
}

class TlsPeer implements Peer {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  readonly secure = true
  readonly serverName: string | undefined
  #x509: X509Certificate | undefined
  #certificate: ClientCertificate | undefined

  constructor(peer: Pick<Peer, 'address' | 'port' | 'localAddress' | 'localPort'>, socket: TLSSocket) {
    this.address = peer.address
    this.port = peer.port
    this.localAddress = peer.localAddress
    this.localPort = peer.localPort
    this.serverName = typeof socket.servername === 'string' ? socket.servername : undefined
    // A resumed session without a certificate counts as authorized, too: it has none to show.
    if (socket.authorized) this.#x509 = socket.getPeerX509Certificate()
  }

  get certificate(): ClientCertificate | undefined {
    if (this.#x509 !== undefined) this.#certificate = describeCertificate(this.#x509)
    this.#x509 = undefined
    return this.#certificate
  }
}

/** Without a zone; a dual-stack listener shows IPv4 clients as IPv6, and the address they have is the IPv4 one. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  const zone = address.indexOf('%')
  const bare = zone === -1 ? address : address.slice(0, zone)
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare
}
