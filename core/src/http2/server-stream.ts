import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import { BodyClock } from '../http1/body-clock.ts'
import { type DeadlineOwner, deadlines } from '../http1/deadlines.ts'
import type { Fields } from '../http1/fields.ts'
import type { ServerOptions } from '../http1/server-options.ts'
import { SmallPieces } from '../http1/small-pieces.ts'
import type { BodySink, Peer, ServerStream, ServerStreamHandler } from '../http1/wire.ts'
import { fieldObject, pushFields } from './field-list.ts'
import type { Http2RequestHead } from './request-head.ts'
import { resetStream } from './reset.ts'
import { trailersOf } from './trailers.ts'

/** What a stream needs of its connection. */
export interface StreamConnection {
  readonly peer: Peer
  readonly options: ServerOptions
  /** The stream speaks HTTP no more. */
  streamDetached(): void
  /** The stream is closed. `torn`: by the client's doing, before its response was sent whole. */
  streamClosed(torn: boolean, detached: boolean): void
  /** Answers in place of an exchange that failed before it answered. */
  refuse(stream: Http2ServerStream, error: GatewayError): void
}

/** How the response's end shows: by its length, by END_STREAM after nobody knows how much, or there is no body. */
type Framing = 'length' | 'stream' | 'none'

/** One exchange on an HTTP/2 connection. */
export class Http2ServerStream implements ServerStream, DeadlineOwner {
  readonly method: string
  readonly target: string
  readonly version = '2'
  readonly fields: Fields
  readonly bodyLength: number
  readonly expectsContinue: boolean
  readonly upgrade: string | undefined
  handler: ServerStreamHandler | undefined = undefined
  /** For the client to send its body, until the response begins; from then on for the client to take the response. */
  deadline = 0
  deadlineIndex = -1

  readonly #h2: ServerHttp2Stream
  readonly #connection: StreamConnection
  /** Of a request with a body. */
  #small: SmallPieces | undefined
  #sink: BodySink | undefined
  #clock: BodyClock | undefined
  #bodyError: GatewayError | undefined
  /** The client's last byte has been read. */
  #received: boolean
  /** The sink hears no more. */
  #sinkDone = false
  #paused = false
  #trailers: Fields | undefined
  #discarded = 0
  #headSent = false
  #framing: Framing = 'none'
  #left = 0
  /** node:http2 has all of the response but its trailers. */
  #handedOver = false
  /** Bytes that waited to be taken when the client was last looked at. */
  #backlog = 0
  /** Response sent whole or given up: nothing the exchange says matters any more. */
  #over = false
  #torn = false
  #detached = false

