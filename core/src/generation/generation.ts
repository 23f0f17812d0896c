import type { Model } from '../config/model.ts'
import type { Awaitable, Connection } from '../contract/hooks.ts'
import type { Log } from '../contract/host.ts'
import type { CompiledRoute, Runtime } from '../exchange/route.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import type { SharedLease, SharedStore } from './shared-store.ts'

export type ConnectionHook = (connection: Connection) => 'drop' | void

/**
 * One loaded config, running: its routes, its plugins' hooks and what they opened. A request ends in the generation it
 * began in; a generation goes when a newer one has taken over and its last request has ended, or its drain time is over.
 */
export class Generation implements Runtime {
  readonly id: number
  readonly model: Model
  readonly log: Log
  readonly accessLog: boolean
  readonly timeoutStatus: number
  readonly store: SharedStore
  readonly lease: SharedLease
  /** Set once every plugin has been asked about every route; no request comes before. */
  router: Router<CompiledRoute> = compileRouter([])
  connectionHooks: readonly { readonly plugin: string; readonly run: ConnectionHook }[] = []

  #inFlight = 0
  #released: Promise<void> | undefined
  readonly #onIdle = new Set<() => void>()
  readonly #draining = new AbortController()
  readonly #cleanups: { readonly plugin: string; readonly run: () => Awaitable<void> }[] = []

  constructor(id: number, model: Model, store: SharedStore, log: Log) {
    this.id = id
    this.model = model
    this.store = store
    this.log = log
    this.accessLog = model.log.access
    this.timeoutStatus = model.timeoutStatus
    this.lease = store.lease()
  }

  /** Its clean-ups have run or are running. */
  get released(): boolean {
    return this.#released !== undefined
  }

  get draining(): AbortSignal {
    return this.#draining.signal
  }

  get inFlight(): number {
    return this.#inFlight
  }

  enter(): void {
    this.#inFlight++
  }

  leave(): void {
    this.#inFlight--
    if (this.#inFlight === 0) for (const resolve of this.#onIdle) resolve()
  }

  /** Runs when the generation is let go, newest first; at once when it has been. */
  defer(plugin: string, run: () => Awaitable<void>): void {
    if (this.released) void this.#cleanUp(plugin, run)
    else this.#cleanups.push({ plugin, run })
  }

  /**
   * A newer generation has taken over, or the gateway closes. Resolves once this one is let go, at the latest after
   * `drainTimeoutMs`; of several calls the one with the least patience counts.
   */
  async retire(drainTimeoutMs: number): Promise<void> {
    this.#draining.abort()
    await this.#idle(drainTimeoutMs)
    await this.release()
  }

  #idle(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer)
        this.#onIdle.delete(end)
        resolve()
      }
      const timer = setTimeout(() => {
        this.log.warn('drain time over, letting the generation go', { generation: this.id, inFlight: this.#inFlight })
        end()
      }, timeoutMs)
      this.#onIdle.add(end)
    })
  }

  /** Runs the clean-ups, newest first, then lets go of shared state. A clean-up that fails is logged and stops no other. */
  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<void> {
    // Also when no other took over: a build that failed half-way has started what watches this signal.
    this.#draining.abort()
    for (const { plugin, run } of this.#cleanups.splice(0).reverse()) await this.#cleanUp(plugin, run)
    for (const { name, error } of await this.lease.release()) {
      this.log.error(`shared "${name}" failed to close`, { generation: this.id, err: error })
    }
  }

  async #cleanUp(plugin: string, run: () => Awaitable<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.log.error(`plugin "${plugin}" failed in a clean-up`, { generation: this.id, plugin, err: error })
    }
  }
}
