import { Duplex, pipeline, type Readable, Transform } from 'node:stream'
import type { BodyFilter, BodyStream } from '../contract/context.ts'
import type { Exchange } from './exchange.ts'
import { asGatewayError, pluginFailure } from './plugin-failure.ts'
import type { Step } from './route.ts'

interface Filter {
  readonly plugin: string
  readonly filter: BodyFilter
}

/** The filters that plugins put into one body, in the order in which it passes them. */
export class FilterChain {
  readonly #hook: string
  #filters: Filter[]
  /** What the body passes before the filters: those that are streams, and the filters before them. */
  readonly #streams: Duplex[] = []
  /** All that it does is look. */
  observes = true

  constructor(hook: string, filters: Filter[] = []) {
    this.#hook = hook
    this.#filters = filters
  }

  /** @throws GatewayError naming the plugin whose filter threw. */
  push(chunk: Uint8Array): Uint8Array | undefined {
    // A filter may keep what it sees. Its view is another than the piece that was delivered, so that no writer can release
    // the piece's bytes.
    return this.#pass(chunk.subarray(), 0)
  }

  /** Ends each filter in turn; what one still had goes through those behind it. */
  end(): Uint8Array | undefined {
    const rest: Uint8Array[] = []
    for (const [index, { plugin, filter }] of this.#filters.entries()) {
      let last: Uint8Array | undefined
      try {
        const left = filter.end?.()
        if (filter.observes) continue
        last = checked(left)
      } catch (error) {
        throw pluginFailure(plugin, this.#hook, error)
      }
      const passed = last === undefined ? undefined : this.#pass(last, index + 1)
      if (passed !== undefined && passed.byteLength > 0) rest.push(passed)
    }
    return rest.length === 0 ? undefined : Buffer.concat(rest)
  }

  get streams(): boolean {
    return this.#streams.length > 0
  }

  /** The body behind the streams; the filters are still before it. */
  stream(body: Readable): Readable {
    // Who reads the last of them hears of an error.
    for (const stream of this.#streams) stream.on('error', () => {})
    return this.#streams.reduce<Readable>((from, to) => pipeline(from, to, () => {}), body)
  }

  #add(plugin: string, given: BodyFilter | BodyStream): void {
    if (this.#hook === 'onResponseBody' && isStream(given)) {
      if (this.#filters.length > 0) this.#streams.push(new FilterChain(this.#hook, this.#filters).#asStream())
      this.#filters = []
      this.observes = false
      return void this.#streams.push(given.stream)
    }
    if (isStream(given) || typeof given.push !== 'function')
      throw new TypeError('a filter has a synchronous push(chunk)')
    this.#filters.push({ plugin, filter: given })
    this.observes &&= given.observes === true
  }

  #asStream(): Transform {
    const passed = (done: (error: Error | null, piece?: Uint8Array) => void, pass: () => Uint8Array | undefined) => {
      try {
        done(null, pass())
      } catch (error) {
        done(asGatewayError(error))
      }
    }
    return new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => passed(done, () => this.push(chunk)),
      flush: done => passed(done, () => this.end()),
    })
  }

  #pass(chunk: Uint8Array, from: number): Uint8Array | undefined {
    let current: Uint8Array | undefined = chunk
    for (let i = from; i < this.#filters.length && current !== undefined; i++) {
      const at = this.#filters[i]
      if (at === undefined) break
      try {
        const passed = at.filter.push(current)
        if (!at.filter.observes) current = checked(passed)
      } catch (error) {
        throw pluginFailure(at.plugin, this.#hook, error)
      }
    }
    return current
  }

  /**
   * Asks each plugin that saw the request for its filter. Undefined when nobody has one: the body passes untouched.
   * @throws GatewayError naming the plugin that threw.
   */
  static open<Run>(
    hook: string,
    steps: readonly Step<Run>[],
    exchange: Exchange,
    call: (run: Run) => BodyFilter | BodyStream | void,
  ): FilterChain | undefined {
    let chain: FilterChain | undefined
    for (const { plugin, position, run } of steps) {
      if (position > exchange.reached) continue
      try {
        const filter = call(run)
        if (!filter) continue
        chain ??= new FilterChain(hook)
        chain.#add(plugin, filter)
      } catch (error) {
        throw pluginFailure(plugin, hook, error)
      }
    }
    return chain
  }
}

const isStream = (given: BodyFilter | BodyStream): given is BodyStream =>
  typeof given === 'object' && 'stream' in given && given.stream instanceof Duplex

/** Anything else would break the framing of the message. */
function checked(piece: Uint8Array | undefined): Uint8Array | undefined {
  if (piece === undefined || piece instanceof Uint8Array) return piece
  throw new TypeError('a filter returns a Uint8Array, or undefined to swallow the piece')
}
