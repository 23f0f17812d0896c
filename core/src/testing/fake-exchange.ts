import type { GatewayError } from '../contract/errors.ts'
import { type UpstreamErrorCode, upstreamError } from '../http1/client-errors.ts'
import type { RequestStream, StreamConnection } from '../http1/client-stream.ts'
import type { DeadlineOwner } from '../http1/deadlines.ts'
import { Fields } from '../http1/fields.ts'
import type { ClientRequest } from '../http1/wire.ts'
import type { UpstreamWatch } from './fake-upstream.ts'
import { UpstreamFailure } from './upstream-failure.ts'

/** One request on its way to a fake upstream, and the response: what a connection is to an exchange. */
export class FakeExchange implements StreamConnection, DeadlineOwner {
  readonly served = 0
  deadline = 0
  deadlineIndex = -1
  readonly #origin: string
  readonly #request: ClientRequest
  readonly #watch: UpstreamWatch
  readonly #onOver: () => void
  readonly #abort = new AbortController()
  readonly #sent = Promise.withResolvers<void>()
  #requestBody: ReadableStreamDefaultController<Uint8Array> | undefined
  #responseBody: ReadableStreamDefaultReader<Uint8Array> | undefined
  #stream: RequestStream | undefined
  #uploading = false
  #inBody = false
  #resume: (() => void) | undefined
  #over = false

  constructor(origin: string, request: ClientRequest, watch: UpstreamWatch, onOver: () => void) {
    this.#origin = origin
    this.#request = request
    this.#watch = watch
    this.#onOver = onOver
  }

  /** The request as the upstream sees it. */
  open(): Request {
    const { method, target, fields, bodyLength } = this.#request
    const headers = new Headers([...fields])
    if (bodyLength > 0) headers.set('Content-Length', String(bodyLength))
    const { signal } = this.#abort
    const url = `${this.#origin.startsWith('unix:') ? 'http://localhost' : this.#origin}${target}`
    if (bodyLength === 0) return new Request(url, { method, headers, signal })
    this.#uploading = true
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#requestBody = controller
      },
      cancel: () => {
        this.#requestBody = undefined
      },
    })
    return new Request(url, { method, headers, signal, body, duplex: 'half' })
  }

  start(stream: RequestStream): void {
    this.#stream = stream
    this.#watch.deadlines.add(this)
    this.#arm()
  }

  sendData(chunk: Uint8Array): boolean {
    this.#requestBody?.enqueue(chunk)
    this.#arm()
    return true
  }

  sendEnd(): void {
    this.#requestBody?.close()
    this.#uploading = false
    this.#sent.resolve()
    this.#arm()
  }

  resume(): void {
    const resume = this.#resume
    this.#resume = undefined
    this.#arm()
    resume?.()
  }

  abort(): void {
    this.#end('the gateway gave the request up')
  }

  onDeadline(): void {
    const { head = 0, idle = 0 } = this.#stream?.timeouts ?? {}
    if (this.#inBody) this.#fail('GATEWAY_UPSTREAM_IDLE_TIMEOUT', `sent nothing of the response body for ${idle} ms`)
    else this.#fail('GATEWAY_UPSTREAM_HEAD_TIMEOUT', `no response head within ${head} ms`)
  }

  /** Passes on what the upstream answers, or how it failed. */
  async answer(promise: Promise<Response>): Promise<void> {
    try {
      const response = await promise
      if (this.#over) return void response.body?.cancel().catch(() => {})
      const length = this.#sendHead(response)
      if (length !== 0) await this.#sendBody(response.body ?? new Blob().stream(), length)
      // Whoever answers early is heard to the end all the same.
      this.deadline = 0
      if (this.#uploading) await this.#sent.promise
      if (this.#over) return
      const stream = this.#stream
      this.#end()
      stream?.finish()
      stream?.handler.onEnd(undefined)
    } catch (error) {
      if (this.#over) return
      const intended = error instanceof UpstreamFailure && error.kind === 'reset'
      if (!intended) this.#watch.fault(asFault(error, this.#origin))
      if (this.#inBody) this.#fail('GATEWAY_UPSTREAM_TRUNCATED', 'closed within the response body', error)
      else this.#fail('GATEWAY_UPSTREAM_CLOSED', 'closed before a response', error, true)
    }
  }

  /** How many bytes of body follow; Infinity when only their end says so. */
  #sendHead(response: Response): number {
    const { status, statusText, headers, body } = response
    // What Response.error() makes is a network's failure.
    if (response.type === 'error') throw new UpstreamFailure('reset')
    const fields = new Fields()
    for (const [name, value] of headers) fields.append(name, value)
    fields.removeHopByHop()
    const bodiless = this.#request.method === 'HEAD' || status === 304
    const declared = headers.get('content-length')
    if (declared !== null && !/^\d+$/.test(declared)) throw new TypeError(`"${declared}" is no Content-Length`)
    const told = declared === null ? (body === null && !bodiless ? 0 : -1) : Number(declared)
    this.#inBody = true
    this.#arm()
    this.#stream?.handler.onHead(status, statusText, fields, told)
    if (bodiless) return 0
    return told === -1 ? Infinity : told
  }

  async #sendBody(body: ReadableStream<Uint8Array>, length: number): Promise<void> {
    const reader = body.getReader()
    this.#responseBody = reader
    let left = length
    let read = await reader.read()
    while (!read.done && !this.#over) {
      left -= read.value.byteLength
      if (left < 0) throw new TypeError(`the response has more than the ${length} bytes that its Content-Length says`)
      const flowing = this.#stream?.handler.onData(read.value) ?? true
      const resumed = flowing || this.#over ? undefined : this.#pause()
      this.#arm()
      // The end may follow at once: whoever does not read a short body holds nothing up.
      read = await reader.read()
      if (read.done) break
      await resumed
      this.#arm()
    }
    if (left > 0 && left !== Infinity && !this.#over) {
      throw new TypeError(`the response has ${left} bytes less than its Content-Length says`)
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#resume = resolve
    return promise
  }

  /** Sets the clock for what the upstream owes. It owes nothing while it is others who wait. */
  #arm(): void {
    const timeouts = this.#stream?.timeouts
    if (timeouts === undefined || this.#over) return
    const owed = this.#inBody ? timeouts.idle : this.#uploading ? 0 : timeouts.head
    this.deadline = owed === 0 || this.#resume !== undefined ? 0 : this.#watch.deadlines.now() + owed
  }

  #fail(code: UpstreamErrorCode, reason: string, cause?: unknown, retryable?: boolean): void {
    const stream = this.#stream
    const error: GatewayError = upstreamError(code, this.#origin, reason, cause, retryable)
    this.#end(error)
    stream?.fail(error)
  }

  /** Lets go of everything; with a reason the upstream hears of it. */
  #end(reason?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#stream = undefined
    this.#watch.deadlines.remove(this)
    this.#sent.resolve()
    this.#resume?.()
    if (reason !== undefined) {
      this.#abort.abort(reason)
      if (this.#uploading) this.#requestBody?.error(reason)
      this.#responseBody?.cancel(reason).catch(() => {})
    }
    this.#onOver()
  }
}

function asFault(error: unknown, origin: string): unknown {
  if (!(error instanceof UpstreamFailure)) return error
  return new TypeError(`the upstream of ${origin} has to call ${error.kind}() before it waits for anything`)
}
