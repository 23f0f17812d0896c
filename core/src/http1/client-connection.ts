import type { Socket } from 'node:net'
import type { GatewayError } from '../contract/errors.ts'
import { BodyDecoder, type DecoderSink } from './body-decoder.ts'
import {
  invalid,
  maxInformational,
  readingFailed,
  tooManyInformational,
  type UpstreamErrorCode,
  upstreamError,
} from './client-errors.ts'
import { keepAliveMs } from './client-keep-alive.ts'
import { readPastWriteErrors } from './client-socket.ts'
import type { RequestStream, StreamConnection } from './client-stream.ts'
import { prepareSwitch } from './client-upgrade.ts'
import { RequestWriter } from './client-writer.ts'
import { type DeadlineOwner, deadlines } from './deadlines.ts'
import type { Fields } from './fields.ts'
import { connectionOptions, declaredLength, keepsAlive, responseBodyLength, UNTIL_CLOSE } from './framing.ts'
import { type HeadLimits, HeadReader } from './head-reader.ts'
import { known } from './known-fields.ts'
import { SocketReader } from './socket-reader.ts'

/** Who holds a connection between its exchanges. */
export interface ConnectionOwner {
  /** The exchange is over and the connection good for another. Called before the exchange hears of its end. */
  onIdle(connection: ClientConnection): void
  /** Handed over: it is the exchange's until it closes. */
  onUpgraded(socket: Socket): void
  /** Once: closed, or upgraded and somebody else's now. */
  onGone(connection: ClientConnection): void
}

/** More than a client is granted: an upstream is the operator's own, and some send long policies and many cookies. */
const responseLimits: HeadLimits = { maxHeadBytes: 65_536, maxFields: 256 }

/** How long an idle connection goes on holding the process, in milliseconds. */
const holdIdleMs = 100

/**
 * One connection to an upstream, HTTP/1.1, one exchange at a time. Its owner starts exchanges on it ({@link start}) while
 * it is idle; whatever is odd about a response, or comes when none is due, ends the connection, so that no exchange can
 * read what belongs to another.
 */
export class ClientConnection implements StreamConnection, DeadlineOwner, DecoderSink {
  /** Of the exchange under way, else of idleness. */
  deadline = 0
  deadlineIndex = -1
  served = 0
  /** No exchange starts on it after this moment of `performance.now()`. */
  expiresAt: number
  readonly #socket: Socket
  readonly #origin: string
  readonly #owner: ConnectionOwner
  readonly #writer: RequestWriter
  readonly #reader: SocketReader
  readonly #head = new HeadReader('response', responseLimits)
  readonly #body = new BodyDecoder('upstream', responseLimits)
  readonly #detach: () => void
  #undoWrites: (() => void) | undefined
  /** The socket holds the process. */
  #held = true
  #idleUntil = Infinity
  #stream: RequestStream | undefined
  /** The final head has come. */
  #inBody = false
  /** 1xx that came before it. */
  #informational = 0
  #trailers: Fields | undefined
  /** A byte of a response has been seen: the request has been acted on. */
  #answering = false
  #reusable = true
  #keepAliveMs = Infinity
  /** The upstream takes the request body slower than it comes. */
  #blocked = false
  #awaitsContinue = false
  /** The reader of the response asked us to wait. */
  #paused = false
  /** Bytes read but not decoded while paused: at most one read of the socket. */
  #rest: Buffer | undefined
  /** How reading ended: by a FIN, or by an error or a close without one. */
  #over: 'finished' | 'broken' | undefined
  #cause: Error | undefined
  #writeError: NodeJS.ErrnoException | undefined
  #gone = false

