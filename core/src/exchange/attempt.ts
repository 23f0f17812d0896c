import { type Duplex, Readable } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import type { Attempt } from '../contract/hooks.ts'
import type { Fields } from '../http1/fields.ts'
import type { ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import type { UpstreamTarget } from '../upstream/target.ts'
import type { Exchange, ResponseSource } from './exchange.ts'
import { FilterChain } from './filter-chain.ts'
import { asGatewayError } from './plugin-failure.ts'
import { Upload } from './upload.ts'

/** What an attempt tells dispatch.ts. Static, so that none is made per request. */
export interface AttemptEvents {
  head(attempt: UpstreamAttempt, status: number, reason: string, fields: Fields, bodyLength: number): void
  data(exchange: Exchange, chunk: Uint8Array): boolean
  end(exchange: Exchange, trailers: Fields | undefined): void
  /** The upstream took the upgrade. */
  upgraded(attempt: UpstreamAttempt, fields: Fields, socket: Duplex): void
  failed(attempt: UpstreamAttempt, error: GatewayError): void
}

/** One request to one target over the kernel's HTTP client. */
export class UpstreamAttempt implements Attempt, ClientStreamHandler, ResponseSource {
  readonly number: number
  readonly target: UpstreamTarget
  readonly headers: Fields
  path: string
  readonly exchange: Exchange
  client: ClientStream | undefined
  readonly startedAt: number
  /** Its response was taken: what fails from now on can only cut the client's response off. */
  accepted = false
  #over = false
  #connected = false
  #upload: Upload | undefined
  #body: Readable | undefined
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
    const bodyLength = exchange.uploadFilters === undefined ? stream.bodyLength : -1
    // A plugin may have set one of them; what frames the message is decided by the wire layer alone.
    this.headers.removeHopByHop()
    const { method, upgrade, foundStale: fresh } = exchange
    if (upgrade !== undefined) this.headers.delete('Sec-WebSocket-Key')
    const request = { method, target: this.path, fields: this.headers, bodyLength, upgrade, fresh }
    this.client = this.target.pool.request(request, compiled.timeouts, this)
    if (this.#connected) this.#startUpload()
  }

  /** Nothing of the request's body has been taken from the client, so it can be sent again. */
  get replayable(): boolean {
    return this.#upload === undefined
  }

  onConnected(): void {
    // The body is fetched only now, so that a target that cannot be reached leaves it whole for the next one.
    this.#connected = true
    if (this.client !== undefined) this.#startUpload()
  }

  #startUpload(): void {
    const { exchange, client } = this
    if (exchange.stream.bodyLength === 0 || client === undefined || this.#upload !== undefined || this.#over) return
    this.#upload = new Upload(exchange, client, exchange.uploadFilters, error => this.#fail(asGatewayError(error)))
    exchange.stream.readBody(this.#upload)
  }

  /** Plugins are asked once a request, and only whoever has not begun to read the body can be tried again. */
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
        if (this.#upload !== undefined) return stream.resumeBody()
        const client = { sendData: (chunk: Uint8Array) => body.push(chunk), sendEnd: () => void body.push(null) }
        this.#upload = new Upload(exchange, client, exchange.uploadFilters, error => this.#fail(asGatewayError(error)))
        stream.readBody(this.#upload)
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
    this.#events.head(this, status, reason, fields, bodyLength)
  }

  onUpgrade(_status: number, fields: Fields, socket: Duplex, head: Uint8Array): void {
    // It may break before anybody has a use for it.
    socket.on('error', () => {})
    if (this.exchange.upgrade !== undefined && !this.#over) {
      this.#over = true
      if (head.byteLength > 0) socket.unshift(head)
      return this.#events.upgraded(this, fields, socket)
    }
    socket.destroy()
    this.#fail(new GatewayError('GATEWAY_UPSTREAM_INVALID', `${this.target.url} switched protocols unasked`))
  }

  onData(chunk: Uint8Array): boolean {
    return this.#over ? true : this.#events.data(this.exchange, chunk)
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#upload?.stop()
    this.#events.end(this.exchange, trailers)
  }

  onError(error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    this.#upload?.stop()
    this.#events.failed(this, error)
  }

  resumeBody(): void {
    this.client?.resumeBody()
  }

  /** Ends the attempt without a word to dispatch.ts. */
  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#upload?.stop()
    this.client?.abort()
    this.#body?.destroy(new GatewayError('GATEWAY_CLIENT_CLOSED', "the request's body is not sent any more"))
  }

  #fail(error: GatewayError): void {
    if (this.#over) return
    this.abort()
    this.#events.failed(this, error)
  }
}
