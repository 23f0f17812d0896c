import type { Duplex } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
import type { BodySink, Peer, ServerStream, ServerStreamHandler } from '../http1/wire.ts'

const peer: Peer = { address: '127.0.0.1', port: 0, localAddress: '127.0.0.1', localPort: 0, secure: false, serverName: undefined }

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
  readonly response: Promise<Response>

  readonly #request: Request
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: unknown) => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #resumeReading: (() => void) | undefined
  #reading = false
  #over = false

  constructor(request: Request) {
    const url = new URL(request.url)
    this.#request = request
    this.method = request.method
    this.target = url.pathname + url.search
    this.peer = url.protocol === 'https:' ? { ...peer, secure: true } : peer
    for (const [name, value] of request.headers) this.fields.append(name, value)
    if (!this.fields.has('host')) this.fields.set('Host', url.host)
    const length = Number(request.headers.get('content-length') ?? -1)
    this.bodyLength = request.body === null ? 0 : Number.isSafeInteger(length) ? length : -1
    this.fields.delete('Content-Length')
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.response = promise
    this.#resolve = resolve
    this.#reject = reject
    const { signal } = request
    if (signal.aborted) queueMicrotask(() => this.#abandon(signal.reason))
    else signal.addEventListener('abort', () => this.#abandon(signal.reason), { once: true })
  }

  readBody(sink: BodySink): void {
    const { body } = this.#request
    if (body === null || this.#reading) return
    this.#reading = true
    void this.#pump(body, sink)
  }

  async #pump(body: ReadableStream<Uint8Array>, sink: BodySink): Promise<void> {
    try {
      for await (const chunk of body) {
        if (this.#over) return
        if (sink.onData(chunk)) continue
        await new Promise<void>(resolve => {
          this.#resumeReading = resolve
        })
      }
      sink.onEnd(undefined)
    } catch (cause) {
      sink.onError(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the body of the request failed', { cause }))
    }
  }

  resumeBody(): void {
    this.#resumeReading?.()
  }

  // A web Response has no place for 1xx.
  sendInformational(): void {}

  sendHead(status: number, reason: string, fields: Fields, bodyLength: number): void {
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
          cancel: reason => this.#abandon(reason),
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
    this.#over = true
    this.#resumeReading?.()
    this.#controller?.close()
  }

  abort(error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    this.#resumeReading?.()
    this.#controller?.error(error)
    this.#reject(error)
  }

  detach(): { socket: Duplex; head: Uint8Array } {
    throw new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', 'gateway.fetch has no connection to hand over')
  }

  #abandon(reason: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#resumeReading?.()
    this.#reject(reason)
    this.handler?.onAbort(new GatewayError('GATEWAY_CLIENT_CLOSED', 'the caller of fetch gave up', { cause: reason }))
  }
}
