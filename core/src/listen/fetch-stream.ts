import type { Duplex } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
import type { BodySink, Peer, ServerStream, ServerStreamHandler } from '../http1/wire.ts'

const peer: Peer = {
  address: '127.0.0.1',
  port: 0,
  localAddress: '127.0.0.1',
  localPort: 0,
  secure: false,
  serverName: undefined,
  certificate: undefined,
}

/** A web Request as the wire layer would have delivered it, so that `gateway.fetch` takes the path that a socket takes. */
export class FetchStream implements ServerStream {
  readonly method: string
  readonly target: string
  readonly version = '1.1'
  readonly fields = new Fields()
  readonly peer: Peer
  readonly bodyLength: number
  readonly expectsContinue = false
  readonly upgrade = undefined
  handler: ServerStreamHandler | undefined
  /** Called once the exchange can neither send nor be given up any more. */
  onOver: () => void = () => {}
  readonly response: Promise<Response>

  readonly #request: Request
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: unknown) => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #paused = false
  #resumeReading: (() => void) | undefined
  #over = false
  #givenUp = false

  /** `address`: the client's. */
  constructor(request: Request, address: string = peer.address) {
    const url = new URL(request.url)
    this.#request = request
    this.method = request.method
    this.target = url.pathname + url.search
    this.peer = { ...peer, address, secure: url.protocol === 'https:' }
    for (const [name, value] of request.headers) this.fields.append(name, value)
    if (!this.fields.has('host')) this.fields.set('Host', url.host)
    const length = request.headers.get('content-length') ?? ''
    this.bodyLength = request.body === null ? 0 : /^[1-9]\d{0,14}$/.test(length) ? Number(length) : -1
    this.fields.delete('Content-Length')
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.response = promise
    this.#resolve = resolve
    this.#reject = reject
    const { signal } = request
    if (signal.aborted) queueMicrotask(() => this.giveUp(signal.reason))
    else signal.addEventListener('abort', () => this.giveUp(signal.reason), { once: true })
  }

  readBody(sink: BodySink): void {
    const { body } = this.#request
    if (this.#reader !== undefined || this.#over) return
    if (body === null) return sink.onEnd(undefined)
    this.#reader = body.getReader()
    void this.#pump(this.#reader, sink)
  }

  async #pump(reader: ReadableStreamDefaultReader<Uint8Array>, sink: BodySink): Promise<void> {
    try {
      let left = this.bodyLength === -1 ? Number.POSITIVE_INFINITY : this.bodyLength
      for (let read = await reader.read(); !read.done && !this.#over; read = await reader.read()) {
        const chunk: unknown = read.value
        if (!(chunk instanceof Uint8Array)) throw new TypeError('a piece of the body is not a Uint8Array')
        left -= chunk.byteLength
        if (left < 0) break
        this.#paused = true
        if (!sink.onData(chunk) && this.#paused) await this.#resumed()
      }
      if (this.bodyLength !== -1 && left !== 0 && !this.#over) {
        throw new TypeError(`the body does not have the ${this.bodyLength} bytes that Content-Length says`)
      }
    } catch (error) {
      this.giveUp(error)
    }
    if (this.#givenUp) sink.onError(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the caller of fetch gave up'))
    else if (!this.#over) sink.onEnd(undefined)
  }

  async #resumed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#resumeReading = resolve
    await promise
  }

  resumeBody(): void {
    this.#paused = false
    this.#resumeReading?.()
  }

  // A web Response has no place for 1xx.
  sendInformational(): void {}

  sendHead(status: number, reason: string, fields: Fields, bodyLength: number): void {
    if (this.#over) return
    fields.removeHopByHop()
    const headers = new Headers()
    for (const [name, value] of fields) headers.append(name, value)
    const bodiless = this.method === 'HEAD' || status === 204 || status === 205 || status === 304
    if (bodyLength > 0 || (bodyLength === 0 && !bodiless)) headers.set('content-length', String(bodyLength))
    const body = bodiless
      ? null
      : new ReadableStream<Uint8Array>({
          start: controller => {
            this.#controller = controller
          },
          pull: () => this.handler?.onDrain(),
          cancel: reason => this.giveUp(reason),
        })
    this.#resolve(new Response(body, { status, statusText: reason, headers }))
  }

  sendData(chunk: Uint8Array): boolean {
    if (this.#over || this.#controller === undefined) return true
    this.#controller.enqueue(chunk)
    return (this.#controller.desiredSize ?? 0) > 0
  }

  sendEnd(): void {
    if (this.#over) return
    this.#end()
    this.#controller?.close()
  }

  abort(error: GatewayError): void {
    if (this.#over) return
    this.#end()
    this.#controller?.error(error)
    this.#reject(error)
  }

  detach(): { socket: Duplex; head: Uint8Array } {
    throw new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', 'gateway.fetch has no connection to hand over')
  }

  /** The caller wants no answer any more, or cannot have one: what a client's leaving is on a socket. */
  giveUp(reason: unknown): void {
    if (this.#over) return
    this.#givenUp = true
    this.#end()
    this.#controller?.error(reason)
    this.#reject(reason)
    this.handler?.onAbort(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the caller of fetch gave up', { cause: reason }))
  }

  #end(): void {
    this.#over = true
    this.resumeBody()
    // What of the body nobody has asked for is not wanted any more; its source may have failed meanwhile.
    this.#reader?.cancel().catch(() => {})
    this.onOver()
  }
}
