import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { GatewayError } from '../contract/errors.ts'
import { type DeadlineOwner, deadlines } from '../http1/deadlines.ts'
import { type PeerSource, peerOf, plainAddress } from '../http1/peer.ts'
import { type HttpConnection, serveConnection } from '../http1/server-connection.ts'
import type { ServerStream } from '../http1/wire.ts'
import type { Http2ServerOptions } from '../http2/server-limits.ts'
import { askedServerName } from '../tls/client-hello.ts'
import { negotiated, type Protocol, recognise, servers, tlsHandshake } from './protocol.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import type { Handshake, TlsAcceptor } from './tls.ts'

/** What a listener's connections are served with. Replaced as a whole when its settings change. */
export interface ConnectionSettings {
  readonly options: Http2ServerOptions
  readonly proxyProtocol: boolean
  readonly tls: TlsAcceptor | undefined
  readonly http2: boolean
}

export interface ConnectionOwner {
  /** The client's address is known: by accepting, or by a PROXY header. False closes the connection. */
  count(address: string): (() => void) | undefined
  /** All is known of it that will be before a request is read: after the TLS handshake. False closes the connection. */
  admit(address: string, localPort: number, serverName: string | undefined): boolean
  readonly request: (stream: ServerStream) => void
  /** The connection ended before a protocol was chosen. */
  failed(reason: string, address: string): void
  closed(connection: Connection): void
}

/**
 * A connection from accept to close. First come, as its listener wants them: a PROXY header, TLS or the choice between
 * HTTP/1.1 and HTTP/2; all of them within `headTimeout` each way. From then on HTTP has the socket.
 */
export class Connection implements DeadlineOwner, Handshake {
  deadline = 0
  deadlineIndex = -1
  /** Of the client; of the proxy until its header has come. */
  address: string
  /** There once the client's address has been counted. */
  countOut: (() => void) | undefined
  readonly socket: Socket

  readonly #settings: ConnectionSettings
  readonly #owner: ConnectionOwner
  #source: PeerSource | undefined
  #awaitsHeader: boolean
  /** Read and not yet handed on. */
  #held: Buffer = nothing
  #http: HttpConnection | undefined
  /** Of the handshake, to be told when the connection has closed. */
  #failure: string | undefined
  /** It is to close after its next exchange. */
  #patient = false

  constructor(socket: Socket, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.socket = socket
    this.#settings = settings
    this.#owner = owner
    this.#awaitsHeader = settings.proxyProtocol
    this.address = plainAddress(socket.remoteAddress)
  }

