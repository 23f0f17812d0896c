import type { MessagePort } from 'node:worker_threads'
import type { ListenerModel } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import type { ConnectionCount } from '../contract/host.ts'
import type { ExplainRequest, Explanation } from '../control/explanation.ts'
import type { RouteRow } from '../control/list-routes.ts'
import type { GenerationInfo } from '../gateway.ts'
import type { ListenerAddress } from '../listen/listener.ts'
import type { Ports } from '../listen/listener-set.ts'
import type { PortableBundle } from '../loader/load-run.ts'
import type { LogLevel } from '../log.ts'
import type { ConnectionInfo } from '../tunnel/open-connections.ts'
import type { ServiceInfo } from '../upstream/service-info.ts'

/** What a worker thread is born with. */
export interface WorkerSetup {
  readonly index: number
  /** Unique in the process. */
  readonly id: number
  /** Its row in tables of counts; undefined when all are taken. */
  readonly row: number | undefined
  /** Whose worker it is: tells the channels of several gateways in one process apart. */
  readonly gateway: string
  readonly secret: Uint8Array
  readonly memory: MemoryLine
  readonly pretty: boolean
}

/** How a worker asks the main thread for memory and gets it before the call returns. */
export interface MemoryLine {
  readonly port: MessagePort
  /** Goes up when an answer has been sent. */
  readonly answers: Int32Array
}

export type MemoryRequest =
  | { readonly acquire: string; readonly byteLength: number }
  | { readonly letGo: string; readonly byteLength: number }

/** A config for every worker to take: its code, and what must not differ between them or was changed by the command line. */
export interface Job {
  readonly generation: number
  /** How many workers it is for. */
  readonly workers: number
  readonly bundle: PortableBundle
  /** What the config was evaluated with, that of --env-file included. */
  readonly environment: Readonly<NodeJS.ProcessEnv>
  /** With their certificates. */
  readonly listeners: readonly ListenerModel[]
  readonly level: LogLevel
}

/** Of one worker. */
export interface WorkerStatus {
  /** That live. */
  readonly generations: readonly GenerationInfo[]
  /** As it sees them; none once it leaves. */
  readonly services: readonly ServiceInfo[]
  /** That stay open, by route and protocol. */
  readonly connections: readonly ConnectionCount[]
}

/** What the main thread asks of a worker, and what it answers with. One call at a time, but for `close` and those that only ask. */
export interface Calls {
  /** The first half of a reload; answers with the ports that it will have. Whoever `leads` opens listeners that no other worker has; a new worker opens no others. */
  prepare: { in: { readonly job: Job; readonly taken: Ports; readonly leads: boolean }; out: Ports }
  /** The second half. A new worker opens its listeners now. */
  commit: { in: { readonly taken: Ports }; out: readonly ListenerAddress[] }
  abort: { in: undefined; out: undefined }
  status: { in: undefined; out: WorkerStatus }
  shared: { in: undefined; out: readonly string[] }
  routes: { in: undefined; out: readonly RouteRow[] }
  explain: { in: ExplainRequest; out: Explanation }
  connections: { in: undefined; out: readonly ConnectionInfo[] }
  /** By its id; answers whether there was one. */
  closeConnection: { in: string; out: boolean }
  /** Answered once all is closed; the thread ends then. With patience others take over: see {@link Kernel.leave}. */
  close: { in: 'patient' | undefined; out: undefined }
}

export type CallName = keyof Calls

export interface Call<Name extends CallName = CallName> {
  readonly id: number
  readonly name: Name
  readonly argument: Calls[Name]['in']
}

/** Why a call failed, in data, since errors lose their class on the way. */
export type Failure =
  | { readonly kind: 'config'; readonly problems: readonly Problem[] }
  | { readonly kind: 'listen'; readonly message: string }
  | { readonly kind: 'fault'; readonly message: string }

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure }
