import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { GatewayError } from '../contract/errors.ts'
import { BodyClock } from './body-clock.ts'
import { BodyDecoder, type DecoderSink } from './body-decoder.ts'
import { type DeadlineOwner, deadlines } from './deadlines.ts'
import { asBadRequest, errorAnswer } from './error-answer.ts'
import { HeadReader } from './head-reader.ts'
import { keepAliveProbeMs } from './keep-alive-probe.ts'
import { type RequestHead, requestHead } from './parse-head.ts'
import { peerOf } from './peer.ts'
import { PieceQueue } from './piece-queue.ts'
import { defaultServerOptions, type ServerOptions } from './server-options.ts'
import { Http1ServerStream, type StreamConnection } from './server-stream.ts'
import { ServerWriter } from './server-writer.ts'
import { SocketReader } from './socket-reader.ts'
import type { Peer, ServerStream } from './wire.ts'

/** A client's connection, as its listener sees it. */
export interface HttpConnection {
  readonly peer: Peer
  /** Between two requests: nothing of the next one has come. */
  readonly idle: boolean
  /**
   * Closes once the exchange under way is finished, or now when there is none. With patience, where the protocol cannot
   * tell a client that its next request was not read, an idle one first answers that request.
   */
  drain(patience?: 'patient'): void
  /** The time to drain is over: {@link destroy}, but where something was detached only once that has ended. */
  expire(): void
  /** Closes now; an exchange under way hears `onAbort`. Works on a detached connection too. */
  destroy(): void
}

export type ServeOptions = Partial<ServerOptions> & Pick<ServerOptions, 'onClientError'>

/**
 * Speaks HTTP/1.x (RFC 9112) on an accepted socket, which belongs to it from now on. `onRequest` is called once a
 * request, one after the other; it sets `stream.handler` before it returns. Options: {@link ServerOptions}.
 */
export function serveConnection(
  socket: Socket,
  options: ServeOptions,
  onRequest: (stream: ServerStream) => void,
): HttpConnection {
  return new ServerConnection(socket, { ...defaultServerOptions, ...options }, onRequest)
}

/**
 * - head: the next request is awaited, or part of its head is here
 * - exchange: a request is being answered
 * - discard: it is answered, and the rest of its body is read so that the connection can go on
 * - linger: our side is closed; what still comes is thrown away until the client closes too, since closing on unread
 *   bytes would reset the connection and could take the response with it (RFC 9112 section 9.6)
 * - gone: closed, or detached
 */
type Phase = 'head' | 'exchange' | 'discard' | 'linger' | 'gone'

class ServerConnection implements HttpConnection, StreamConnection, DeadlineOwner {
  deadline = 0
  deadlineIndex = -1
  readonly peer: Peer
  readonly writer: ServerWriter
  readonly reader: SocketReader

  readonly #socket: Socket
  readonly #options: ServerOptions
  readonly #onRequest: (stream: ServerStream) => void
  readonly #reader: HeadReader
  readonly #decoder: BodyDecoder
  readonly #bodyClock: BodyClock
  readonly #pieces = new PieceQueue()
  readonly #discard: DecoderSink
  #phase: Phase = 'head'
  #stream: Http1ServerStream | undefined
  #requests = 0
  #discarded = 0
  #running = false
  #reading = true
  #headBegun = true
  #ended = false
  #draining = false
  #detached = false

