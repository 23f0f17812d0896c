/** A worker thread: a kernel, and the main thread's word on what it serves. Started by worker-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Model } from '../config/model.ts'
import { type Normalised, normaliseAfter } from '../config/normalise.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'
import { type Kernel, openKernel } from '../gateway.ts'
import * as core from '../index.ts'
import type { Ports } from '../listen/listener-set.ts'
import { runPortable } from '../loader/load-run.ts'
import { createLog } from '../log.ts'
import { inSlices } from '../slices.ts'
import type { Answer, Call, CallName, Calls, Failure, Job, WorkerSetup } from './messages.ts'
import { statusOf } from './status-of.ts'
import { surviveFaults } from './survive-faults.ts'
import { threadGroup } from './thread-group.ts'

const setup: WorkerSetup = workerData
const group = threadGroup(setup)
const log = createLog('info', { pretty: setup.pretty, fields: { worker: setup.index } })
surviveFaults(log)

interface Prepared {
  /** Where it will listen. */
  readonly ports: Ports
  commit(taken: Ports): Promise<void>
  abort(): Promise<void>
}

/** Undefined until the first config has been prepared. */
let kernel: Kernel | undefined
let prepared: Prepared | undefined
/** The config tried last, for the next to be compared with. */
let known: Normalised | undefined

async function prepareFirst({ job, taken, leads }: Calls['prepare']['in'], model: Model): Promise<Prepared> {
  log.level = job.level
  const first = await openKernel(job.generation, model, group, log)
  try {
    if (leads) await first.open(taken, address => !taken.has(address))
  } catch (error) {
    await first.close()
    throw error
  }
  kernel = first
  return { ports: first.ports, commit: ports => first.open(ports), abort: () => first.close() }
}

async function prepareNext(current: Kernel, { job, taken }: Calls['prepare']['in'], model: Model): Promise<Prepared> {
  const next = await current.prepare(job.generation, model, taken)
  return {
    ports: next.ports,
    async commit() {
      next.commit()
      log.level = job.level
    },
    abort: () => next.abort(),
  }
}

type Handlers = { [Name in CallName]: (argument: Calls[Name]['in']) => Promise<Calls[Name]['out']> }

const handlers: Handlers = {
  async prepare(argument) {
    group.count = argument.job.workers
    const model = await modelOf(argument.job)
    prepared = await (kernel === undefined ? prepareFirst(argument, model) : prepareNext(kernel, argument, model))
    return prepared.ports
  },
  async commit({ taken }) {
    await prepared?.commit(taken)
    prepared = undefined
    return kernel?.addresses ?? []
  },
  async abort() {
    await prepared?.abort()
    prepared = undefined
    return undefined
  },
  async status() {
    return statusOf(kernel)
  },
  async shared() {
    return kernel?.shared ?? []
  },
  async routes() {
    if (kernel === undefined) throw new TypeError('nothing serves yet')
    return kernel.listRoutes()
  },
  async explain(request) {
    if (kernel === undefined) throw new TypeError('nothing serves yet')
    return kernel.explain(request)
  },
  async connections() {
    return kernel?.connections ?? []
  },
  async closeConnection(id) {
    return kernel?.closeConnection(id) ?? false
  },
  async close(patience) {
    await (patience === undefined ? kernel?.close() : kernel?.leave())
    return undefined
  },
}

async function modelOf({ bundle, environment, listeners }: Job): Promise<Model> {
  takeEnvironment(environment)
  const run = await runPortable(bundle, { '@gateway/core': core })
  if (!run.ok) throw new ConfigProblems(run.problems)
  // Where to listen, and with which certificates, has been read once for all.
  const config = isObject(run.config) ? { ...run.config, listen: [] } : run.config
  const normalised = await inSlices(normaliseAfter(known, config))
  const { model, problems } = normalised
  if (model === undefined) throw new ConfigProblems(problems)
  known = normalised
  return { ...model, listeners }
}

/** A thread has a copy of its own, as old as itself. */
function takeEnvironment(environment: Job['environment']): void {
  for (const name of Object.keys(process.env)) if (environment[name] === undefined) delete process.env[name]
  Object.assign(process.env, environment)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

async function answer<Name extends CallName>({ id, name, argument }: Call<Name>): Promise<void> {
  const reply = (message: Answer) => parentPort?.postMessage(message)
  try {
    reply({ id, value: await handlers[name](argument) })
  } catch (error) {
    reply({ id, failure: failureOf(error) })
  }
  // What a plugin left open must not keep it.
  if (name === 'close') process.exit(0)
}

function failureOf(error: unknown): Failure {
  if (error instanceof ConfigProblems) return { kind: 'config', problems: error.problems.map(plain) }
  if (error instanceof GatewayError && error.source === 'config') return { kind: 'listen', message: error.message }
  return { kind: 'fault', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

const plain = (problem: Problem): Problem => ({ ...problem })

parentPort?.on('message', (call: Call) => void answer(call))
