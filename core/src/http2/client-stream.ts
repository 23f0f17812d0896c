import { type ClientHttp2Stream, constants } from 'node:http2'
import type { GatewayError } from '../contract/errors.ts'
import {
  maxInformational,
  tooManyInformational,
  type UpstreamErrorCode,
  upstreamError,
} from '../http1/client-errors.ts'
import { type DeadlineOwner, deadlines } from '../http1/deadlines.ts'
import type { Fields } from '../http1/fields.ts'
import { known } from '../http1/known-fields.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import { type BodyReader, IncomingBody } from './client-body.ts'
import { contentLength, fieldObject, fieldsOf } from './field-list.ts'
import { resetStream } from './reset.ts'
import { trailersOf } from './trailers.ts'

/** Who finds a stream its session. */
export interface StreamQueue {
  readonly origin: string
  /** The stream waits no longer. */
  leave(stream: Http2ClientStream): void
  /** The stream has waited as long as it may. */
  onWaitedTooLong(stream: Http2ClientStream): void
  /** The upstream has not looked at the request. False when it was sent too often to be sent once more. */
  onUnprocessed(stream: Http2ClientStream): boolean
}

/** The session, as its streams see it. */
export interface StreamSession {
  /** Streams that were answered on it. */
  readonly served: number
  /** The upstream takes upgrades. */
  readonly tunnels: boolean
  /** Why the connection ended, when it has. */
  readonly failure: Error | undefined
  open(list: readonly string[], options: { endStream: boolean; waitForTrailers: boolean }): ClientHttp2Stream
  /** The upstream has said that it has not looked at this stream (GOAWAY), and never will. */
  refuses(id: number): boolean
  /** The upstream showed that it lives. */
  heard(now: number): void
  /** It did not, though it should have. */
  suspect(): void
}

const waiting = 0
const sent = 1
const done = 2

/** One request under way: first waiting for a session, then a stream on one, then done. */
export class Http2ClientStream implements ClientStream, BodyReader, DeadlineOwner {
  readonly request: ClientRequest
  readonly timeouts: AttemptTimeouts
  untouched = true
  reused = false
  deadline = 0
  deadlineIndex = -1
  /** How often it went out. */
  tries = 0

  readonly #list: readonly string[]
  readonly #handler: ClientStreamHandler
  readonly #queue: StreamQueue
  #state: typeof waiting | typeof sent | typeof done = waiting
  #waitingSince = 0
  #session: StreamSession | undefined
  #h2: ClientHttp2Stream | undefined
  /** Body that came before there was a session. Its source is told to wait at the first piece. */
  #early: Uint8Array[] | undefined
  #earlyEnd: { readonly trailers: Fields | undefined } | undefined
  /** Something of the body went out, so it can not be sent again. */
  #bodyBegun = false
  /** What Content-Length still promises. */
  #left = 0
  #ended = false
  #blocked = false
  #awaitsContinue = false
  #announced = false

  /** The final head has come. */
  #inBody = false
  /** 1xx that came before it. */
  #informational = 0
  #body: IncomingBody | undefined
  /** Content-Length of the response; -1 when there was none, or none that a body follows from. */
  #length = -1
  #trailers: Fields | undefined
  #cause: Error | undefined

  constructor(
    request: ClientRequest,
    list: readonly string[],
    timeouts: AttemptTimeouts,
    handler: ClientStreamHandler,
    queue: StreamQueue,
  ) {
    this.request = request
    this.timeouts = timeouts
    this.#list = list
    this.#handler = handler
    this.#queue = queue
  }

  startWaiting(now: number): void {
    this.#waitingSince = now
    this.deadline = this.timeouts.connect === 0 ? 0 : now + this.timeouts.connect
  }

  onDeadline(): void {
    if (this.#state === waiting) {
      this.#queue.onWaitedTooLong(this)
      return
    }
    const { head, idle } = this.timeouts
    this.#session?.suspect()
    if (!this.#inBody && !this.#blocked) {
      this.#giveUp(this.#error('GATEWAY_UPSTREAM_HEAD_TIMEOUT', `no response head within ${head} ms`))
    } else {
      const what = this.#blocked ? 'took nothing of the request body' : 'sent nothing of the response body'
      this.#giveUp(this.#error('GATEWAY_UPSTREAM_IDLE_TIMEOUT', `${what} for ${idle} ms`))
    }
  }

