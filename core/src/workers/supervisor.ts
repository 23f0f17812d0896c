import { randomBytes, randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { ResourceLimits } from 'node:worker_threads'
import type { Model } from '../config/model.ts'
import { type Normalised, normaliseAfter } from '../config/normalise.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { maxWorkers } from '../config/schema.ts'
import type { ExplainRequest, Explanation } from '../control/explanation.ts'
import type { RouteRow } from '../control/list-routes.ts'
import { type SerialisedModel, serialiseModel } from '../control/serialise-model.ts'
import { type Kernel, openKernel } from '../gateway.ts'
import { within } from '../generation/within.ts'
import { alone, type WorkerGroup } from '../group/worker-group.ts'
import type { ListenerAddress } from '../listen/listener.ts'
import { listenerNames, type Ports } from '../listen/listener-set.ts'
import type { PortableBundle } from '../loader/load-run.ts'
import type { LevelledLog, LogLevel } from '../log.ts'
import { inSlices } from '../slices.ts'
import type { ConnectionInfo } from '../tunnel/open-connections.ts'
import { MemoryRegistry } from './memory-registry.ts'
import type { Job, WorkerStatus } from './messages.ts'
import { clearRow, countRows } from './shared-counts.ts'
import { statusOf } from './status-of.ts'
import { countsName, groupChannel } from './thread-group.ts'
import { WorkerDied, WorkerThread } from './worker-thread.ts'

export interface SupervisorOptions {
  readonly log: LevelledLog
  /** Lines to read instead of JSON. */
  readonly pretty: boolean
  /** Instead of the config's, now and after every reload. */
  readonly workers: number | 'auto' | undefined
  readonly logLevel: LogLevel | undefined
  /** Of each worker thread. Default: Node's. */
  readonly resourceLimits?: ResourceLimits
}

/** The config that serves now. */
export interface Taken {
  /** False when it says what the one before said, and nothing was done. */
  readonly changed: boolean
  readonly model: Model
  readonly warnings: readonly Problem[]
}

export interface WorkerInfo extends WorkerStatus {
  readonly worker: number
}

/** Milliseconds before a worker that died is started again: the first, doubled at each death that follows, to the last. */
const backOff = { first: 100, last: 30_000, forgottenAfter: 60_000 }
/** Milliseconds that a worker may need beyond the drain time before it is ended. */
const graceMs = 2_000
/** Milliseconds for a worker to say how it is. */
const infoMs = 1_000

/** Where Node opens several sockets on one port. */
const reusePortPlatforms: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix']

/**
 * A gateway as one worker in this thread or as several in threads of their own. Whoever has more than one never comes back
 * to this thread. Every worker has a kernel and listens on every port; a reload is prepared in all of them and then
 * committed in all, or in none.
 */
export class Supervisor {
  /** What `check` would warn of in the config that serves now. */
  warnings: readonly Problem[] = []
  addresses: readonly ListenerAddress[] = []
  /** Number of the generation that serves now; 0 before the first. */
  generation = 0

  readonly #options: SupervisorOptions
  /** Of the config that serves, for the next to be compared with. */
  #normalised: Normalised | undefined
  readonly #registry = new MemoryRegistry()
  readonly #gateway = randomUUID()
  readonly #secret = randomBytes(32)
  #files: readonly string[] = []
  #asked: readonly string[] = []
  /** The one worker, where it is in this thread. */
  #kernel: Kernel | undefined
  /** What the threads serve; undefined as long as there are none. */
  #job: Job | undefined
  #ports: Ports = new Map()
  /** By index. One that died is not among them. */
  readonly #threads = new Map<number, WorkerThread>()
  /** Every thread that has not ended. */
  readonly #alive = new Set<WorkerThread>()
  readonly #leaving = new Set<Promise<void>>()
  readonly #deaths = new Map<number, number>()
  readonly #restarts = new Set<NodeJS.Timeout>()
  #threadCount = 0
  #queue: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** As {@link Gateway.files}. */
  get files(): readonly string[] {
    return [...new Set([...this.#files, ...this.#asked])]
  }

  /** Each worker. One that does not answer within a second is left out. */
  async workers(): Promise<readonly WorkerInfo[]> {
    const own = this.#kernel === undefined ? [] : [{ worker: 0, ...statusOf(this.#kernel) }]
    const asked = [...this.#alive].map(async thread => {
      const status = await within(infoMs, thread.call('status', undefined)).catch(() => undefined)
      return status === undefined ? [] : [{ worker: thread.index, ...status }]
    })
    return [...own, ...(await Promise.all(asked)).flat()]
  }

  /** Names of the state that workers keep across reloads. */
  async shared(): Promise<readonly string[]> {
    const asked = [...this.#alive].map(thread =>
      within(infoMs, thread.call('shared', undefined)).catch((): readonly string[] => []),
    )
    return [...new Set([...(this.#kernel?.shared ?? []), ...(await Promise.all(asked)).flat()])]
  }

  /** As {@link Gateway.connections}, of all workers. One that does not answer within a second is left out. */
  async connections(): Promise<readonly ConnectionInfo[]> {
    const asked = [...this.#alive].map(thread =>
      within(infoMs, thread.call('connections', undefined)).catch((): readonly ConnectionInfo[] => []),
    )
    return [...(this.#kernel?.connections ?? []), ...(await Promise.all(asked)).flat()]
  }

  /** As {@link Gateway.closeConnection}, whichever worker has it. */
  async closeConnection(id: string): Promise<boolean> {
    if (this.#kernel?.closeConnection(id) === true) return true
    const asked = [...this.#alive].map(thread => within(infoMs, thread.call('closeConnection', id)).catch(() => false))
    return (await Promise.all(asked)).includes(true)
  }

  /** As {@link Gateway.explain}: any worker knows, since all serve the same. */
  async explain(request: ExplainRequest): Promise<Explanation> {
    if (this.#kernel !== undefined) return this.#kernel.explain(request)
    return Promise.any([...this.#threads.values()].map(thread => thread.call('explain', request)))
  }

  /** As {@link Kernel.listRoutes}: what discovery found may differ for the moments that the answers of workers are apart. */
  async routes(): Promise<readonly RouteRow[]> {
    if (this.#kernel !== undefined) return this.#kernel.listRoutes()
    return Promise.any([...this.#threads.values()].map(thread => thread.call('routes', undefined)))
  }

  /** As {@link Gateway.describe}. */
  async describe(salt?: string): Promise<SerialisedModel> {
    const model = this.#normalised?.model
    if (model === undefined) throw new TypeError('nothing serves yet')
    return serialiseModel(model, salt)
  }

  /**
   * Starts with this config, or takes it over. `config` is what the bundle exports, as the command line has changed it.
   * Rejects as {@link Gateway.reload} does, and then nothing has changed. Calls take their turn.
   */
  take(config: unknown, bundle: PortableBundle): Promise<Taken> {
    return this.#inTurn(async () => {
      if (this.#closed !== undefined) throw new TypeError('the gateway is closed')
      const normalised = await inSlices(normaliseAfter(this.#normalised, config))
      const { model, problems, files } = normalised
      this.#asked = files
      if (model === undefined) throw new ConfigProblems(problems)
      const changed = model !== this.#normalised?.model
      if (changed) await this.#takeModel(model, bundle)
      this.#normalised = normalised
      this.#files = files
      this.warnings = problems
      return { changed, model, warnings: problems }
    })
  }

  async #takeModel(model: Model, bundle: PortableBundle): Promise<void> {
    const workers = workerCount(this.#options.workers ?? model.workers)
    const generation = this.generation + 1
    if (workers === 1 && this.#job === undefined) await this.#takeHere(generation, model)
    else {
      const level = this.#options.logLevel ?? model.log.level
      await this.#takeInThreads({
        generation,
        workers,
        bundle,
        environment: { ...process.env },
        listeners: model.listeners,
        level,
      })
    }
    this.generation = generation
  }

  /** Stops accepting, lets requests end within the drain time, ends every worker. */
  close(): Promise<void> {
    this.#closed ??= this.#inTurn(async () => {
      for (const timer of this.#restarts) clearTimeout(timer)
      const threads = [...this.#alive]
      this.#threads.clear()
      await Promise.all([this.#kernel?.close(), ...threads.map(thread => this.#end(thread)), ...this.#leaving])
    })
    return this.#closed
  }

  async #takeHere(generation: number, model: Model): Promise<void> {
    if (this.#kernel !== undefined) {
      const next = await this.#kernel.prepare(generation, model)
      next.commit()
      this.addresses = this.#kernel.addresses
      return
    }
    const kernel = await openKernel(generation, model, this.#ownGroup(), this.#options.log)
    try {
      this.addresses = await kernel.listen()
      this.#kernel = kernel
    } catch (error) {
      await kernel.close()
      throw error
    }
  }

  async #takeInThreads(job: Job): Promise<void> {
    const indexes = Array.from({ length: job.workers }, (_, index) => index)
    const staying = indexes.flatMap(index => this.#threads.get(index) ?? [])
    const joining = indexes.filter(index => !this.#threads.has(index)).map(index => this.#start(index))
    const [leader, ...others] = [...staying, ...joining]
    if (leader === undefined) throw new TypeError('a gateway has at least one worker')
    let taken = this.#kernel?.ports ?? this.#ports
    try {
      // What is wrong for all is found by one, and ports are fought for by one.
      const ports = await leader.call('prepare', { job, taken, leads: true })
      taken = new Map([...taken, ...ports])
      await allOf(others.map(other => other.call('prepare', { job, taken, leads: false })))
    } catch (error) {
      await Promise.allSettled(staying.map(thread => thread.call('abort', undefined)))
      await Promise.all(joining.map(thread => this.#end(thread)))
      throw error instanceof WorkerDied ? asProblem(error) : error
    }
    this.#job = job
    for (const thread of joining) this.#threads.set(thread.index, thread)
    this.#ports = new Map(listenerNames(job.listeners).flatMap(name => portOf(taken, name)))
    const addresses = await Promise.all([leader, ...others].map(thread => this.#commit(thread)))
    this.addresses = addresses.find(list => list !== undefined) ?? []
    this.#dismiss(job.workers)
  }

  /** A worker that cannot commit, for want of file descriptors or because it died just then, is one that died. */
  async #commit(thread: WorkerThread): Promise<readonly ListenerAddress[] | undefined> {
    try {
      return await thread.call('commit', { taken: this.#ports })
    } catch (error) {
      if (!(error instanceof WorkerDied)) {
        this.#options.log.error('a worker failed', { worker: thread.index, err: error })
        await thread.terminate()
      }
      return undefined
    }
  }

  /** Whoever is one too many, now that the others listen, ends when its clients have gone. */
  #dismiss(workers: number): void {
    for (const [index, thread] of this.#threads) {
      if (index < workers) continue
      this.#threads.delete(index)
      this.#leave(this.#end(thread, 'patient'))
    }
    if (this.#kernel === undefined) return
    this.#leave(this.#kernel.leave())
    this.#kernel = undefined
  }

  #leave(ending: Promise<void>): void {
    const left: Promise<void> = ending.then(() => void this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  #start(index: number): WorkerThread {
    const rows = new Set([...this.#alive].map(({ row }) => row))
    const thread = new WorkerThread({
      index,
      id: ++this.#threadCount,
      row: Array.from({ length: countRows }, (_, row) => row).find(row => !rows.has(row)),
      gateway: this.#gateway,
      secret: this.#secret,
      pretty: this.#options.pretty,
      registry: this.#registry,
      resourceLimits: this.#options.resourceLimits,
    })
    this.#alive.add(thread)
    void thread.ended.then(reason => this.#ended(thread, reason))
    return thread
  }

  /** Lets a thread close and end; one that does not is ended. */
  async #end(thread: WorkerThread, patience?: 'patient'): Promise<void> {
    await within((this.#normalised?.model?.drainTimeoutMs ?? 0) + graceMs, thread.call('close', patience)).catch(
      () => {},
    )
    await thread.terminate()
  }

  #ended(thread: WorkerThread, reason: string): void {
    const { id, index, row } = thread
    this.#alive.delete(thread)
    if (row !== undefined) for (const counts of this.#registry.buffers(countsName)) clearRow(counts, row)
    this.#registry.letGoAll(id)
    if (this.#threads.get(index) !== thread) return
    this.#threads.delete(index)
    if (performance.now() - thread.startedAt > backOff.forgottenAfter) this.#deaths.delete(index)
    this.#restartLater(index, reason)
  }

  #restartLater(index: number, reason: string): void {
    const deaths = this.#deaths.get(index) ?? 0
    const delay = Math.min(backOff.last, backOff.first * 2 ** deaths)
    this.#deaths.set(index, deaths + 1)
    this.#options.log.error('a worker died', { worker: index, reason, restartInMs: delay })
    const timer = setTimeout(() => {
      this.#restarts.delete(timer)
      void this.#inTurn(() => this.#restart(index))
    }, delay)
    this.#restarts.add(timer)
  }

  /** With what the others serve now. */
  async #restart(index: number): Promise<void> {
    const job = this.#job
    // A reload may have started it already, or need it no more.
    if (job === undefined || this.#closed !== undefined || index >= job.workers || this.#threads.has(index)) return
    const thread = this.#start(index)
    try {
      await thread.call('prepare', { job, taken: this.#ports, leads: false })
    } catch (error) {
      await this.#end(thread)
      return this.#restartLater(index, error instanceof Error ? error.message : String(error))
    }
    this.#threads.set(index, thread)
    if ((await this.#commit(thread)) !== undefined) this.#options.log.info('a worker was replaced', { worker: index })
  }

  /** As the one worker, in this thread; others may take over from it. */
  #ownGroup(): WorkerGroup {
    const id = 0
    const mayHaveOthers = this.#options.workers !== 1 && reusePortPlatforms.includes(process.platform)
    return {
      ...alone(),
      reusePort: mayHaveOthers,
      secret: this.#secret,
      memory: (name, byteLength) => this.#registry.acquire(id, name, byteLength),
      letGo: (name, byteLength) => this.#registry.letGo(id, name, byteLength),
      channel: (name, onMessage) => groupChannel(`${this.#gateway} ${name}`, id, 0, onMessage),
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    this.#queue = result.catch(() => {})
    return result
  }
}

/** @throws ConfigProblems when there is no way to have more than one here. */
function workerCount(wanted: number | 'auto'): number {
  const supported = reusePortPlatforms.includes(process.platform)
  if (wanted === 'auto') return supported ? Math.min(availableParallelism(), maxWorkers) : 1
  if (wanted === 1 || supported) return wanted
  const message = `must be 1 on ${process.platform}, where several sockets cannot share a port`
  throw new ConfigProblems([{ severity: 'error', code: 'CONFIG_WORKERS_UNSUPPORTED', message, path: ['workers'] }])
}

function asProblem(died: WorkerDied): ConfigProblems {
  return new ConfigProblems([{ severity: 'error', code: 'CONFIG_WORKER_DIED', message: died.message }])
}

function portOf(ports: Ports, name: string): [string, number][] {
  const port = ports.get(name)
  return port === undefined ? [] : [[name, port]]
}

/** Resolves once all have; rejects once all are settled, with the first failure. */
async function allOf(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason
}
