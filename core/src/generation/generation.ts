import type { Awaitable, Connection } from '../contract/hooks.ts'
import type { Log } from '../contract/host.ts'
import type { Model } from '../config/model.ts'
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
  #retired = false
  #released: Promise<void> | undefined
  #onIdle: (() => void) | undefined
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
    if (this.#inFlight === 0) this.#onIdle?.()
  }

  /** Runs when the generation is let go, newest first. */
  defer(plugin: string, run: () => Awaitable<void>): void {
    this.#cleanups.push({ plugin, run })
  }

  /** A newer generation has taken over. Resolves once this one is let go, at the latest after `drainTimeoutMs`. */
  async retire(drainTimeoutMs: number): Promise<void> {
    if (!this.#retired) {
      this.#retired = true
      this.#draining.abort()
    }
    await this.#idle(drainTimeoutMs)
    await this.release()
  }

  #idle(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.log.warn('drain time over, letting the generation go', { generation: this.id, inFlight: this.#inFlight })
        resolve()
      }, timeoutMs)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Runs the clean-ups, newest first, then lets go of shared state. A clean-up that fails is logged and stops no other. */
  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<void> {
    for (const { plugin, run } of this.#cleanups.splice(0).reverse()) {
      try {
        await run()
      } catch (error) {
        this.log.error(`plugin "${plugin}" failed in a clean-up`, { generation: this.id, err: error })
      }
    }
    try {
      await this.lease.release()
    } catch (error) {
      this.log.error('shared state failed to close', { generation: this.id, err: error })
    }
  }
}
