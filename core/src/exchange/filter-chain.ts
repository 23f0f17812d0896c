import type { BodyFilter } from '../contract/context.ts'
import type { Exchange } from './exchange.ts'
import { pluginFailure } from './plugin-failure.ts'
import type { Step } from './route.ts'

/** The filters that plugins put into one body, in the order in which it passes them. */
export class FilterChain {
  readonly #hook: string
  readonly #filters: { readonly plugin: string; readonly filter: BodyFilter }[] = []
  /** All that it does is look. */
  observes = true

  constructor(hook: string) {
    this.#hook = hook
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
    call: (run: Run) => BodyFilter | void,
  ): FilterChain | undefined {
    let chain: FilterChain | undefined
    for (const { plugin, position, run } of steps) {
      if (position > exchange.reached) continue
      let filter: BodyFilter | void
      try {
        filter = call(run)
        if (filter && typeof filter.push !== 'function') throw new TypeError('a filter has a synchronous push(chunk)')
      } catch (error) {
        throw pluginFailure(plugin, hook, error)
      }
      if (!filter) continue
      chain ??= new FilterChain(hook)
      chain.#filters.push({ plugin, filter })
      chain.observes &&= filter.observes === true
    }
    return chain
  }
}

/** Anything else would break the framing of the message. */
function checked(piece: Uint8Array | undefined): Uint8Array | undefined {
  if (piece === undefined || piece instanceof Uint8Array) return piece
  throw new TypeError('a filter returns a Uint8Array, or undefined to swallow the piece')
}
