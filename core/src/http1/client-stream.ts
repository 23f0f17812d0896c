import type { GatewayError } from '../contract/errors.ts'
import { requestText } from './client-head.ts'
import type { DeadlineOwner } from './deadlines.ts'
import type { Fields } from './fields.ts'
import { newWebSocketKey } from './websocket-key.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from './wire.ts'

/** Who finds a stream its connection. */
export interface StreamQueue {
  /** The stream needs no connection any more. */
  leave(stream: RequestStream): void
  /** The stream has waited as long as it may. */
  onWaitedTooLong(stream: RequestStream): void
}

/** The connection, as its stream sees it. */
export interface StreamConnection {
  /** Exchanges finished on it. */
  readonly served: number
  /** Sends the stream's head. Only while idle. */
  start(stream: RequestStream, now: number): void
  sendData(chunk: Uint8Array): boolean
  sendEnd(trailers: Fields | undefined): void
  /** Goes on with the response after its reader had asked to wait. */
  resume(): void
  /** The stream gave up, and hears nothing more. */
  abort(): void
}

const waiting = 0
const connected = 1
const done = 2

/** One request under way: first waiting for a connection, then on one, then done. */
export class RequestStream implements ClientStream, DeadlineOwner {
  readonly request: ClientRequest
  readonly timeouts: AttemptTimeouts
  readonly handler: ClientStreamHandler
  /** Made at once: what is wrong with a request shows before anything is begun, and later changes to it do nothing. */
  readonly head: string
  /** Empty unless it asks for a WebSocket. */
  readonly websocketKey: string
  untouched = true
  reused = false
  /** Of the wait for a connection. */
  deadline = 0
  deadlineIndex = -1
  readonly #queue: StreamQueue
  #state: typeof waiting | typeof connected | typeof done = waiting
  #connection: StreamConnection | undefined
  #waitingSince = 0
  /** Body that came before there was a connection. Its source is told to wait at the first piece. */
  #early: Uint8Array[] | undefined
  #earlyEnd: { readonly trailers: Fields | undefined } | undefined

  /** @throws TypeError when method or target would break out of the request line. */
  constructor(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler, queue: StreamQueue) {
    this.request = request
    this.timeouts = timeouts
    this.handler = handler
    this.websocketKey = request.upgrade === 'websocket' ? newWebSocketKey() : ''
    this.head = requestText(request, this.websocketKey)
    this.#queue = queue
  }

  startWaiting(now: number): void {
    this.#waitingSince = now
    this.deadline = this.timeouts.connect === 0 ? 0 : now + this.timeouts.connect
  }

  onDeadline(): void {
    this.#queue.onWaitedTooLong(this)
  }

  /** Goes out on a connection, with what of the body is here already. */
  connect(connection: StreamConnection, now: number): void {
    this.#connection = connection
    this.#state = connected
    this.untouched = false
    this.reused = connection.served > 0
    connection.start(this, now)
    const flowing = this.#sendEarly(connection)
    this.handler.onConnected?.(this.reused ? 0 : now - this.#waitingSince)
    if (flowing && this.#connection === connection) this.handler.onDrain()
  }

  sendData(chunk: Uint8Array): boolean {
    // What nobody will read may be let go of as fast as it comes.
    if (this.#state === done) return true
    if (this.#connection !== undefined) return this.#connection.sendData(chunk)
    this.#early ??= []
    this.#early.push(chunk)
    return false
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#state === done) return
    if (this.#connection === undefined) this.#earlyEnd = { trailers }
    else this.#connection.sendEnd(trailers)
  }

  resumeBody(): void {
    this.#connection?.resume()
  }

  abort(): void {
    const connection = this.#connection
    if (!this.finish()) return
    if (connection === undefined) this.#queue.leave(this)
    else connection.abort()
  }

  /** Ends the stream with an error, unless it has ended. */
  fail(error: GatewayError): void {
    if (this.finish()) this.handler.onError(error)
  }

  /** Lets go of the connection. False when the stream had ended before. */
  finish(): boolean {
    if (this.#state === done) return false
    this.#state = done
    this.#connection = undefined
    this.#early = undefined
    return true
  }

  /** True when the source was told to wait and may go on. */
  #sendEarly(connection: StreamConnection): boolean {
    const early = this.#early
    const end = this.#earlyEnd
    this.#early = undefined
    let flowing = early !== undefined
    for (const chunk of early ?? []) {
      // A piece too many has ended the stream.
      if (this.#connection !== connection) return false
      flowing = connection.sendData(chunk)
    }
    if (end === undefined) return flowing
    if (this.#connection === connection) connection.sendEnd(end.trailers)
    return false
  }
}
