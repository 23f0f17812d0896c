import { secretLogs } from './config/environment/secret-file.ts'
import type { Model } from './config/model.ts'
import { type Normalised, normalise, normaliseAfter } from './config/normalise.ts'
import { ConfigProblems, type Problem } from './config/problem.ts'
import { GatewayError } from './contract/errors.ts'
import type { ConnectionCount, Log } from './contract/host.ts'
import { type ExplainRequest, type Explanation, explain } from './control/explain.ts'
import { listRoutes, type RouteRow } from './control/list-routes.ts'
import { type SerialisedModel, serialiseModel } from './control/serialise-model.ts'
import { dispatch } from './exchange/dispatch.ts'
import { isThenable } from './exchange/plugin-failure.ts'
import { problemReply } from './exchange/problem.ts'
import { requestId } from './exchange/request-id.ts'
import type { Entry } from './exchange/route.ts'
import { buildGeneration } from './generation/build.ts'
import type { Generation, Holder } from './generation/generation.ts'
import { SharedStore } from './generation/shared-store.ts'
import type { WorkerGroup } from './group/worker-group.ts'
import { FetchStream } from './listen/fetch-stream.ts'
import { entryOf, type ListenerAddress, type ListenerEvents } from './listen/listener.ts'
import { ListenerSet, type Ports } from './listen/listener-set.ts'
import { createLog, type LogLevel } from './log.ts'
import { defaultPathOptions } from './routing/canonical-path.ts'
import { listenerOfUrl } from './routing/listener-of-url.ts'
import { inSlices } from './slices.ts'
import type { ConnectionInfo } from './tunnel/open-connections.ts'
import { type ServiceInfo, serviceInfo } from './upstream/service-info.ts'

export interface GatewayOptions {
  /** Default: JSON lines on standard output at the config's level. */
  readonly log?: Log
}

export interface GenerationInfo {
  readonly id: number
  readonly state: 'serving' | 'draining'
  /** Requests that began in it and have not ended. */
  readonly inFlight: number
  /** The longest-running of these, at most 20. */
  readonly holders: readonly Holder[]
}

export interface ReloadResult {
  /** The one that serves now. */
  readonly generation: number
  /** False when the config says what the one before said, and nothing was done. */
  readonly changed: boolean
  readonly warnings: readonly Problem[]
}

/** A gateway in this process. */
export interface Gateway {
  /** The generation that serves new requests, and those that still end. */
  readonly generations: readonly GenerationInfo[]
  /** The services of the generation that serves, with their targets as they are now; none once it closes. */
  readonly services: readonly ServiceInfo[]
  /** Where it listens; empty before `listen()`. */
  readonly addresses: readonly ListenerAddress[]
  /** What deserves a look in the config that serves now, such as a certificate that expires soon. Lints are `check`'s. */
  readonly warnings: readonly Problem[]
  /** Names of the state that is kept across reloads at this moment. */
  readonly shared: readonly string[]
  /**
   * Absolute paths of what the config depends on beside its modules: certificates and keys, also those that the config
   * refused last asked for. A change of one calls for a reload.
   */
  readonly files: readonly string[]
  /** Connections that stay open, WebSockets and event streams, of whichever generation; oldest first. */
  readonly connections: readonly ConnectionInfo[]
  /** How many of them there are, and were, by route and protocol. */
  readonly connectionCounts: readonly ConnectionCount[]
  /** Ends one of them: both sides are told first. False when there is none of that id. */
  closeConnection(id: string): boolean
  /** Opens the config's listeners. Rejects with GATEWAY_LISTEN_FAILED, and then none is open; TypeError once closed. */
  listen(): Promise<readonly ListenerAddress[]>
  /**
   * Takes a new config over: built aside, swapped in, the old one drained in the background. Rejects with ConfigProblems
   * or GATEWAY_LISTEN_FAILED, and then nothing has changed. Calls take their turn.
   *
   * What both configs say alike stays as it is: services with their pools, targets and turns, routes; an equal config
   * changes nothing. Plain data is compared by content, functions (inline hooks, a plugin's own) by identity.
   */
  reload(config: unknown): Promise<ReloadResult>
  /** One request without a socket, through the same path. Once the gateway closes it is answered by a 503. */
  fetch(input: Request | string | URL, init?: RequestInit): Promise<Response>
  /** What would become of a request with the config that serves now, and why. Nothing is sent, no hook runs. */
  explain(request: ExplainRequest): Explanation
  /** The config that serves now as JSON, to be compared with another: secrets and functions are digests under `salt`. */
  describe(salt?: string): Promise<SerialisedModel>
  /** Stops accepting, lets requests and WebSockets end within the drain time, closes everything. */
  close(): Promise<void>
}

/**
 * Makes a gateway of a config: the value that `defineConfig` returns. It serves `fetch` at once, and ports from
 * `listen()` on.
 *
 * @throws ConfigProblems when the config is wrong or a plugin fails to set up.
 */
