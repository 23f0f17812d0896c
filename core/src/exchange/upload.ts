import { GatewayError } from '../contract/errors.ts'
import type { Fields } from '../http1/fields.ts'
import type { BodySink, ClientStream } from '../http1/wire.ts'
import type { Exchange } from './exchange.ts'
import type { FilterChain } from './filter-chain.ts'

type UploadTarget = Pick<ClientStream, 'sendData' | 'sendEnd'>

/** The request's body on its way from the client to the upstream. */
export class Upload implements BodySink {
  readonly #exchange: Exchange
  readonly #client: UploadTarget
  readonly #filters: FilterChain | undefined
  readonly #fail: (error: unknown) => void
  #stopped = false

  constructor(
    exchange: Exchange,
    client: UploadTarget,
    filters: FilterChain | undefined,
    fail: (error: unknown) => void,
  ) {
    this.#exchange = exchange
    this.#client = client
    this.#filters = filters
    this.#fail = fail
  }

  /** The response is complete or given up: what still comes is thrown away. */
  stop(): void {
    this.#stopped = true
  }

  onData(chunk: Uint8Array): boolean {
    const exchange = this.#exchange
    exchange.bytesIn += chunk.byteLength
    if (this.#stopped) return true
    const limit = exchange.entry.bodySize
    if (limit > 0 && exchange.bytesIn > limit) {
      this.#fail(new GatewayError('GATEWAY_BODY_TOO_LARGE', `the request's body has more than ${limit} bytes`))
      return true
    }
    if (this.#filters === undefined) return this.#client.sendData(chunk)
    try {
      const filtered = this.#filters.push(chunk)
      return filtered === undefined || filtered.byteLength === 0 ? true : this.#client.sendData(filtered)
    } catch (error) {
      this.#fail(error)
      return true
    }
  }

  onEnd(trailers: Fields | undefined): void {
    if (this.#stopped) return
    try {
      const rest = this.#filters?.end()
      if (rest !== undefined) this.#client.sendData(rest)
    } catch (error) {
      return this.#fail(error)
    }
    this.#client.sendEnd(trailers)
  }

  onError(error: GatewayError): void {
    if (!this.#stopped) this.#fail(error)
  }
}