  /** Goes out on a session, with what of the body is here already. */
  connect(session: StreamSession, now: number): void {
    const { bodyLength, fields, upgrade } = this.request
    this.tries++
    this.#state = sent
    if (upgrade !== undefined && !session.tunnels) {
      const reason = "the upstream takes no WebSockets over HTTP/2 (RFC 8441); is the service's protocol 'http1'?"
      this.fail(this.#error('GATEWAY_UPSTREAM_INVALID', reason))
      return
    }
    this.#session = session
    this.untouched = false
    this.reused = session.served > 0
    this.#left = bodyLength
    this.#ended = bodyLength === 0
    this.#awaitsContinue = !this.#ended && fields.getKnown(known.expect) !== undefined
    let h2: ClientHttp2Stream
    try {
      const endStream = this.#ended && upgrade === undefined
      h2 = session.open(this.#list, { endStream, waitForTrailers: bodyLength === -1 })
    } catch (error) {
      this.untouched = true
      this.#cause = error instanceof Error ? error : undefined
      this.fail(this.#error('GATEWAY_INTERNAL', 'the request can not be sent over HTTP/2'))
      return
    }
    this.#h2 = h2
    this.#listen(h2)
    this.#body = new IncomingBody(h2, this)
    deadlines.add(this)
    this.#arm(now)
    const flowing = this.#sendEarly()
    if (!this.#announced) {
      this.#announced = true
      this.#handler.onConnected?.(this.#waitingSince === 0 ? 0 : now - this.#waitingSince)
    }
    if (flowing && this.#h2 === h2) this.#handler.onDrain()
  }

  sendData(chunk: Uint8Array): boolean {
    // What nobody will read may be let go of as fast as it comes.
    if (this.#state === done || chunk.length === 0) return true
    if (this.#state === sent) return this.#write(chunk)
    this.#early ??= []
    this.#early.push(chunk)
    return false
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#state === sent) this.#end(trailers)
    else if (this.#state === waiting) this.#earlyEnd = { trailers }
  }

  resumeBody(): void {
    if (this.#body?.resume() === true) this.#arm(performance.now())
  }

  abort(): void {
    if (this.#state === waiting) this.#queue.leave(this)
    const h2 = this.#h2
    if (this.#finish() && h2 !== undefined) resetStream(h2, constants.NGHTTP2_CANCEL)
  }

  /** Ends the stream with an error, unless it has ended. */
  fail(error: GatewayError): void {
    if (this.#finish()) this.#handler.onError(error)
  }

  #giveUp(error: GatewayError): void {
    const h2 = this.#h2
    this.fail(error)
    if (h2 !== undefined) resetStream(h2, constants.NGHTTP2_CANCEL)
  }

  #finish(): boolean {
    if (this.#state === done) return false
    this.#state = done
    this.deadline = 0
    deadlines.remove(this)
    this.#h2 = undefined
    this.#early = undefined
    this.#body?.stop()
    return true
  }

  #listen(h2: ClientHttp2Stream): void {
    h2.on('response', (headers, flags, list) =>
      this.#onHead(h2, headers[':status'] ?? 0, (flags & endStreamFlag) !== 0, list),
    )
    h2.on('headers', (headers, _flags, list) => this.#onInformational(h2, headers[':status'] ?? 0, list))
    h2.on('trailers', (_headers, _flags, list) => {
      this.#trailers = trailersOf(list)
    })
    h2.on('drain', () => this.#onDrain(h2))
    h2.on('error', error => {
      this.#cause = error
    })
    h2.on('close', () => this.#onClose(h2))
  }

  #onHead(h2: ClientHttp2Stream, status: number, last: boolean, list: readonly string[]): void {
    if (this.#h2 !== h2 || this.#inBody) return
    const now = performance.now()
    this.#session?.heard(now)
    if (status > 599) return this.#giveUp(this.#error('GATEWAY_UPSTREAM_INVALID', `the status ${status}`))
    const { method, upgrade } = this.request
    const fields = fieldsOf(list)
    if (upgrade !== undefined && status >= 200 && status < 300) return this.#handOver(h2, upgrade, fields)
    const declared = contentLength(fields.getKnown(known['content-length']))
    const bodiless = method === 'HEAD' || status === 204 || status === 304
    this.#inBody = true
    let length = -1
    if (bodiless) length = status === 204 ? 0 : (declared ?? -1)
    else if (last) length = 0
    // Trailers need a body whose length nobody has told; of a body of length 0 there is no place for them.
    else if (declared !== undefined && declared > 0 && fields.getKnown(known.trailer) === undefined) length = declared
    this.#length = bodiless ? -1 : (declared ?? -1)
    fields.removeHopByHop()
    this.#arm(now)
    this.#guard(() => this.#handler.onHead(status, '', fields, length))
    this.#body?.begin()
  }

  /** The tunnel stands: the stream is the exchange's from now on, told in HTTP/1.1's words. */
  #handOver(h2: ClientHttp2Stream, upgrade: string, fields: Fields): void {
    const head = this.#body?.release() ?? new Uint8Array()
    this.#finish()
    fields.removeHopByHop()
    fields.set('Upgrade', upgrade)
    this.#handler.onUpgrade(101, fields, h2, head)
  }

  #onInformational(h2: ClientHttp2Stream, status: number, list: readonly string[]): void {
    if (this.#h2 !== h2 || this.#inBody || status < 100 || status === 101) return
    const now = performance.now()
    this.#session?.heard(now)
    if (++this.#informational > maxInformational) {
      return this.#giveUp(this.#error('GATEWAY_UPSTREAM_INVALID', tooManyInformational))
    }
    if (status === 100) this.#awaitsContinue = false
    this.#arm(now)
    const fields = fieldsOf(list)
    fields.removeHopByHop()
    this.#guard(() => this.#handler.onInformational(status, fields))
  }

  /** For the body. */
  take(chunk: Uint8Array): boolean {
    const now = performance.now()
    this.#session?.heard(now)
    let goOn = true
    try {
      goOn = this.#handler.onData(chunk)
    } catch (error) {
      this.#readerFailed(error)
    }
    if (this.#state === sent) this.#arm(now, !goOn)
    return goOn
  }

  /** For the body. */
  taken(): void {
    if (this.#state !== sent) return
    const h2 = this.#h2
    if (this.#length >= 0 && this.#body?.bytes !== this.#length) {
      return this.#giveUp(this.#error('GATEWAY_UPSTREAM_TRUNCATED', 'the body is not as long as announced'))
    }
    this.#finish()
    // A request still on its way (an early response): nobody will read the rest.
    if (h2 !== undefined && !this.#ended) resetStream(h2, constants.NGHTTP2_NO_ERROR)
    this.#handler.onEnd(this.#trailers)
  }

  #onClose(h2: ClientHttp2Stream): void {
    const body = this.#body
    if (this.#h2 !== h2 || body === undefined) return
    // Node's own server resets a stream in place of END_STREAM when the last byte has used the window up (node:http2 of 26.10).
    // With a length one can tell that nothing is missing.
    if (h2.rstCode === constants.NGHTTP2_NO_ERROR && this.#inBody && body.bytes === this.#length) body.whole = true
    body.settle()
    // Whole but not yet taken: the reader has all the time it wants.
    if (this.#state !== sent || (body.whole === true && this.#inBody)) return
    const session = this.#session
    const lost = session?.failure !== undefined
    const { rstCode } = h2
    const unprocessed =
      !this.#inBody &&
      (rstCode === constants.NGHTTP2_REFUSED_STREAM || h2.id === undefined || session?.refuses(h2.id) === true)
    this.#cause ??= session?.failure
    if (unprocessed) return this.#tryAgain()
    if (this.#inBody)
      return this.fail(this.#error('GATEWAY_UPSTREAM_TRUNCATED', `${how(lost, rstCode)} within the response body`))
    const code =
      rstCode === constants.NGHTTP2_PROTOCOL_ERROR && !lost ? 'GATEWAY_UPSTREAM_INVALID' : 'GATEWAY_UPSTREAM_CLOSED'
    this.fail(this.#error(code, `${how(lost, rstCode)} before a response`, lost))
  }

  /** The upstream did nothing with the request (RFC 9113 section 8.7), whatever its method. */
  #tryAgain(): void {
    this.#h2 = undefined
    this.#session = undefined
    this.deadline = 0
    this.#blocked = false
    this.#body?.stop()
    if (!this.#bodyBegun) {
      this.untouched = true
      this.#state = waiting
      if (this.#queue.onUnprocessed(this)) return
    }
    this.fail(this.#error('GATEWAY_UPSTREAM_CLOSED', 'the stream was refused', true))
  }

  #write(chunk: Uint8Array): boolean {
    const h2 = this.#h2
    if (h2 === undefined || h2.closed || h2.destroyed || this.#ended) return true
    this.#bodyBegun = true
    this.#awaitsContinue = false
    if (this.request.bodyLength >= 0) {
      if (chunk.length > this.#left) {
        this.#giveUp(this.#error('GATEWAY_INTERNAL', 'the request body is longer than its Content-Length'))
        return true
      }
      this.#left -= chunk.length
      if (this.#left === 0) {
        // END_STREAM goes out with the last bytes.
        this.#ended = true
        h2.end(chunk)
        this.#arm(performance.now())
        return true
      }
    }
    this.#blocked = !h2.write(chunk)
    this.#arm(performance.now())
    return !this.#blocked
  }

  #end(trailers: Fields | undefined): void {
    const h2 = this.#h2
    if (h2 === undefined || this.#ended) return
    if (this.request.bodyLength >= 0) {
      this.#giveUp(this.#error('GATEWAY_INTERNAL', 'the request body is shorter than its Content-Length'))
      return
    }
    this.#ended = true
    this.#bodyBegun = true
    if (h2.closed || h2.destroyed) return
    if (trailers !== undefined) {
      trailers.removeHopByHop()
      h2.once('wantTrailers', () => h2.sendTrailers(fieldObject(trailers)))
    }
    h2.end()
    this.#arm(performance.now())
  }

  #onDrain(h2: ClientHttp2Stream): void {
    if (this.#h2 !== h2 || !this.#blocked) return
    this.#blocked = false
    this.#arm(performance.now())
    if (!this.#ended) this.#handler.onDrain()
  }

  /** True when the source was told to wait and may go on. */
  #sendEarly(): boolean {
    const early = this.#early
    const end = this.#earlyEnd
    this.#early = undefined
    this.#earlyEnd = undefined
    let flowing = early !== undefined
    for (const chunk of early ?? []) flowing = this.#write(chunk)
    if (end === undefined) return flowing
    if (this.#state === sent) this.#end(end.trailers)
    return false
  }

  /** Sets the clock for what the upstream owes us now. It owes nothing while it is we who wait. */
  #arm(now: number, paused = this.#body?.paused): void {
    const { head, idle } = this.timeouts
    let wait = 0
    if (paused === true || this.#body?.whole === true) wait = 0
    else if (this.#inBody || this.#blocked) wait = idle
    else if (this.#ended || this.#awaitsContinue) wait = head
    this.deadline = wait === 0 ? 0 : now + wait
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#readerFailed(error)
    }
  }

  /** Not the upstream's fault: a handler threw. It harms its own exchange alone. */
  #readerFailed(error: unknown): void {
    this.#giveUp(upstreamError('GATEWAY_INTERNAL', this.#queue.origin, 'the reader of the response failed', error))
  }

  #error(code: UpstreamErrorCode, reason: string, retryable?: boolean): GatewayError {
    return upstreamError(code, this.#queue.origin, reason, this.#cause, retryable)
  }
}

const endStreamFlag = 1

function how(lost: boolean, code: number): string {
  return lost ? 'closed' : `reset with code ${code}`
}
