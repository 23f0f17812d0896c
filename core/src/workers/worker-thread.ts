import { MessageChannel, type ResourceLimits, Worker } from 'node:worker_threads'
import { ConfigProblems } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'
import type { MemoryRegistry } from './memory-registry.ts'
import type { Answer, Call, CallName, Calls, Failure, MemoryRequest, WorkerSetup } from './messages.ts'

export type WorkerOptions = Omit<WorkerSetup, 'memory'> & {
  readonly registry: MemoryRegistry
  readonly resourceLimits: ResourceLimits | undefined
}

interface Waiting {
  resolve(value: unknown): void
  reject(reason: unknown): void
}

/** A worker thread as the main thread sees it. */
export class WorkerThread {
  readonly index: number
  readonly id: number
  readonly row: number | undefined
  readonly startedAt = performance.now()
  /** Resolves with the reason when the thread has ended, whatever for. */
  readonly ended: Promise<string>
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #calls = 0
  #reason: string | undefined

  constructor({ registry, resourceLimits, ...setup }: WorkerOptions) {
    this.index = setup.index
    this.id = setup.id
    this.row = setup.row
    const memory = this.#serveMemory(registry)
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { ...setup, memory } satisfies WorkerSetup,
      transferList: [memory.port],
      name: `gateway worker ${setup.index}`,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    })
    this.#worker.on('message', (answer: Answer) => this.#settle(answer))
    this.ended = new Promise(resolve => {
      this.#worker.once('error', error => {
        this.#reason = reasonOf(error)
      })
      this.#worker.once('exit', code => {
        this.#reason ??= `something called process.exit(${code})`
        const died = new WorkerDied(this.index, this.#reason)
        for (const { reject } of this.#waiting.values()) reject(died)
        this.#waiting.clear()
        resolve(this.#reason)
      })
    })
  }

  /** @throws ConfigProblems, GATEWAY_LISTEN_FAILED, or {@link WorkerDied}. */
  call<Name extends CallName>(name: Name, argument: Calls[Name]['in']): Promise<Calls[Name]['out']> {
    if (this.#reason !== undefined) return Promise.reject(new WorkerDied(this.index, this.#reason))
    const id = ++this.#calls
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['out']>()
    // The other side answers by the same table.
    this.#waiting.set(id, { resolve: value => resolve(value as Calls[Name]['out']), reject })
    this.#worker.postMessage({ id, name, argument } satisfies Call)
    return promise
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('failure' in answer) waiting?.reject(errorOf(answer.failure))
    else waiting?.resolve(answer.value)
  }

  #serveMemory(registry: MemoryRegistry): WorkerSetup['memory'] {
    const { port1, port2 } = new MessageChannel()
    const answers = new Int32Array(new SharedArrayBuffer(4))
    port1.on('message', (request: MemoryRequest) => {
      if ('letGo' in request) return registry.letGo(this.id, request.letGo, request.byteLength)
      try {
        port1.postMessage(registry.acquire(this.id, request.acquire, request.byteLength))
      } catch (error) {
        port1.postMessage(String(error))
      }
      Atomics.add(answers, 0, 1)
      Atomics.notify(answers, 0)
    })
    port1.unref()
    return { port: port2, answers }
  }
}

/** A worker's thread ended with a call unanswered. */
export class WorkerDied extends Error {
  override readonly name = 'WorkerDied'

  constructor(index: number, reason: string) {
    super(`worker ${index} died: ${reason}`)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'it ran out of memory'
  return error.stack ?? error.message
}

function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case 'config':
      return new ConfigProblems(failure.problems)
    case 'listen':
      return new GatewayError('GATEWAY_LISTEN_FAILED', failure.message)
    case 'fault':
      return new Error(failure.message)
  }
}
