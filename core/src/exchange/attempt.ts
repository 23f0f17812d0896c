import { type Duplex, Readable } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import type { Attempt, Hedge } from '../contract/hooks.ts'
import type { Fields } from '../http1/fields.ts'
import type { ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import type { UpstreamTarget } from '../upstream/target.ts'
import type { Exchange, ResponseSource } from './exchange.ts'
import { FilterChain } from './filter-chain.ts'
import { asGatewayError } from './plugin-failure.ts'
import { type Response, upstreamResponse } from './response.ts'
import { Upload, type UploadTarget } from './upload.ts'

/** What an attempt tells attempts.ts. Static, so that none is made per request. */
export interface AttemptEvents {
  /** Its head is here, or the upstream took the upgrade. */
  answered(attempt: UpstreamAttempt, response: Response): void
  data(exchange: Exchange, chunk: Uint8Array): boolean
  end(exchange: Exchange, trailers: Fields | undefined): void
  failed(attempt: UpstreamAttempt, error: GatewayError): void
  /** The time of its hedge has come. */
  slow(attempt: UpstreamAttempt): void
}

/** Bytes of an answer that nobody wants, up to which it is read all the same so that its connection stays. */
const mostUnwanted = 65_536

/** One request to one target over the kernel's HTTP client. */
export class UpstreamAttempt implements Attempt, ClientStreamHandler, ResponseSource {
  readonly number: number
  readonly target: UpstreamTarget
  readonly headers: Fields
  path: string
  readonly exchange: Exchange
  client: ClientStream | undefined
  readonly startedAt: number
  answer: Fields | undefined = undefined
  timeoutMs = 0
  hedge: Hedge | undefined = undefined
  /** Its response was taken: what fails from now on can only cut the client's response off. */
  accepted = false
  /** Nothing that still comes of it counts. */
  over = false
  #connected = false
  /** Where its body goes. */
  #sink: UploadTarget | undefined
  #body: Readable | undefined
  #callOffTimeout: (() => void) | undefined
  #callOffHedge: (() => void) | undefined
  readonly #events: AttemptEvents

  constructor(exchange: Exchange, target: UpstreamTarget, headers: Fields, path: string, events: AttemptEvents) {
    this.exchange = exchange
    this.startedAt = exchange.runtime.deadlines.now()
    this.number = exchange.attempts
    this.target = target
    this.headers = headers
    this.path = path
    this.#events = events
  }

  get ageMs(): number {
    return this.exchange.runtime.deadlines.now() - this.startedAt
  }

  /** @throws GatewayError when a plugin's onRequestBody throws, TypeError when a hook made the request unsendable. */
  send(): void {
    const { exchange } = this
    const { stream, compiled } = exchange
    if (compiled === undefined) return
    this.#openFilters()
    const bodyLength = exchange.uploadFilters?.observes === false ? -1 : stream.bodyLength
    // A plugin may have set one of them; what frames the message is decided by the wire layer alone.
    this.headers.removeHopByHop()
    const { method, upgrade, foundStale: fresh } = exchange
    if (upgrade !== undefined) this.headers.delete('Sec-WebSocket-Key')
    const request = { method, target: this.path, fields: this.headers, bodyLength, upgrade, fresh }
    this.client = this.target.pool.request(request, compiled.timeouts, this)
    if (this.#connected) this.#startUpload()
  }

  get replayable(): boolean {
    const { upload } = this.exchange
    return upload === undefined || upload.replayable
  }

  /** Starts the clock for what onAttempt has written. */
  watch(): void {
    const { exchange, target, timeoutMs } = this
    this.watchHedge()
    if (!(timeoutMs > 0)) return
    this.#callOffTimeout = exchange.later(timeoutMs, () => {
      const message = `${target.url}: no response head within the ${timeoutMs} ms of an attempt`
      this.fail(new GatewayError('GATEWAY_UPSTREAM_HEAD_TIMEOUT', message))
    })
  }

  watchHedge(): void {
    const afterMs = this.hedge?.afterMs ?? 0
    if (afterMs > 0) this.#callOffHedge = this.exchange.later(afterMs, () => this.#events.slow(this))
  }

  /** Its answer is the one. */
  accept(): void {
    this.accepted = true
    this.#callOff()
    this.exchange.upload?.release()
  }

  onConnected(): void {
    // The body is fetched only now, so that a target that cannot be reached leaves it whole for the next one.
    this.#connected = true
    if (this.client !== undefined) this.#startUpload()
  }

  #startUpload(): void {
    const { exchange, client } = this
    if (exchange.stream.bodyLength === 0 || client === undefined || this.#sink !== undefined || this.over) return
    this.#uploadTo(client)
  }

  #uploadTo(sink: UploadTarget): void {
    const { exchange } = this
    this.#sink = sink
    exchange.upload ??= new Upload(exchange)
    exchange.upload.flowTo(sink, error => this.fail(asGatewayError(error)))
  }

  /** Plugins are asked once a request: what their filters made of the body is what further attempts get. */
  #openFilters(): void {
    const { exchange } = this
    if (exchange.stream.bodyLength === 0 || exchange.compiled === undefined || this.number > 1) return
    const { onRequestBody } = exchange.compiled
    exchange.uploadFilters = FilterChain.open('onRequestBody', onRequestBody, exchange, run => run(exchange))
  }

  /**
   * The request's body for a connector, undefined when there is none. It is fetched from the client once it is read.
   * @throws GatewayError when a plugin's onRequestBody throws.
   */
  openBody(): Readable | undefined {
    const { exchange } = this
    const { stream } = exchange
    if (stream.bodyLength === 0) return undefined
    this.#openFilters()
    const body = new Readable({
      read: () => {
        if (this.#sink !== undefined) return stream.resumeBody()
        // There is no upstream to say so.
        if (stream.expectsContinue && exchange.upload === undefined) stream.sendInformational(100, undefined)
        this.#uploadTo({ sendData: chunk => body.push(chunk), sendEnd: () => void body.push(null) })
      },
    })
    // Whoever reads it hears of an error; that nobody does must not end the process.
    body.on('error', () => {})
    this.#body = body
    return body
  }

  onDrain(): void {
    this.exchange.stream.resumeBody()
  }

  onInformational(status: number, fields: Fields): void {
    this.exchange.stream.sendInformational(status, fields)
  }

  onHead(status: number, reason: string, fields: Fields, bodyLength: number): void {
    if (!this.over) this.#events.answered(this, upstreamResponse(status, reason, fields, bodyLength))
  }

  onUpgrade(_status: number, fields: Fields, socket: Duplex, head: Uint8Array): void {
    // It may break before anybody has a use for it.
    socket.on('error', () => {})
    if (this.exchange.upgrade !== undefined && !this.over) {
      this.#end()
      if (head.byteLength > 0) socket.unshift(head)
      this.exchange.upgraded = socket
      return this.#events.answered(this, { ...upstreamResponse(101, '', fields, 0), body: socket })
    }
    socket.destroy()
    this.fail(new GatewayError('GATEWAY_UPSTREAM_INVALID', `${this.target.url} switched protocols unasked`))
  }

  onData(chunk: Uint8Array): boolean {
    return this.over ? true : this.#events.data(this.exchange, chunk)
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.over) return
    this.#end()
    this.#events.end(this.exchange, trailers)
  }

  onError(error: GatewayError): void {
    if (this.over) return
    this.#end()
    this.#events.failed(this, error)
  }

  resumeBody(): void {
    this.client?.resumeBody()
  }

  /** Ends the attempt without a word to attempts.ts. */
  abort(): void {
    if (this.over) return
    this.#end()
    this.client?.abort()
    this.#body?.destroy(new GatewayError('GATEWAY_CLIENT_CLOSED', "the request's body is not sent any more"))
  }

  /** As {@link abort}, for an answer that is not wanted: a short one costs less than another connection. */
  decline({ body, bodyLength }: Response): void {
    const { stream, upload, compiled } = this.exchange
    const isSent = stream.bodyLength === 0 || upload?.whole === true
    const isShort = body === 'arrives' && bodyLength >= 0 && bodyLength <= mostUnwanted
    if (isSent && isShort && compiled?.timeouts.idle !== 0) this.#end()
    else this.abort()
  }

  fail(error: GatewayError): void {
    if (this.over) return
    this.abort()
    this.#events.failed(this, error)
  }

  #end(): void {
    this.over = true
    this.#callOff()
    if (this.#sink !== undefined) this.exchange.upload?.leave(this.#sink)
  }

  #callOff(): void {
    this.#callOffTimeout?.()
    this.#callOffHedge?.()
  }
}
