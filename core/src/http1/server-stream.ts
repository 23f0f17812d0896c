import type { Duplex } from 'node:stream'
import type { GatewayError } from '../contract/errors.ts'
import type { DecoderSink } from './body-decoder.ts'
import type { Fields } from './fields.ts'
import type { RequestHead } from './parse-head.ts'
import { responseHeadText } from './response-head.ts'
import type { ServerWriter } from './server-writer.ts'
import type { SocketReader } from './socket-reader.ts'
import { websocketAccept } from './websocket-key.ts'
import type { BodySink, Peer, ServerStream, ServerStreamHandler } from './wire.ts'

/** What a stream needs of its connection. */
export interface StreamConnection {
  readonly peer: Peer
  readonly writer: ServerWriter
  readonly reader: SocketReader
  /** Whether a response of this status has to be the connection's last. */
  mustClose(status: number): boolean
  /** The request body has come in whole. */
  bodyComplete(): boolean
  /** Somebody wants the body, or wants it again. */
  bodyWanted(): void
  responseSent(): void
  /** Closes at once; `reset` so that a client that waits for the close can tell it from the end. */
  cut(reset: boolean): void
  /** The exchange threw, or broke a rule of the wire. */
  fault(error: unknown): void
  release(): { socket: Duplex; head: Uint8Array }
}

/** How the response's end shows: by its length, by the last chunk, by the close, or there is no body. */
type ResponseFraming = 'length' | 'chunked' | 'close' | 'none'

/** One exchange on an HTTP/1.x connection. */
export class Http1ServerStream implements ServerStream, DecoderSink {
  readonly method: string
  readonly target: string
  readonly version: '1.0' | '1.1'
  readonly fields: Fields
  readonly bodyLength: number
  readonly expectsContinue: boolean
  readonly upgrade: string | undefined
  readonly keepAlive: boolean
  /** Sec-WebSocket-Key, whatever becomes of the field. */
  readonly #websocketKey: string | undefined
  handler: ServerStreamHandler | undefined = undefined

  readonly #connection: StreamConnection
  #sink: BodySink | undefined
  #bodyError: GatewayError | undefined
  #bodyOver = false
  #paused = false
  #continued = false
  #headSent = false
  /** Response sent whole, given up or detached: nothing the exchange says matters any more. */
  #over = false
  #framing: ResponseFraming = 'none'
  #left = 0
  #closes = false

  constructor(head: RequestHead, connection: StreamConnection) {
    this.method = head.method
    this.target = head.target
    this.version = head.version
    this.fields = head.fields
    this.bodyLength = head.bodyLength
    this.expectsContinue = head.expectsContinue
    this.upgrade = head.upgrade
    this.keepAlive = head.keepAlive
    this.#websocketKey = head.upgrade === undefined ? undefined : head.fields.get('sec-websocket-key')
    this.#connection = connection
  }

  get peer(): Peer {
    return this.#connection.peer
  }

  /** The response says that it is the connection's last. */
  get closes(): boolean {
    return this.#closes
  }