  constructor(socket: Socket, options: ServerOptions, onRequest: (stream: ServerStream) => void) {
    this.#socket = socket
    this.#options = options
    this.#onRequest = onRequest
    this.#reader = new HeadReader('request', options)
    this.#decoder = new BodyDecoder('client', options)
    this.#bodyClock = new BodyClock(options.bodyIdleTimeout, options.minBodyRate)
    this.#discard = { onData: chunk => this.#countDiscarded(chunk.length), onEnd() {} }
    this.writer = new ServerWriter(socket, options.writeIdleTimeout, () =>
      this.#clientGone('takes no more of the response'),
    )
    this.peer = options.peer ?? peerOf(socket)
    this.#wait(options.headTimeout)
    deadlines.add(this)
    // What a client's FIN means is told by where it comes: see atEnd.
    socket.allowHalfOpen = true
    socket.setNoDelay(true)
    this.reader = new SocketReader(socket, this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('finish', this.#onFinish)
    // 'close' follows, and says all that matters.
    socket.on('error', ignore)
    socket.on('close', this.#onClose)
  }

  get idle(): boolean {
    return this.#phase === 'head' && this.#reader.idle && this.#pieces.bytes === 0
  }

  drain(patience?: 'patient'): void {
    this.#draining = true
    if (this.idle && patience === undefined) this.#linger()
  }

  expire(): void {
    if (!this.#detached) this.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
    this.#gone(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the connection was closed by the gateway'))
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'head':
        if (this.#reader.idle) this.#linger()
        else this.#refuse(new GatewayError('GATEWAY_REQUEST_TIMEOUT', 'the request head did not arrive in time'))
        break
      case 'exchange':
        this.#stream?.failBody(new GatewayError('GATEWAY_REQUEST_TIMEOUT', 'the request body did not arrive in time'))
        break
      case 'discard':
        this.#linger()
        break
      default:
        this.#socket.destroy()
    }
  }

  // What a stream asks of its connection.

  mustClose(status: number): boolean {
    const stream = this.#stream
    const { maxRequestsPerConnection, maxDiscardedBytes } = this.#options
    if (stream === undefined || !stream.keepAlive || this.#isLast(stream)) return true
    if (maxRequestsPerConnection > 0 && this.#requests >= maxRequestsPerConnection) return true
    if (this.#decoder.done) return false
    // A response that comes before the request's end mostly means that the rest is not wanted.
    const rest = this.#decoder.remaining
    return stream.awaitsContinue || (Number.isFinite(rest) ? rest > maxDiscardedBytes : status >= 400)
  }

  bodyComplete(): boolean {
    return this.#decoder.done
  }

  bodyWanted(): void {
    this.#process()
  }

  responseSent(): void {
    const stream = this.#stream
    this.#stream = undefined
    if (this.#phase !== 'exchange' || stream === undefined) return
    if (stream.closes || this.#isLast(stream)) {
      this.#linger()
    } else if (this.#decoder.done) {
      this.#next()
    } else {
      this.#phase = 'discard'
      this.#discarded = 0
      this.#wait(this.#options.lingerTimeout)
    }
    this.#process()
  }

  cut(reset: boolean): void {
    this.#stream = undefined
    // Bytes of a truncated answer may wait; none of them has to go out.
    if (reset && !(this.#socket instanceof TLSSocket)) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
    this.#gone(undefined)
  }

  fault(error: unknown): void {
    this.#options.onFault(error)
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined) return
    const failure = new GatewayError('GATEWAY_INTERNAL', 'the exchange failed', { cause: error })
    if (stream.takeOver(failure)) this.#refuse(failure)
    else if (this.#phase === 'exchange') this.cut(false)
  }

  release(): { socket: Duplex; head: Uint8Array } {
    const socket = this.#socket
    this.writer.flush()
    this.#stream = undefined
    this.#phase = 'gone'
    this.#detached = true
    this.#stopDeadlines()
    // Nothing else would tell of a client that has vanished.
    socket.setKeepAlive(true, keepAliveProbeMs)
    socket.pause()
    this.reader.stop()
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('finish', this.#onFinish)
    return { socket, head: this.reader.own(this.#pieces.takeAll()) }
  }

  // The socket's events.

  readonly #onData = (piece: Buffer): void => {
    if (this.#phase === 'linger') return
    this.#pieces.push(piece)
    if (this.deadline !== 0 && this.#phase === 'exchange') {
      this.deadline = this.#bodyClock.earn(this.deadline, piece.length)
    }
    this.#process()
    this.#pieces.keep(this.reader)
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#process()
  }

  readonly #onDrain = (): void => {
    if (!this.writer.blocked) return
    this.writer.drained()
    this.#stream?.drain()
    this.#process()
  }

  readonly #onFinish = (): void => {
    this.writer.stop()
    // The client's time to close begins when it has been sent everything.
    if (this.#phase === 'linger') this.#wait(this.#options.lingerTimeout)
  }

  readonly #onClose = (): void => {
    this.#gone(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the client closed the connection'))
    this.#options.onClose()
  }

  // The machine.

  /** Takes as many steps as bytes and consumers allow. Steps never nest: whoever is called from one returns to it. */
  #process(): void {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#step());
    } finally {
      this.#running = false
    }
    if (this.#ended) this.#atEnd()
    this.#steerReading()
  }

  #step(): boolean {
    const piece = this.#pieces.first
    if (piece === undefined) return false
    switch (this.#phase) {
      case 'head':
        // Answers that nobody takes must not pile up.
        if (this.writer.blocked) return false
        this.#readHead(piece)
        return true
      case 'exchange': {
        const stream = this.#stream
        if (stream === undefined || !stream.takesBody || this.#decoder.done) return false
        this.#decode(piece, stream)
        return true
      }
      case 'discard':
        this.#decode(piece, this.#discard)
        if (this.#phase === 'discard' && this.#decoder.done) this.#next()
        return true
      default:
        this.#pieces.clear()
        return false
    }
  }

  #readHead(piece: Buffer): void {
    let head: RequestHead
    try {
      const whole = this.#reader.read(piece, this.#pieces.at)
      this.#pieces.moveTo(this.#reader.consumed)
      if (!whole) {
        this.#expectHead()
        return
      }
      head = requestHead(this.#reader)
    } catch (error) {
      this.#refuse(asBadRequest(error))
      return
    }
    this.#decoder.start(head.bodyLength)
    this.#requests++
    this.#phase = 'exchange'
    this.deadline = 0
    this.#bodyClock.reset()
    const stream = new Http1ServerStream(head, this)
    this.#stream = stream
    try {
      this.#onRequest(stream)
    } catch (error) {
      this.fault(error)
    }
  }

  /** Starts the time for a head at its first byte; bytes that follow do not prolong it. */
  #expectHead(): void {
    if (this.#headBegun || this.#reader.idle) return
    this.#headBegun = true
    this.#wait(this.#options.headTimeout)
  }

  #decode(piece: Buffer, sink: DecoderSink): void {
    try {
      this.#pieces.moveTo(this.#decoder.decode(piece, this.#pieces.at, sink))
    } catch (error) {
      this.#pieces.clear()
      if (this.#phase === 'exchange') this.#stream?.failBody(asBadRequest(error))
      else this.#linger()
    }
  }

  /** Ready for the next request. */
  #next(): void {
    this.#phase = 'head'
    this.#headBegun = false
    if (this.#draining) this.#linger()
    else this.#wait(this.#options.keepAliveTimeout)
  }

  /** No request can come after this one, or none is wanted. */
  #isLast(stream: Http1ServerStream): boolean {
    return this.#draining || stream.bodyFailed || (this.#ended && this.#pieces.bytes === 0)
  }

  #countDiscarded(bytes: number): boolean {
    this.#discarded += bytes
    if (this.#discarded > this.#options.maxDiscardedBytes) this.#linger()
    return this.#phase === 'discard'
  }

  /** Answers what could not become an exchange, or whose exchange failed, and closes. */
  #refuse(error: GatewayError): void {
    const { text, body } = errorAnswer(error, this.peer, this.#options)
    this.writer.bytes(text, body, '')
    this.#linger()
  }

  /** Closes our side after what has been written, and reads on until the client closes its own. */
  #linger(): void {
    if (this.#phase === 'linger' || this.#phase === 'gone') return
    this.#phase = 'linger'
    this.#stream = undefined
    this.#pieces.clear()
    this.deadline = 0
    this.writer.flush()
    this.#socket.end()
    this.writer.watch()
    this.#steerReading()
  }

  /** The client has sent its last byte. */
  #atEnd(): void {
    if (this.#pieces.bytes > 0) return
    if (this.#phase === 'head') {
      if (this.#reader.idle) this.#linger()
      else this.#refuse(new GatewayError('GATEWAY_BAD_REQUEST', 'the connection ended within a request head'))
    } else if (this.#phase === 'exchange' && this.#stream?.bodyFailed === false) {
      if (!this.#decoder.done) this.#clientGone('closed the connection within its request')
      else if (!this.#options.serveHalfClosed) this.#clientGone('closed the connection before the end of its response')
    } else if (this.#phase === 'discard') {
      this.#linger()
    }
  }

  #clientGone(what: string): void {
    this.#socket.destroy()
    this.#gone(new GatewayError('GATEWAY_CLIENT_CLOSED', `the client ${what}`))
  }

  /** Nothing goes out or comes in any more. */
  #gone(error: GatewayError | undefined): void {
    if (this.#phase === 'gone') return
    this.#phase = 'gone'
    this.#stopDeadlines()
    this.#pieces.clear()
    const stream = this.#stream
    this.#stream = undefined
    if (error !== undefined) stream?.fail(error)
  }

  #stopDeadlines(): void {
    this.deadline = 0
    deadlines.remove(this)
    this.writer.stop()
  }

  #wait(milliseconds: number): void {
    this.deadline = milliseconds === 0 ? 0 : performance.now() + milliseconds
  }

  /** Reads from the socket as long as somebody wants the bytes or there is room for them, and times the client's body. */
  #steerReading(): void {
    const phase = this.#phase
    if (phase === 'gone') return
    const stream = this.#stream
    const wanted = phase !== 'exchange' || stream?.paused !== true
    const reading = phase === 'linger' || (wanted && this.#pieces.bytes < this.#options.maxPendingBytes)
    if (reading !== this.#reading) {
      this.#reading = reading
      if (reading) this.reader.resume()
      else this.reader.pause()
    }
    if (phase !== 'exchange') return
    this.deadline = this.#bodyClock.turn(this.deadline, stream?.takesBody === true && !this.#decoder.done)
  }
}

function ignore(): void {}