export async function createGateway(config: unknown, options: GatewayOptions = {}): Promise<Gateway> {
  const normalised = normalise(config)
  const { model, problems } = normalised
  if (model === undefined) throw new ConfigProblems(problems)
  let { log } = options
  let onLevel: LevelChange = () => {}
  if (log === undefined) {
    const own = createLog(model.log.level)
    log = own
    onLevel = level => {
      own.level = level
    }
  }
  return new Kernel(await buildGeneration(1, model, new SharedStore(), log), log, onLevel, normalised)
}

/** A gateway of a config that has been checked, as one of several workers; its generations have the numbers given here. */
export async function openKernel(id: number, model: Model, group: WorkerGroup, log: Log): Promise<Kernel> {
  return new Kernel(await buildGeneration(id, model, new SharedStore(group), log), log, () => {})
}

type LevelChange = (level: LogLevel) => void

/** A config made ready beside the one that serves. Exactly one of the two has to be called. */
export interface PreparedReload {
  /** Where it will listen. */
  readonly ports: Ports
  /** Takes it over. Cannot fail. */
  commit(): void
  abort(): Promise<void>
}

export class Kernel implements Gateway {
  warnings: readonly Problem[]
  readonly #log: Log
  readonly #onLevel: LevelChange
  readonly #store: SharedStore
  #current: Generation
  /** Of the config that serves, for the next to be compared with; undefined where others compare. */
  #normalised: Normalised | undefined
  readonly #draining = new Set<Generation>()
  readonly #listeners: ListenerSet
  readonly #fetches = new Set<FetchStream>()
  /** Files that the config tried last asked for. */
  #asked: readonly string[] = []
  #listening = false
  #queue: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(first: Generation, log: Log, onLevel: LevelChange, normalised?: Normalised) {
    this.#current = first
    this.#normalised = normalised
    this.warnings = normalised?.problems ?? []
    this.#log = log
    this.#onLevel = onLevel
    this.#store = first.store
    this.#listeners = new ListenerSet(this.#events, log, first.store.group)
    secretLogs.add(log)
  }

  get generations(): readonly GenerationInfo[] {
    const info = (generation: Generation) => ({
      id: generation.id,
      state: generation === this.#current && this.#closed === undefined ? ('serving' as const) : ('draining' as const),
      inFlight: generation.inFlight,
      holders: generation.holders(),
    })
    return [...new Set([this.#current, ...this.#draining])].filter(({ released }) => !released).map(info)
  }

  get services(): readonly ServiceInfo[] {
    if (this.#store.closing.signal.aborted) return []
    return Array.from(this.#current.services.values(), ({ service }) => serviceInfo(service))
  }

  /** The routes of the generation that serves, those that were found among them. */
  listRoutes(): Promise<readonly RouteRow[]> {
    const { routes, foundRoutes } = this.#current
    const models = routes.map(({ model }) => model)
    return inSlices(listRoutes(models, foundRoutes?.origins))
  }

  get addresses(): readonly ListenerAddress[] {
    return this.#listeners.addresses
  }

  get shared(): readonly string[] {
    return this.#store.names
  }

  get connections(): readonly ConnectionInfo[] {
    return this.#store.connections.list()
  }

  get connectionCounts(): readonly ConnectionCount[] {
    return this.#store.connections.counts()
  }

  closeConnection(id: string): boolean {
    return this.#store.connections.close(id)
  }

  get files(): readonly string[] {
    return [...new Set([...this.#current.model.files, ...this.#asked])]
  }

  listen(): Promise<readonly ListenerAddress[]> {
    return this.#inTurn(async () => {
      this.#refuseWhenClosed()
      if (!this.#listening) await this.#listeners.apply(this.#current.model.listeners, 0)
      this.#listening = true
      return this.addresses
    })
  }

  reload(config: unknown): Promise<ReloadResult> {
    return this.#inTurn(async () => {
      this.#refuseWhenClosed()
      const normalised = await inSlices(normaliseAfter(this.#normalised, config))
      const { model, problems, files } = normalised
      this.#asked = files
      if (model === undefined) throw new ConfigProblems(problems)
      const changed = model !== this.#current.model
      if (changed) (await this.prepare(this.#current.id + 1, model)).commit()
      this.#normalised = normalised
      this.warnings = problems
      return { generation: this.#current.id, changed, warnings: problems }
    })
  }

  /**
   * The first half of {@link reload}, for whoever has to see several through it together and lets nothing else come
   * between. `taken`: see {@link ListenerSet.prepare}.
   */
  async prepare(id: number, model: Model, taken?: Ports): Promise<PreparedReload> {
    const next = await buildGeneration(id, model, this.#store, this.#log, this.#current)
    try {
      const { drainTimeoutMs } = this.#current.model
      const listeners = this.#listening
        ? await this.#listeners.prepare(model.listeners, drainTimeoutMs, taken)
        : undefined
      return {
        ports: listeners?.ports ?? this.ports,
        commit: () => {
          listeners?.commit()
          this.#swap(next)
        },
        abort: async () => {
          await listeners?.abort()
          await next.release()
        },
      }
    } catch (error) {
      await next.release()
      throw error
    }
  }

  /** Which port each listener has got. */
  get ports(): Ports {
    return this.#listeners.ports
  }

  /** As {@link listen}, beside other workers. `wanted`: opens these alone, and the rest when it is called again. */
  async open(taken: Ports, wanted?: (address: string) => boolean): Promise<void> {
    const listeners = await this.#listeners.prepare(this.#current.model.listeners, 0, taken, wanted)
    listeners.commit()
    this.#listening = true
  }

  /** As {@link close}, where others take over: who is connected and idle has time to send one request more. */
  async leave(): Promise<void> {
    this.#tellClosing()
    await this.#closeListeners('patient')
    await this.close()
  }

  /** `client`: an address, from which the request comes to the config's first listener, with what that says of it. */
  async fetch(input: Request | string | URL, init?: RequestInit, client?: string): Promise<Response> {
    const request = input instanceof Request && init === undefined ? input : new Request(input, init)
    if (this.#closed !== undefined) return shuttingDown(request)
    const stream = new FetchStream(request, client)
    const listener = listenerOfUrl(this.#current.model.listeners, request.url)
    const entry =
      client === undefined || listener === undefined
        ? { ...fetchEntry, listener: listener?.name ?? '' }
        : entryOf(listener)
    this.#fetches.add(stream)
    stream.onOver = () => this.#fetches.delete(stream)
    try {
      dispatch(this.#current, entry, stream)
    } catch (error) {
      this.#log.error('an exchange failed', { err: error })
      stream.giveUp(error)
    }
    return stream.response
  }

  explain(request: ExplainRequest): Explanation {
    const { model, routes } = this.#current
    return explain({ ...model, routes: routes.map(route => route.model) }, this.#current, request)
  }

  describe(salt?: string): Promise<SerialisedModel> {
    return serialiseModel(this.#current.model, salt)
  }

  close(): Promise<void> {
    this.#closed ??= this.#inTurn(async () => {
      this.#tellClosing()
      const { drainTimeoutMs } = this.#current.model
      // Its timers and this one are armed before those of the generations: who is cut off leaves before they go.
      const unheard = this.#closeListeners()
      const cutOff = setTimeout(() => {
        const error = new GatewayError('GATEWAY_SHUTTING_DOWN', 'the gateway was closed')
        for (const stream of this.#fetches) stream.giveUp(error)
      }, drainTimeoutMs)
      this.#draining.add(this.#current)
      const retired = [...this.#draining].map(generation => generation.retire(drainTimeoutMs))
      await Promise.all([unheard, ...retired])
      clearTimeout(cutOff)
      this.#draining.clear()
      await this.#store.settled()
      secretLogs.delete(this.#log)
    })
    return this.#closed
  }

  #tellClosing(): void {
    this.#store.closing.abort(new GatewayError('GATEWAY_SHUTTING_DOWN', 'the gateway closes'))
  }

  async #closeListeners(patience?: 'patient'): Promise<void> {
    const { drainTimeoutMs } = this.#current.model
    // The listeners leave them alone.
    const cutOff = setTimeout(() => this.#store.connections.shutDown(), drainTimeoutMs)
    await this.#listeners.close(drainTimeoutMs, patience)
    clearTimeout(cutOff)
  }

  #refuseWhenClosed(): void {
    if (this.#closed !== undefined) throw new TypeError('the gateway is closed')
  }

  #swap(next: Generation): void {
    const old = this.#current
    this.#current = next
    this.#onLevel(next.model.log.level)
    this.#draining.add(old)
    void old.retire(old.model.drainTimeoutMs).then(() => this.#draining.delete(old))
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    this.#queue = result.catch(() => {})
    return result
  }

  readonly #events: ListenerEvents = {
    request: (entry, stream) => dispatch(this.#current, entry, stream),
    connection: (address, localPort, serverName) => {
      for (const { plugin, run } of this.#current.connectionHooks) {
        try {
          const verdict: unknown = run({ address, localPort, serverName })
          if (verdict === 'drop') return false
          // Nobody waits for it; what it rejects with must not end the process.
          if (isThenable(verdict)) verdict.then(undefined, () => {})
          if (verdict !== undefined) throw new TypeError("it has to answer 'drop' or nothing, and at once")
        } catch (error) {
          // A connection that a broken plugin could not judge is refused: access rules must not fail open.
          this.#log.error(`plugin "${plugin}" failed in onConnection`, { plugin, client: address, err: error })
          return false
        }
      }
      return true
    },
  }
}

function shuttingDown(request: Request): Response {
  const id = requestId(request.headers.get('x-request-id') ?? undefined)
  const error = new GatewayError('GATEWAY_SHUTTING_DOWN', 'the gateway is closed')
  const { status, headers, body } = problemReply(error, { id, route: undefined })
  return new Response(body, { status, headers: { ...headers, 'x-request-id': id } })
}

const fetchEntry: Omit<Entry, 'listener'> = { paths: defaultPathOptions, bodySize: 0, trusts: () => false }
