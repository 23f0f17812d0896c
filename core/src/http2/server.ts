import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { GatewayError } from '../contract/errors.ts'
import { type DeadlineOwner, deadlines } from '../http1/deadlines.ts'
import { asBadRequest } from '../http1/error-answer.ts'
import { Fields } from '../http1/fields.ts'
import { keepAliveProbeMs } from '../http1/keep-alive-probe.ts'
import { peerOf } from '../http1/peer.ts'
import type { HttpConnection } from '../http1/server-connection.ts'
import type { Peer, ServerStream } from '../http1/wire.ts'
import { RateBucket } from './rate-bucket.ts'
import { type Http2RequestHead, requestHead } from './request-head.ts'
import { ignore } from './reset.ts'
import {
  completeOptions,
  connectionWindow,
  type Http2ServerOptions,
  type ServeHttp2Options,
  sessionOptions,
} from './server-limits.ts'
import { Http2ServerStream, type StreamConnection } from './server-stream.ts'

/**
 * Speaks HTTP/2 (RFC 9113) on an accepted socket, which belongs to it from now on: a TLS one that agreed on `h2`, or a
 * plain one whose client begins with the preface (prior knowledge). Bytes that were read to find that out have to be
 * unshifted onto the socket before, in the same tick, and no 'data' or 'readable' listener may be left on it.
 *
 * `onRequest` is called for each request, while others are under way; it sets `stream.handler` before it returns.
 */
export function serveHttp2(
  socket: Socket,
  options: ServeHttp2Options,
  onRequest: (stream: ServerStream) => void,
): HttpConnection {
  return new Http2ServerConnection(socket, completeOptions(options), onRequest)
}

/**
 * - open: requests come
 * - closing: told that it closes (GOAWAY), it answers the streams it has and accepts none
 * - closed: the session is over; the client has a while to take what was sent, and to close
 */
type Phase = 'open' | 'closing' | 'closed'

class Http2ServerConnection implements HttpConnection, StreamConnection, DeadlineOwner {
  /** For the next request while no stream is open, for the client's part in closing. */
  deadline = 0
  deadlineIndex = -1
  readonly peer: Peer
  readonly options: Http2ServerOptions

  readonly #socket: Socket
  readonly #session: ServerHttp2Session
  readonly #onRequest: (stream: ServerStream) => void
  readonly #resets: RateBucket
  readonly #pings: RateBucket
  readonly #settings: RateBucket
  #phase: Phase = 'open'
  #streams = 0
  #requests = 0
  /** Streams among them that speak HTTP no more. */
  #tunnels = 0
  /** Its time to drain is over. */
  #expired = false

