import { GatewayError } from '../contract/errors.ts'
import type { Fields } from '../http1/fields.ts'
import type { BodySink, ClientStream } from '../http1/wire.ts'
import type { Exchange } from './exchange.ts'

export type UploadTarget = Pick<ClientStream, 'sendData' | 'sendEnd'>

/**
 * The request's body on its way from the client to the attempt that is under way. Up to the route's `replayBytes` of it
 * are kept until an answer is taken, as they went out, so that a further attempt gets all of it.
 */
export class Upload implements BodySink {
  readonly #exchange: Exchange
  #kept: KeptBytes | undefined
  #target: UploadTarget | undefined
  #fail: ((error: unknown) => void) | undefined
  #begun = false
  #ended = false
  #trailers: Fields | undefined
  #error: unknown

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    const bytes = exchange.compiled?.replayBytes ?? 0
    if (exchange.stream.bodyLength <= bytes && bytes > 0) this.#kept = new KeptBytes(bytes)
  }

  /** Nothing that was taken from the client is lost to a further attempt. */
  get replayable(): boolean {
    return this.#kept !== undefined
  }

  /** All of it is here, to be sent as often as is wanted. */
  get whole(): boolean {
    return this.#ended && this.#kept !== undefined
  }

  /** It goes to this attempt from now on, and what is kept of it goes first. */
  flowTo(target: UploadTarget, fail: (error: unknown) => void): void {
    const { stream } = this.#exchange
    this.#target = target
    this.#fail = fail
    if (this.#error !== undefined) return fail(this.#error)
    if (!this.#begun) {
      this.#begun = true
      return stream.readBody(this)
    }
    const bytes = this.#kept?.bytes
    const flowing = bytes === undefined || bytes.byteLength === 0 || target.sendData(bytes)
    if (this.#target !== target) return
    if (this.#ended) target.sendEnd(this.#trailers)
    else if (flowing) stream.resumeBody()
  }

  /** That attempt is over. What still comes waits for the next where the body is kept, and is thrown away where it is not. */
  leave(target: UploadTarget): void {
    if (this.#target === target) this.#target = undefined
  }

  /** There will be no further attempt. */
  release(): void {
    this.#kept = undefined
  }

  onData(chunk: Uint8Array): boolean {
    const exchange = this.#exchange
    exchange.bytesIn += chunk.byteLength
    if (this.#isUnwanted) return true
    const limit = exchange.entry.bodySize
    if (limit > 0 && exchange.bytesIn > limit) {
      this.onError(new GatewayError('GATEWAY_BODY_TOO_LARGE', `the request's body has more than ${limit} bytes`))
      return true
    }
    const filters = exchange.uploadFilters
    if (filters === undefined) return this.#pass(chunk)
    try {
      const filtered = filters.push(chunk)
      return filtered === undefined || filtered.byteLength === 0 ? true : this.#pass(filtered)
    } catch (error) {
      this.onError(error)
      return true
    }
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#isUnwanted) return
    try {
      const rest = this.#exchange.uploadFilters?.end()
      if (rest !== undefined) this.#pass(rest)
    } catch (error) {
      return this.onError(error)
    }
    this.#ended = true
    this.#trailers = this.#exchange.dropsTrailers ? undefined : trailers
    this.#target?.sendEnd(this.#trailers)
  }

  onError(error: unknown): void {
    if (this.#isUnwanted) return
    this.#kept = undefined
    this.#error = error
    if (this.#target !== undefined) this.#fail?.(error)
  }

  get #isUnwanted(): boolean {
    return this.#target === undefined && this.#kept === undefined
  }

  #pass(bytes: Uint8Array): boolean {
    this.#kept?.add(bytes)
    // Between two attempts the client waits.
    if (this.#target === undefined) return false
    if (this.#kept?.isExceeded) this.#kept = undefined
    return this.#target.sendData(bytes)
  }
}

/** The first bytes of a body. Copied, since a piece may be a small part of the buffer that it keeps alive. */
class KeptBytes {
  readonly #limit: number
  #buffer = Buffer.alloc(0)
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  get isExceeded(): boolean {
    return this.#length > this.#limit
  }

  /** Takes more than the limit, too: it is for its holder to give up then. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.byteLength
    if (length > this.#buffer.byteLength) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#buffer.byteLength))
      grown.set(this.bytes)
      this.#buffer = grown
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
  }
}
