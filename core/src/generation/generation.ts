import type { Model, RouteModel, ServiceModel } from '../config/model.ts'
import type { Awaitable, Connection } from '../contract/hooks.ts'
import type { Log } from '../contract/host.ts'
import type { CompiledRoute, Member, Runtime } from '../exchange/route.ts'
import type { Deadlines } from '../http1/deadlines.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import type { OpenConnections } from '../tunnel/open-connections.ts'
import type { Service } from '../upstream/service.ts'
import type { FoundRoutes } from './found-routes.ts'
import type { SharedLease, SharedStore } from './shared-store.ts'
import { within } from './within.ts'

export type ConnectionHook = (connection: Connection) => 'drop' | void

/** A service with the model that it was made of. */
export interface RunningService {
  readonly model: ServiceModel
  readonly service: Service
}

/** A route with what was made of it. */
export interface RunningRoute {
  readonly model: RouteModel
  readonly compiled: CompiledRoute
}

/** One for all: the stack of one made at the time would hold on to the generation that takes over, and each to the next. */
const over = new DOMException('a newer generation has taken over, or the gateway closes', 'AbortError')

/** A request that keeps a generation alive. */
export interface Holder {
  readonly id: string
  /** A tunnel stays in its generation, but does not keep it beyond the drain time. */
  readonly kind: 'request' | 'tunnel'
  /** Empty while none has been found. */
  readonly route: string
  /** Address of the client. */
  readonly client: string
  readonly ageMs: number
  /** From the client and to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
}

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
  readonly deadlines: Deadlines
  readonly after: Runtime['after']
  readonly store: SharedStore
  readonly connections: OpenConnections
  readonly lease: SharedLease
  /** Set once every plugin has been asked about every route; no request comes before. */
  router: Router<number> = compileRouter([])
  /** The config's and those that were found, where the router leads. */
  routes: readonly RunningRoute[] = []
  foundRoutes: FoundRoutes | undefined
  connectionHooks: readonly { readonly plugin: string; readonly run: ConnectionHook }[] = []

  /** For the next generation to take over what stays. */
  readonly services = new Map<string, RunningService>()

  #inFlight = 0
  #oldest: Member | undefined
  #newest: Member | undefined
  #released: Promise<void> | undefined
  readonly #onIdle = new Set<() => void>()
  readonly #draining = new AbortController()
  readonly #cleanups: { readonly plugin: string; readonly run: () => Awaitable<void> }[] = []

  constructor(id: number, model: Model, store: SharedStore, log: Log) {
    this.id = id
    this.model = model
    this.deadlines = store.platform.deadlines
    this.after = store.platform.after
    this.store = store
    this.connections = store.connections
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

  routeAt(place: number): CompiledRoute {
    const route = this.routes[place]
    if (route === undefined) throw new TypeError(`the router leads to a route ${place} that is not there`)
    return route.compiled
  }

  enter(member: Member): void {
    this.#inFlight++
    member.older = this.#newest
    if (this.#newest === undefined) this.#oldest = member
    else this.#newest.newer = member
    this.#newest = member
  }

  leave(member: Member): void {
    const { older, newer } = member
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    member.older = undefined
    member.newer = undefined
    this.#inFlight--
    if (this.#inFlight === 0) for (const resolve of this.#onIdle) resolve()
  }

  /** The longest-running requests in it. */
  holders(most = 20): Holder[] {
    const holders: Holder[] = []
    const now = this.deadlines.now()
    for (let member = this.#oldest; member !== undefined && holders.length < most; member = member.newer) {
      const { id, route, client, bytesIn, bytesOut, tunnel, startedAt } = member
      const kind = tunnel === undefined ? 'request' : 'tunnel'
      holders.push({ id, kind, route, client: client.address, ageMs: Math.round(now - startedAt), bytesIn, bytesOut })
    }
    return holders
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
    this.#draining.abort(over)
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
    this.#draining.abort(over)
    for (const { plugin, run } of this.#cleanups.splice(0).reverse()) await this.#cleanUp(plugin, run)
    for (const { name, error } of await this.lease.release(this.model.setupTimeoutMs)) {
      this.log.error(`shared "${name}" failed to close`, { generation: this.id, err: error })
    }
  }

  async #cleanUp(plugin: string, run: () => Awaitable<void>): Promise<void> {
    try {
      await within(this.model.setupTimeoutMs, run())
    } catch (error) {
      this.log.error(`plugin "${plugin}" failed in a clean-up`, { generation: this.id, plugin, err: error })
    }
  }
}
