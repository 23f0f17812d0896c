import type { Model } from './config/model.ts'
import { normalise } from './config/normalise.ts'
import { ConfigProblems, type Problem } from './config/problem.ts'
import type { Log } from './contract/host.ts'
import { dispatch } from './exchange/dispatch.ts'
import type { Entry } from './exchange/route.ts'
import { buildGeneration } from './generation/build.ts'
import type { Generation } from './generation/generation.ts'
import { SharedStore } from './generation/shared-store.ts'
import { FetchStream } from './listen/fetch-stream.ts'
import { Listener, type ListenerAddress, type ListenerEvents } from './listen/listener.ts'
import { createLog } from './log.ts'
import { defaultPathOptions } from './routing/canonical-path.ts'

export interface GatewayOptions {
  /** Default: JSON lines on standard output at the config's level. */
  readonly log?: Log
}

export interface GenerationInfo {
  readonly id: number
  readonly state: 'serving' | 'draining'
  /** Requests that began in it and have not ended. */
  readonly inFlight: number
}

export interface ReloadResult {
  readonly generation: number
  readonly warnings: readonly Problem[]
}

/** A gateway in this process. */
export interface Gateway {
  /** The generation that serves new requests, and those that still end. */
  readonly generations: readonly GenerationInfo[]
  /** Where it listens; empty before `listen()`. */
  readonly addresses: readonly ListenerAddress[]
  /** Names of the state that is kept across reloads at this moment. */
  readonly shared: readonly string[]
  /** Opens the config's listeners. Rejects with GATEWAY_LISTEN_FAILED, and then none is open. */
  listen(): Promise<readonly ListenerAddress[]>
  /**
   * Takes a new config over: built aside, swapped in, the old one drained in the background. Rejects with ConfigProblems
   * or GATEWAY_LISTEN_FAILED, and then nothing has changed. Calls take their turn.
   */
  reload(config: unknown): Promise<ReloadResult>
  /** One request without a socket, through the same path. */
  fetch(input: Request | string | URL, init?: RequestInit): Promise<Response>
  /** Stops accepting, lets requests end within the drain time, closes everything. */
  close(): Promise<void>
}

/**
 * Makes a gateway of a config: the value that `defineConfig` returns. It serves `fetch` at once, and ports from
 * `listen()` on.
 *
 * @throws ConfigProblems when the config is wrong or a plugin fails to set up.
 */
export async function createGateway(config: unknown, options: GatewayOptions = {}): Promise<Gateway> {
  const { model, problems } = normalise(config)
  if (model === undefined) throw new ConfigProblems(problems)
  const log = options.log ?? createLog(model.log.level)
  const kernel = new Kernel(await buildGeneration(1, model, new SharedStore(), log), log)
  for (const problem of problems) log.warn(problem.message, { code: problem.code, path: problem.path?.join('.') })
  return kernel
}

class Kernel implements Gateway {
  readonly #log: Log
  readonly #store: SharedStore
  #current: Generation
  readonly #draining = new Set<Generation>()
  #listeners = new Map<string, Listener>()
  #listening = false
  #queue: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(first: Generation, log: Log) {
    this.#current = first
    this.#log = log
    this.#store = first.store
  }

  get generations(): readonly GenerationInfo[] {
    const info = (generation: Generation) => ({
      id: generation.id,
      state: generation === this.#current ? ('serving' as const) : ('draining' as const),
      inFlight: generation.inFlight,
    })
    return [this.#current, ...this.#draining].map(info)
  }

  get addresses(): readonly ListenerAddress[] {
    return this.#listening ? [...this.#listeners.values()].map(listener => listener.address) : []
  }

  get shared(): readonly string[] {
    return this.#store.names
  }

  listen(): Promise<readonly ListenerAddress[]> {
    return this.#inTurn(async () => {
      if (!this.#listening) {
        this.#listeners = await this.#open(this.#current.model, new Map())
        this.#listening = true
      }
      return this.addresses
    })
  }

  reload(config: unknown): Promise<ReloadResult> {
    return this.#inTurn(async () => {
      if (this.#closed !== undefined) throw new TypeError('the gateway is closed')
      const { model, problems } = normalise(config)
      if (model === undefined) throw new ConfigProblems(problems)
      const next = await buildGeneration(this.#current.id + 1, model, this.#store, this.#log)
      const old = this.#listeners
      try {
        if (this.#listening) this.#listeners = await this.#open(model, old)
      } catch (error) {
        await next.release()
        throw error
      }
      this.#swap(next)
      this.#closeGone(old)
      return { generation: next.id, warnings: problems }
    })
  }

  async fetch(input: Request | string | URL, init?: RequestInit): Promise<Response> {
    const stream = new FetchStream(input instanceof Request && init === undefined ? input : new Request(input, init))
    dispatch(this.#current, fetchEntry, stream)
    return stream.response
  }

  close(): Promise<void> {
    this.#closed ??= this.#inTurn(async () => {
      const { drainTimeoutMs } = this.#current.model
      this.#listening = false
      await Promise.all([...this.#listeners.values()].map(listener => listener.close(drainTimeoutMs)))
      this.#draining.add(this.#current)
      await Promise.all([...this.#draining].map(generation => generation.retire(drainTimeoutMs)))
    })
    return this.#closed
  }

  #swap(next: Generation): void {
    const old = this.#current
    this.#current = next
    this.#draining.add(old)
    void old.retire(old.model.drainTimeoutMs).then(() => this.#draining.delete(old))
  }

  /** Keeps the listeners whose address stays and opens the new ones; all or nothing. Their settings change at the end. */
  async #open(model: Model, old: ReadonlyMap<string, Listener>): Promise<Map<string, Listener>> {
    const listeners = new Map<string, Listener>()
    const opened: Listener[] = []
    try {
      for (const settings of model.listeners) {
        const key = `${settings.host ?? '*'}:${settings.port}`
        const kept = old.get(key)
        const listener = kept ?? new Listener(settings, this.#events, this.#log)
        if (kept === undefined) {
          await listener.listen()
          opened.push(listener)
        }
        listeners.set(key, listener)
      }
    } catch (error) {
      await Promise.all(opened.map(listener => listener.close(0)))
      throw error
    }
    for (const settings of model.listeners) listeners.get(`${settings.host ?? '*'}:${settings.port}`)?.update(settings)
    return listeners
  }

  #closeGone(old: ReadonlyMap<string, Listener>): void {
    for (const [key, listener] of old) {
      if (!this.#listeners.has(key)) void listener.close(this.#current.model.drainTimeoutMs)
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    this.#queue = result.catch(() => {})
    return result
  }

  readonly #events: ListenerEvents = {
    request: (entry, stream) => dispatch(this.#current, entry, stream),
    connection: (address, localPort) => {
      for (const { plugin, run } of this.#current.connectionHooks) {
        try {
          if (run({ address, localPort, serverName: undefined }) === 'drop') return false
        } catch (error) {
          // A connection that a broken plugin could not judge is refused: access rules must not fail open.
          this.#log.error(`plugin "${plugin}" failed in onConnection`, { client: address, err: error })
          return false
        }
      }
      return true
    },
  }
}

const fetchEntry: Entry = { paths: defaultPathOptions, bodySize: 0, trusts: () => false }