  constructor(socket: Socket, origin: string, expiresAt: number, owner: ConnectionOwner) {
    this.#socket = socket
    this.#origin = origin
    this.expiresAt = expiresAt
    this.#owner = owner
    this.#writer = new RequestWriter(socket)
    this.#reader = new SocketReader(socket, bytes => this.#onBytes(bytes))
    const listeners = {
      drain: () => this.#onDrain(),
      end: () => this.#onOver('finished', undefined),
      error: (error: Error) => this.#onOver('broken', error),
      close: () => this.#onOver('broken', undefined),
    }
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener)
    this.#detach = () => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener)
      this.#reader.stop()
      this.#undoWrites?.()
    }
    deadlines.add(this)
  }

  /** Of the upstream. */
  get address(): string | undefined {
    return this.#socket.remoteAddress
  }

  start(stream: RequestStream, now: number): void {
    this.#stream = stream
    this.#inBody = false
    this.#informational = 0
    this.#answering = false
    this.#trailers = undefined
    this.#blocked = false
    this.#paused = false
    this.#awaitsContinue = stream.request.bodyLength !== 0 && stream.request.fields.getKnown(known.expect) !== undefined
    this.#hold(true)
    // Only under a body can a write fail while the answer is already here.
    if (stream.request.bodyLength !== 0) {
      this.#undoWrites ??= readPastWriteErrors(this.#socket, error => {
        this.#writeError = error
      })
    }
    this.#writer.start(stream.head, stream.request.bodyLength)
    this.#arm(now)
  }

  /** Lies idle for `idleTimeout` milliseconds (0: no end), or as long as the upstream said, and holds no process. */
  park(now: number, idleTimeout: number): void {
    this.#idleUntil = Math.min(now + (idleTimeout || Infinity), now + this.#keepAliveMs, this.expiresAt)
    // A busy connection would let go of the process and hold it again at every request.
    this.deadline = Math.min(this.#idleUntil, now + holdIdleMs)
  }

  /** Has lain idle for as long as it may. */
  expired(now: number): boolean {
    return now >= this.#idleUntil
  }

  #hold(held: boolean): void {
    if (this.#held === held) return
    this.#held = held
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#over !== undefined || this.#writer.ended) return true
    if (!this.#writer.data(chunk)) {
      this.#fail(this.#error('GATEWAY_INTERNAL', 'the request body is longer than its Content-Length'))
      return true
    }
    this.#awaitsContinue = false
    this.#blocked = this.#socket.writableNeedDrain
    this.#arm(performance.now())
    return !this.#blocked
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#over !== undefined) return
    if (this.#writer.end(trailers)) this.#arm(performance.now())
    else this.#fail(this.#error('GATEWAY_INTERNAL', 'the request body is shorter than its Content-Length'))
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    const stream = this.#stream
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#read(rest)
    if (this.#stream !== stream || this.#paused) return
    if (this.#over !== undefined) {
      this.#conclude()
      return
    }
    this.#arm(performance.now())
    this.#reader.resume()
  }

  abort(): void {
    this.#stream = undefined
    this.close()
  }

  /** Closes at once, without a word to an exchange. */
  close(): void {
    this.#rest = undefined
    this.#writer.drop()
    this.#leave()
    this.#socket.destroy()
  }

  /** Closes at once; an exchange under way fails with `error`. */
  destroy(error: GatewayError): void {
    this.#fail(error)
  }

  onDeadline(): void {
    const stream = this.#stream
    if (stream === undefined) {
      if (!this.#held || performance.now() >= this.#idleUntil) return this.close()
      this.#hold(false)
      this.deadline = this.#idleUntil === Infinity ? 0 : this.#idleUntil
      return
    }
    const { head, idle } = stream.timeouts
    if (!this.#inBody && !this.#blocked) {
      this.#fail(this.#error('GATEWAY_UPSTREAM_HEAD_TIMEOUT', `no response head within ${head} ms`))
    } else {
      const what = this.#blocked ? 'took nothing of the request body' : 'sent nothing of the response body'
      this.#fail(this.#error('GATEWAY_UPSTREAM_IDLE_TIMEOUT', `${what} for ${idle} ms`))
    }
  }

  /** For the decoder. */
  onData(chunk: Buffer): boolean {
    const stream = this.#stream
    if (stream === undefined) return false
    if (!this.#reader.deliver(chunk, stream.handler)) this.#paused = true
    // Also when the reader gave up: what follows is nobody's.
    return !this.#paused && this.#stream === stream
  }

  /** For the decoder; the exchange is told once it is sure that nothing follows. */
  onEnd(trailers: Fields | undefined): void {
    this.#trailers = trailers
  }

  #onBytes(bytes: Buffer): void {
    // Bytes on an idle connection would pass for the answer to the next request.
    if (this.#stream === undefined) this.close()
    else if (this.#writer.held) this.#fail(this.#error('GATEWAY_UPSTREAM_CLOSED', 'answered before the request', true))
    else this.#read(bytes)
  }

  #read(bytes: Buffer): void {
    const stream = this.#stream
    if (stream === undefined) return
    this.#answering = true
    let at = 0
    try {
      do {
        if (this.#inBody) {
          at = this.#body.decode(bytes, at, this)
        } else {
          // A head that drips in gains no time.
          if (!this.#head.read(bytes, at)) return
          at = this.#head.consumed
          this.#onHead(stream, bytes, at)
        }
        if (this.#stream !== stream) return
      } while (at < bytes.length && !this.#paused && !(this.#inBody && this.#body.done))
    } catch (error) {
      this.#fail(readingFailed(this.#origin, error))
      return
    }
    if (this.#inBody && this.#body.done) {
      this.#finish(stream, at === bytes.length)
      return
    }
    if (this.#paused) {
      this.#reader.pause()
      if (at < bytes.length) this.#rest = this.#reader.own(bytes.subarray(at))
    }
    this.#arm(performance.now())
  }

  #onHead(stream: RequestStream, bytes: Buffer, at: number): void {
    const { status, minor, fields, text, targetStart, targetEnd } = this.#head
    const { method } = stream.request
    const length = responseBodyLength(fields, minor, status, method)
    if (status === 101 || (method === 'CONNECT' && status >= 200 && status < 300)) {
      this.#tunnel(stream, status, fields, this.#reader.own(bytes.subarray(at)))
      return
    }
    if (status < 200) {
      if (++this.#informational > maxInformational) throw invalid(tooManyInformational)
      if (status === 100) this.#awaitsContinue = false
      this.#arm(performance.now())
      fields.removeHopByHop()
      stream.handler.onInformational(status, fields)
      return
    }
    const bodyless = method === 'HEAD' || status === 304
    const told = bodyless ? (declaredLength(fields, minor, 'upstream') ?? -1) : Math.max(length, -1)
    this.#keepAliveMs = keepAliveMs(fields.getKnown(known['keep-alive']))
    this.#reusable = length !== UNTIL_CLOSE && keepsAlive(minor, connectionOptions(fields)) && this.#keepAliveMs > 0
    fields.removeHopByHop()
    this.#body.start(length)
    this.#inBody = true
    stream.handler.onHead(status, text.slice(targetStart, targetEnd), fields, told)
  }

  /** The connection speaks HTTP no more: it goes to the exchange, and is out of its owner's sight. */
  #tunnel(stream: RequestStream, status: number, fields: Fields, first: Buffer): void {
    if (!this.#writer.ended) throw invalid('switched protocols within the request')
    if (status === 101) prepareSwitch(fields, stream.request.upgrade, stream.websocketKey)
    else fields.removeHopByHop()
    const socket = this.#socket
    this.#stream = undefined
    socket.pause()
    // Its end is passed on like everything else: it does not end the other direction.
    socket.allowHalfOpen = true
    this.#detach()
    this.#owner.onUpgraded(socket)
    this.#leave()
    stream.finish()
    stream.handler.onUpgrade(status, fields, socket, first)
  }

  /** @param clean nothing was read past the response. */
  #finish(stream: RequestStream, clean: boolean): void {
    const socket = this.#socket
    const trailers = this.#trailers
    this.#stream = undefined
    this.#paused = false
    this.deadline = 0
    this.served++
    stream.finish()
    // A request still on its way (an early response) would stand before the next one.
    const sent = this.#writer.ended && socket.writableLength === 0
    if (clean && sent && this.#reusable && this.#over === undefined && !this.#reader.waiting) {
      if (socket.isPaused()) this.#reader.resume()
      this.#owner.onIdle(this)
    } else {
      this.close()
    }
    stream.handler.onEnd(trailers)
  }

  #onDrain(): void {
    const stream = this.#stream
    if (stream === undefined || !this.#blocked) return
    this.#blocked = false
    this.#arm(performance.now())
    if (!this.#writer.ended) stream.handler.onDrain()
  }

  #onOver(how: 'finished' | 'broken', cause: Error | undefined): void {
    if (this.#over !== undefined) return
    // A reset is told of once, to the call that comes first. When that was a write, reading ends as if by a FIN; but
    // EPIPE says that the FIN had come before.
    const reset = this.#writeError !== undefined && this.#writeError.code !== 'EPIPE'
    this.#over = reset ? 'broken' : how
    this.#cause = cause ?? this.#writeError
    this.#leave()
    // What was read before is still the reader's; it may even hold the rest of the response.
    if (this.#rest === undefined) this.#conclude()
  }

  /** Nothing more will be read: either that was the body's end, or the exchange has failed. */
  #conclude(): void {
    const stream = this.#stream
    if (stream === undefined) {
      this.close()
    } else if (this.#inBody) {
      // Over TLS that should take close_notify (RFC 9112 section 9.8), but Node ends a TLS socket at a FIN all the same, and
      // does not tell which it was. A body with a length or chunks needs neither.
      if (this.#over === 'finished' && this.#body.finish(this)) this.#finish(stream, false)
      else this.#fail(this.#error('GATEWAY_UPSTREAM_TRUNCATED', 'closed within the response body'))
    } else {
      // A response that had begun shows that the request was acted on.
      const reason = this.#answering ? 'closed within the response head' : 'closed before a response'
      this.#fail(this.#error('GATEWAY_UPSTREAM_CLOSED', reason, !this.#answering))
    }
  }

  #fail(error: GatewayError): void {
    const stream = this.#stream
    this.#stream = undefined
    this.close()
    stream?.fail(error)
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.deadline = 0
    deadlines.remove(this)
    this.#owner.onGone(this)
  }

  /** Sets the clock for what the upstream owes us now. It owes nothing while it is we who wait. */
  #arm(now: number): void {
    const timeouts = this.#stream?.timeouts
    if (timeouts === undefined) return
    let wait = 0
    if (this.#paused) wait = 0
    else if (this.#inBody || this.#blocked) wait = timeouts.idle
    else if (this.#writer.ended || this.#awaitsContinue) wait = timeouts.head
    this.deadline = wait === 0 ? 0 : now + wait
  }

  #error(code: UpstreamErrorCode, reason: string, retryable?: boolean): GatewayError {
    return upstreamError(code, this.#origin, reason, this.#cause, retryable)
  }
}