  constructor(h2: ServerHttp2Stream, head: Http2RequestHead, connection: StreamConnection) {
    this.#h2 = h2
    this.method = head.method
    this.target = head.target
    this.fields = head.fields
    this.bodyLength = head.bodyLength
    this.expectsContinue = head.expectsContinue
    this.upgrade = head.upgrade
    this.#connection = connection
    this.#received = h2.endAfterHeaders
    // A reset shows at once by 'aborted' (except of HEAD, whose writable side Node ends beforehand); 'close' comes last,
    // after a reset with NO_ERROR only when the body has been read to its end.
    h2.on('aborted', () => this.#lost())
    h2.on('close', () => this.#onClose())
    h2.on('drain', () => this.#onDrain())
    if (!this.#received) {
      // The window of the stream is not to open before somebody reads.
      this.#small = new SmallPieces(h2, 0)
      h2.on('trailers', (_headers, _flags, list) => {
        this.#trailers = trailersOf(list)
      })
      // From the start: of a body without a byte node:http2 tells the end at once, whether or not somebody reads.
      h2.on('end', () => this.#onEnd())
    }
  }

  get peer(): Peer {
    return this.#connection.peer
  }

  readBody(sink: BodySink): void {
    if (this.#over) return
    if (this.#sink !== undefined) throw new Error('the body is being read already')
    this.#sink = sink
    if (this.#bodyError !== undefined) {
      this.#sinkDone = true
      sink.onError(this.#bodyError)
    } else if (this.#received) {
      this.#sinkDone = true
      sink.onEnd(this.#trailers)
    } else {
      const { bodyIdleTimeout, minBodyRate } = this.#connection.options
      this.#clock = new BodyClock(bodyIdleTimeout, minBodyRate)
      this.#clock.reset()
      deadlines.add(this)
      this.#read()
      this.#timeBody()
    }
  }

  resumeBody(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#over) return
    this.#timeBody()
    this.#flow()
  }

  sendInformational(status: number, fields: Fields | undefined): void {
    if (this.#headSent || !this.#isOpen()) return
    if (!(status >= 100 && status < 200) || status === 101)
      throw new RangeError(`not an informational status: ${status}`)
    fields?.removeHopByHop()
    const headers = fieldObject(fields)
    headers[':status'] = status
    this.#h2.additionalHeaders(headers)
  }

  sendHead(status: number, _reason: string, fields: Fields, bodyLength: number): void {
    if (!this.#isOpen()) return
    if (this.#headSent) throw new Error('the head has been sent already')
    if (!(status >= 200 && status < 600)) throw new RangeError(`not a final status: ${status}`)
    // A plugin may have set one of them, and node:http2 throws on them.
    fields.removeHopByHop()
    const list = [':status', String(status)]
    pushFields(list, fields)
    const bodiless = this.method === 'HEAD' || status === 204 || status === 205 || status === 304
    if (tellsLength(this.method, status, bodyLength)) list.push('content-length', String(bodyLength))
    this.#headSent = true
    this.deadline = 0
    this.#framing = bodiless || bodyLength === 0 ? 'none' : bodyLength > 0 ? 'length' : 'stream'
    this.#left = bodyLength
    this.#handedOver = this.#framing === 'none'
    // Waiting for trailers costs a turn of the loop and a frame. Only what has no length may have some, as in HTTP/1.1.
    this.#h2.respond(list, { endStream: this.#handedOver, waitForTrailers: this.#framing === 'stream' })
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#framing === 'none' || chunk.length === 0 || !this.#isOpen()) return true
    if (this.#framing === 'length') {
      if (chunk.length > this.#left) {
        this.fault(new Error(`response body is longer than its announced length by ${chunk.length - this.#left}`))
        return true
      }
      this.#left -= chunk.length
      if (this.#left === 0) {
        // END_STREAM goes out with the last bytes.
        this.#handedOver = true
        this.#h2.end(chunk)
        return true
      }
    }
    if (this.#h2.write(chunk)) return true
    this.#watch()
    return false
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#over) return
    if (!this.#headSent) throw new Error('the head has not been sent')
    if (this.#framing === 'length' && this.#left > 0) {
      this.fault(new Error(`response body ended ${this.#left} bytes before its announced length`))
      return
    }
    // Once it is closed, which a client that has all of it may do, 'close' is all that is left to come.
    const open = this.#isOpen()
    this.#over = true
    if (!open) return
    if (this.#framing === 'stream') {
      if (trailers !== undefined || !this.#received) this.#h2.once('wantTrailers', () => this.#sendTrailers(trailers))
      this.#h2.end()
    }
    this.#watch()
    if (!this.#received) this.#discard()
  }

  abort(error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants
    resetStream(this.#h2, error.source === 'client' ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR)
  }

  detach(_status: number, fields: Fields): { socket: Duplex; head: Uint8Array } {
    if (!this.#isOpen() || this.#headSent) throw new Error('too late to detach')
    fields.removeHopByHop()
    const list = [':status', '200']
    pushFields(list, fields)
    this.#headSent = true
    this.#over = true
    this.#detached = true
    this.#small?.release()
    this.#connection.streamDetached()
    this.#h2.respond(list)
    return { socket: this.#h2, head: new Uint8Array() }
  }

  onDeadline(): void {
    if (!this.#headSent) {
      this.#failBody(new GatewayError('GATEWAY_REQUEST_TIMEOUT', 'the request body did not arrive in time'))
    } else if (this.#over && !this.#received && this.#h2.bufferSize === 0) {
      resetStream(this.#h2, constants.NGHTTP2_NO_ERROR)
    } else if (this.#h2.bufferSize < this.#backlog) {
      this.#watch()
    } else {
      if (!this.#over) this.#fail(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the client takes no more of the response'))
      resetStream(this.#h2, constants.NGHTTP2_CANCEL)
    }
  }

  /** The exchange threw, or broke a rule of the wire. */
  fault(error: unknown): void {
    this.#connection.options.onFault(error)
    if (this.#over) return
    const failure = new GatewayError('GATEWAY_INTERNAL', 'the exchange failed', { cause: error })
    this.#fail(failure)
    if (this.#headSent || this.#h2.closed || this.#h2.destroyed) {
      resetStream(this.#h2, constants.NGHTTP2_INTERNAL_ERROR)
    } else {
      this.#over = false
      this.#connection.refuse(this, failure)
    }
  }

  /** Answers in place of an exchange. */
  answer(status: number, fields: Fields, body: Uint8Array): void {
    this.sendHead(status, '', fields, body.length)
    this.sendData(body)
    this.sendEnd(undefined)
  }

  /** Something can still be sent. Once node:http2 has closed the stream its functions throw; 'close' is on its way. */
  #isOpen(): boolean {
    return !this.#over && !this.#h2.closed && !this.#h2.destroyed
  }

  #read(): void {
    this.#small?.flush()
    this.#h2.on('data', (chunk: Buffer) => this.#onData(chunk))
  }

  #flow(): void {
    this.#small?.flush()
    this.#h2.resume()
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return this.#countDiscarded(chunk.length)
    const sink = this.#sink
    if (sink === undefined || this.#sinkDone) return
    if (this.deadline !== 0 && !this.#headSent && this.#clock !== undefined) {
      this.deadline = this.#clock.earn(this.deadline, chunk.length)
    }
    try {
      if (sink.onData(chunk) || this.#over) return
    } catch (error) {
      return this.fault(error)
    }
    this.#paused = true
    this.#h2.pause()
    this.#timeBody()
  }

  #onEnd(): void {
    // A reset with NO_ERROR ends the readable side, too; as long as a response is owed nothing but a reset closes a stream.
    if (!this.#over && !this.#handedOver && this.#h2.closed) return this.#lost()
    this.#received = true
    if (this.#over) return this.#watch()
    this.#timeBody()
    if (this.#sink === undefined || this.#sinkDone) return
    this.#sinkDone = true
    try {
      this.#sink.onEnd(this.#trailers)
    } catch (error) {
      this.fault(error)
    }
  }

  #onDrain(): void {
    if (this.#over) return
    this.deadline = 0
    try {
      this.handler?.onDrain()
    } catch (error) {
      this.fault(error)
    }
  }

  #onClose(): void {
    this.#lost()
    this.deadline = 0
    deadlines.remove(this)
    this.#connection.streamClosed(this.#torn, this.#detached)
  }

  /** The client gave the stream up, or the connection is gone. */
  #lost(): void {
    if (this.#over || this.#handedOver) return
    this.#torn = true
    // Closed with NO_ERROR it waits for somebody to read what is left.
    this.#flow()
    this.#fail(new GatewayError('GATEWAY_CLIENT_CLOSED', `the client closed the stream (code ${this.#h2.rstCode})`))
  }

  /** Nothing can be sent any more. The handler hears it first, so that it does not take the body's end for its cue to answer. */
  #fail(error: GatewayError): void {
    this.#over = true
    try {
      this.handler?.onAbort(error)
    } catch (fault) {
      this.#connection.options.onFault(fault)
    }
    this.#failBody(error)
  }

  /** The body can not come in whole any more. The exchange may still answer. */
  #failBody(error: GatewayError): void {
    if (this.#received || this.#bodyError !== undefined) return
    this.#bodyError = error
    this.#paused = false
    this.deadline = 0
    if (this.#sink === undefined || this.#sinkDone) return
    this.#sinkDone = true
    try {
      this.#sink.onError(error)
    } catch (fault) {
      this.fault(fault)
    }
  }

  /** Stops where the response begins: from there on both sides talk at their own pace, as in a gRPC stream. */
  #timeBody(): void {
    if (this.#clock === undefined || this.#headSent) return
    this.deadline = this.#clock.turn(this.deadline, !this.#paused && !this.#received)
  }

  /** Looks later whether the client has taken some of what waits for it. */
  #watch(): void {
    const { writeIdleTimeout } = this.#connection.options
    this.#backlog = this.#h2.bufferSize
    this.deadline = writeIdleTimeout === 0 ? 0 : performance.now() + writeIdleTimeout
    deadlines.add(this)
  }

  /**
   * The response is sent, and the client is still sending. A little is let in, so that a client that is nearly done can
   * end by itself; then it is stopped (RFC 9113 section 8.1).
   */
  #discard(): void {
    if (this.#clock === undefined) this.#read()
    this.#flow()
    this.#h2.once('finish', () => this.#countDiscarded(0))
    this.deadline = performance.now() + this.#connection.options.lingerTimeout
    deadlines.add(this)
  }

  #countDiscarded(bytes: number): void {
    this.#discarded += bytes
    if (this.#discarded <= this.#connection.options.maxDiscardedBytes) return
    // Closed before its trailers it would get neither them nor an end. Closed before its last byte is on its way, and then
    // given up, it would never be reset: node:http2 (26.10) forgets the stream, nghttp2 does not, and between them they
    // make empty DATA without end as soon as the client lets them, in a loop that nothing gets out of. Flow control stops
    // the client meanwhile.
    if (!this.#handedOver || !this.#h2.writableFinished) return void this.#h2.pause()
    this.#h2.close(constants.NGHTTP2_NO_ERROR)
    this.#flow()
  }

  #sendTrailers(trailers: Fields | undefined): void {
    trailers?.removeHopByHop()
    this.#h2.sendTrailers(fieldObject(trailers))
    // Node sends them in an immediate of its own, which stands before this one.
    setImmediate(() => {
      this.#handedOver = true
      if (!this.#received) this.#countDiscarded(0)
    })
  }
}

/** A 304 of a length that nobody knows must not claim to be empty; of what is no body END_STREAM tells enough. */
function tellsLength(method: string, status: number, bodyLength: number): boolean {
  if (status === 204 || status === 205) return false
  return method === 'HEAD' && status !== 304 ? bodyLength >= 0 : bodyLength > 0
}