  start(): void {
    const { socket } = this
    socket.on('close', this.#onClose)
    // 'close' follows.
    socket.on('error', ignore)
    if (!this.#awaitsHeader && !this.#identify()) return
    const { tls, http2, options } = this.#settings
    if (!this.#awaitsHeader && tls === undefined && !http2) return this.#serve(socket, 'http/1.1')
    this.deadline = options.headTimeout === 0 ? 0 : performance.now() + options.headTimeout
    deadlines.add(this)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
  }

  /** Closes after the exchange under way, or now when there is none; with patience after one that is still to come. */
  drain(patience?: 'patient'): void {
    this.#patient = patience !== undefined
    if (this.#http !== undefined) this.#http.drain(patience)
    else if (!this.#patient) this.destroy()
  }

  /** The time to drain is over. A tunnel goes on; whoever opened it ends it. */
  expire(): void {
    if (this.#http === undefined) this.destroy()
    else this.#http.expire()
  }

  destroy(): void {
    this.#http?.destroy()
    this.socket.destroy()
  }

  onDeadline(): void {
    this.#fail('it took too long to begin')
  }

  secured(socket: TLSSocket): void {
    deadlines.remove(this)
    this.#failure = undefined
    const { servername } = socket
    if (this.#admit(typeof servername === 'string' ? servername : undefined)) this.#serve(socket, negotiated(socket))
  }

  failed(reason: string): void {
    this.#failure = reason
  }

  readonly #onData = (piece: Buffer): void => {
    this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece])
    if (this.#awaitsHeader && !this.#readHeader()) return
    const { tls, http2 } = this.#settings
    const first = this.#held[0]
    if (tls !== undefined) {
      if (first === tlsHandshake) this.#startTls(tls)
      else if (first !== undefined) this.#refusePlain()
      return
    }
    const protocol = http2 ? recognise(this.#held) : 'http/1.1'
    if (protocol !== undefined) this.#begin(protocol)
  }

  /** False when it is not there yet, or is not what it has to be. */
  #readHeader(): boolean {
    try {
      const header = readProxyHeader(this.#held)
      if (header === undefined) return false
      this.#awaitsHeader = false
      this.#held = this.#held.subarray(header.length)
      this.#source = header.source
      this.address = header.source?.address ?? this.address
      return this.#identify()
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
      return false
    }
  }

  /** The client's address is known; false when the connection is not wanted. */
  #identify(): boolean {
    this.countOut = this.#owner.count(this.address)
    if (this.countOut === undefined) this.socket.destroy()
    return this.countOut !== undefined && (this.#settings.tls !== undefined || this.#admit(undefined))
  }

  #admit(serverName: string | undefined): boolean {
    const admitted = this.#owner.admit(this.address, this.socket.localPort ?? 0, serverName)
    if (!admitted) this.socket.destroy()
    return admitted
  }

  #startTls(tls: TlsAcceptor): void {
    const serverName = askedServerName(this.#held)
    if (serverName === undefined) return
    this.#pushBack()
    this.#failure = 'it was closed within the TLS handshake'
    tls.accept(this, serverName)
  }

  #begin(protocol: Protocol): void {
    deadlines.remove(this)
    this.#pushBack()
    this.#serve(this.socket, protocol)
    // HTTP/2 reads the socket's buffer by itself, and would miss what flows.
    if (protocol === 'http/1.1') this.socket.resume()
  }

  /** Leaves the socket as if nothing had been read. */
  #pushBack(): void {
    const { socket } = this
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.pause()
    if (this.#held.length > 0) socket.unshift(this.#held)
    this.#held = nothing
  }

  #serve(socket: Socket, protocol: Protocol): void {
    const options = { ...this.#settings.options, peer: peerOf(socket, this.#source) }
    this.#http = servers[protocol](socket, options, this.#owner.request)
    if (this.#patient) this.#http.drain('patient')
  }

  /** Whoever speaks HTTP in clear text to a TLS port is told so. */
  #refusePlain(): void {
    deadlines.remove(this)
    this.#owner.failed('it does not speak TLS', this.address)
    this.#pushBack()
    const { socket } = this
    const options = { ...this.#settings.options, maxRequestsPerConnection: 1, peer: peerOf(socket, this.#source) }
    this.#http = serveConnection(socket, options, stream => {
      const { fields, body } = options.onClientError(plainHttp, stream.peer)
      stream.sendHead(plainHttp.status, '', fields, body.length)
      if (stream.method !== 'HEAD') stream.sendData(body)
      stream.sendEnd(undefined)
    })
    socket.resume()
  }

  #fail(reason: string): void {
    this.#failure = undefined
    this.#owner.failed(reason, this.address)
    this.socket.destroy()
  }

  readonly #onEnd = (): void => this.#fail('it was closed before it began')

  readonly #onClose = (): void => {
    deadlines.remove(this)
    if (this.#failure !== undefined) this.#owner.failed(this.#failure, this.address)
    this.#owner.closed(this)
  }
}

const plainHttp = new GatewayError('GATEWAY_BAD_REQUEST', 'a request in clear text came to a TLS port', {
  title: 'This port speaks TLS: use https',
})

const nothing = Buffer.alloc(0)

function ignore(): void {}