  constructor(socket: Socket, options: Http2ServerOptions, onRequest: (stream: ServerStream) => void) {
    this.#socket = socket
    this.options = options
    this.#onRequest = onRequest
    this.#resets = new RateBucket(options.resetBurst, options.resetRate)
    this.#pings = new RateBucket(options.pingBurst, options.pingRate)
    this.#settings = new RateBucket(options.settingsBurst, options.settingsRate)
    this.peer = options.peer ?? peerOf(socket)
    // HTTP/2 needs both directions to the end: a client that closes its own takes nothing more.
    socket.allowHalfOpen = false
    socket.on('error', ignore)
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#onClose())
    const session = performServerHandshake(socket, sessionOptions(options))
    this.#session = session
    session.setLocalWindowSize(Math.max(connectionWindow, options.streamWindow))
    session.on('stream', (h2, _headers, _flags, list) => this.#onStream(h2, list))
    // 'close' of the socket follows, and says all that matters.
    session.on('error', ignore)
    session.on('goaway', () => this.drain())
    session.on('ping', () => this.#pings.take() || this.#calm())
    session.on('remoteSettings', () => this.#settings.take() || this.#calm())
    deadlines.add(this)
    this.#wait(options.headTimeout)
  }

  get idle(): boolean {
    return this.#streams === 0
  }

  /**
   * GOAWAY names the last stream that will be answered: those a client has begun beyond it are safe to send elsewhere (RFC
   * 9113 section 6.8). A notice that refuses nothing can not go before: nghttp2 would ignore what comes after it.
   */
  drain(): void {
    if (this.#phase !== 'open') return
    // Node ends the session with its last stream, and then its side of the connection.
    if (this.#streams > 0) this.#toPhase('closing', 0)
    else this.#toPhase('closed', this.options.lingerTimeout)
    this.#session.close()
  }

  expire(): void {
    if (this.#tunnels === 0) this.destroy()
    else this.#expired = true
  }

  destroy(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }

  onDeadline(): void {
    if (this.#phase === 'closed') this.#socket.destroy()
    else this.drain()
  }

  // What a stream asks of its connection.

  streamDetached(): void {
    this.#tunnels++
    // Nothing else would tell of a client that has vanished.
    this.#socket.setKeepAlive(true, keepAliveProbeMs)
  }

  streamClosed(torn: boolean, detached: boolean): void {
    this.#streams--
    if (detached && --this.#tunnels === 0 && this.#expired) return this.destroy()
    if (torn) this.#countReset()
    if (this.#streams > 0) return
    if (this.#phase === 'closing' || this.#session.destroyed) this.#toPhase('closed', this.options.lingerTimeout)
    else if (this.#phase === 'open') this.#wait(this.options.keepAliveTimeout)
  }

  refuse(stream: Http2ServerStream, error: GatewayError): void {
    try {
      const { fields, body } = this.options.onClientError(error, this.peer)
      stream.answer(error.status, fields, body)
    } catch (fault) {
      this.options.onFault(fault)
      stream.answer(error.status, new Fields(), new Uint8Array())
    }
  }

  #onStream(h2: ServerHttp2Stream, list: readonly string[]): void {
    h2.on('error', ignore)
    // Reset in the same packet that opened it: it never was a request.
    if (h2.closed || h2.destroyed) return this.#countReset()
    this.#streams++
    this.#requests++
    // It may have been on its way from Node when the connection began to close.
    if (this.#phase === 'closed' && !this.#session.destroyed) this.#phase = 'closing'
    if (this.#phase !== 'closed') this.deadline = 0
    let head: Http2RequestHead
    try {
      head = requestHead(list, h2.endAfterHeaders, this.options)
    } catch (error) {
      const method = list[list.indexOf(':method') + 1] ?? ''
      this.refuse(new Http2ServerStream(h2, { ...noHead, method }, this), asBadRequest(error))
      return
    }
    const stream = new Http2ServerStream(h2, head, this)
    try {
      this.#onRequest(stream)
    } catch (error) {
      stream.fault(error)
    }
    const { maxRequestsPerConnection } = this.options
    if (maxRequestsPerConnection > 0 && this.#requests >= maxRequestsPerConnection) this.drain()
  }

  #countReset(): void {
    if (!this.#resets.take()) this.#calm()
  }

  /** The client does too much of what costs it nothing. */
  #calm(): void {
    this.#session.destroy(new Error('the client resets or pings too much'), constants.NGHTTP2_ENHANCE_YOUR_CALM)
    this.#toPhase('closed', this.options.lingerTimeout)
  }

  #toPhase(phase: Phase, milliseconds: number): void {
    if (this.#phase === 'closed') return
    this.#phase = phase
    this.#wait(milliseconds)
  }

  #onClose(): void {
    this.#phase = 'closed'
    this.deadline = 0
    deadlines.remove(this)
    this.options.onClose()
  }

  #wait(milliseconds: number): void {
    this.deadline = milliseconds === 0 ? 0 : performance.now() + milliseconds
  }
}

const noHead: Http2RequestHead = {
  method: '',
  target: '',
  fields: new Fields(),
  bodyLength: -1,
  expectsContinue: false,
  upgrade: undefined,
}