  /** Body bytes may be decoded now. */
  get takesBody(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.#bodyOver && !this.#over
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The body came to grief. */
  get bodyFailed(): boolean {
    return this.#bodyError !== undefined
  }

  /** The client may be holding its body back, so nobody can tell what its next bytes are. */
  get awaitsContinue(): boolean {
    return this.expectsContinue && !this.#continued
  }

  readBody(sink: BodySink): void {
    if (this.#over) return
    if (this.#sink !== undefined) throw new Error('the body is being read already')
    this.#sink = sink
    if (this.#bodyError !== undefined) {
      this.#bodyOver = true
      sink.onError(this.#bodyError)
    } else if (this.#connection.bodyComplete()) {
      this.#bodyOver = true
      sink.onEnd(undefined)
    } else {
      this.#connection.bodyWanted()
    }
  }

  resumeBody(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#over) this.#connection.bodyWanted()
  }

  sendInformational(status: number, fields: Fields | undefined): void {
    if (this.#over || this.#headSent || this.version === '1.0') return
    if (!(status >= 100 && status < 200) || status === 101)
      throw new RangeError(`not an informational status: ${status}`)
    if (status === 100) this.#continued = true
    fields?.removeHopByHop()
    this.#connection.writer.text(responseHeadText(status, '', fields, ''))
  }

  sendHead(status: number, reason: string, fields: Fields, bodyLength: number): void {
    if (this.#over) return
    if (this.#headSent) throw new Error('the head has been sent already')
    if (!(status >= 200)) throw new RangeError(`not a final status: ${status}`)
    // A plugin may have set one of them; what frames the message is decided here alone.
    fields.removeHopByHop()
    const bodiless = this.method === 'HEAD' || status === 204 || status === 304
    let close = this.#connection.mustClose(status)
    let lines = ''
    if (bodiless) {
      this.#framing = 'none'
      // 204 has none (RFC 9110 section 8.6); 304 of a length that nobody knows must not claim to be empty.
      const tells = status === 204 ? false : status === 304 ? bodyLength > 0 : bodyLength >= 0
      if (tells) lines = `Content-Length: ${bodyLength}\r\n`
    } else if (bodyLength >= 0) {
      this.#framing = 'length'
      this.#left = bodyLength
      lines = `Content-Length: ${bodyLength}\r\n`
    } else if (this.version === '1.1') {
      this.#framing = 'chunked'
      lines = 'Transfer-Encoding: chunked\r\n'
    } else {
      this.#framing = 'close'
      close = true
    }
    this.#closes = close
    if (close) lines += 'Connection: close\r\n'
    else if (this.version === '1.0') lines += 'Connection: keep-alive\r\n'
    const text = responseHeadText(status, reason, fields, lines)
    this.#headSent = true
    this.#connection.writer.text(text)
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#over || this.#framing === 'none' || chunk.length === 0) return true
    const { writer } = this.#connection
    if (this.#framing === 'chunked') {
      writer.bytes(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
    } else if (this.#framing === 'length') {
      if (chunk.length > this.#left) {
        this.#connection.fault(
          new Error(`response body is longer than its announced length by ${chunk.length - this.#left}`),
        )
        return true
      }
      this.#left -= chunk.length
      writer.bytes('', chunk, '')
    } else {
      writer.bytes('', chunk, '')
    }
    return !writer.blocked
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#over) return
    if (!this.#headSent) throw new Error('the head has not been sent')
    if (this.#framing === 'length' && this.#left > 0) {
      this.#connection.fault(new Error(`response body ended ${this.#left} bytes before its announced length`))
      return
    }
    if (this.#framing === 'chunked') this.#connection.writer.text(`0\r\n${trailers?.toText() ?? ''}\r\n`)
    this.#over = true
    this.#connection.responseSent()
  }

  abort(_error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    this.#connection.cut(this.#framing === 'close')
  }

  detach(status: number, fields: Fields): { socket: Duplex; head: Uint8Array } {
    if (this.#over || this.#headSent) throw new Error('too late to detach')
    const switches = status === 101
    const protocol = switches ? (fields.get('upgrade') ?? this.upgrade?.split(',')[0]?.trim() ?? '') : ''
    fields.removeHopByHop()
    let lines = switches ? `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n` : ''
    if (protocol === 'websocket' && this.#websocketKey !== undefined) {
      lines += `Sec-WebSocket-Accept: ${websocketAccept(this.#websocketKey)}\r\n`
    }
    const text = responseHeadText(status, '', fields, lines)
    this.#headSent = true
    this.#over = true
    this.#connection.writer.text(text)
    return this.#connection.release()
  }

  // The decoder's side.

  onData(chunk: Buffer): boolean {
    const sink = this.#sink
    if (sink === undefined) return true
    try {
      if (!this.#connection.reader.deliver(chunk, sink)) this.#paused = true
    } catch (error) {
      this.#connection.fault(error)
    }
    return this.takesBody
  }

  onEnd(trailers: Fields | undefined): void {
    this.#paused = false
    if (this.#bodyOver || this.#over) return
    this.#bodyOver = true
    try {
      this.#sink?.onEnd(trailers)
    } catch (error) {
      this.#connection.fault(error)
    }
  }

  // The connection's side.

  /** The body can not come in whole any more. The exchange may still answer. */
  failBody(error: GatewayError): void {
    if (this.#bodyOver || this.#bodyError !== undefined) return
    this.#bodyError = error
    this.#paused = false
    if (this.#sink === undefined) return
    this.#bodyOver = true
    try {
      this.#sink.onError(error)
    } catch (fault) {
      this.#connection.fault(fault)
    }
  }

  drain(): void {
    if (this.#over) return
    try {
      this.handler?.onDrain()
    } catch (error) {
      this.#connection.fault(error)
    }
  }

  /** Nothing can be sent any more. The handler hears it first, so that it does not take the body's end for its cue to answer. */
  fail(error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    this.#tellAbort(error)
    this.failBody(error)
  }

  /** Takes the answer out of the hands of an exchange that failed. True when nothing of one had been sent. */
  takeOver(error: GatewayError): boolean {
    if (this.#over) return false
    const clean = !this.#headSent
    this.fail(error)
    return clean
  }

  #tellAbort(error: GatewayError): void {
    try {
      this.handler?.onAbort(error)
    } catch (fault) {
      this.#connection.fault(fault)
    }
  }
}
