import type { Problem } from '../config/problem.ts'
import { checkRequest, type ExplainRequest } from '../control/explain.ts'
import { ControlError, type ControlTable } from '../control/serve-control.ts'
import type { ListenerAddress } from '../listen/listener.ts'
import type { Supervisor, WorkerInfo } from '../workers/supervisor.ts'
import type { Overrides } from './override-listener.ts'
import { placeOrigins } from './place-origins.ts'
import { version } from './version.ts'

export interface Controlled {
  readonly file: string
  readonly overrides: Overrides
  readonly served: Pick<
    Supervisor,
    | 'generation'
    | 'workers'
    | 'addresses'
    | 'shared'
    | 'routes'
    | 'explain'
    | 'describe'
    | 'connections'
    | 'closeConnection'
  >
  /** Warnings and lints of the config that serves, with their places. */
  warnings(): Promise<readonly Problem[]>
  /** Whether the files are still those that were loaded, so that a line found in them is the right one. */
  unchanged(): boolean
  /** Undefined: it is stopping. */
  reload(): Promise<ReloadOutcome | undefined>
}

/** How a reload went, and the answer to `POST /reload`. */
export interface ReloadOutcome {
  /** False: the config was not taken. */
  readonly ok: boolean
  /** The one that serves now. */
  readonly generation: number
  /** Why it was not taken, or what it is warned of. */
  readonly problems: readonly Problem[]
}

/** The answer to `GET /status`. */
export interface Status {
  readonly pid: number
  readonly version: string
  readonly configFile: string
  /** What its command line says in the place of the config. */
  readonly overrides: Overrides
  /** ISO 8601. */
  readonly started: string
  readonly addresses: readonly ListenerAddress[]
  /** The one that serves. */
  readonly generation: number
  /**
   * Of each the generation that serves and those that still end, with what holds them; its services with their targets as
   * it sees them; and its connections that stay open.
   */
  readonly workers: readonly WorkerInfo[]
  /** Names of the state that reloads keep. */
  readonly shared: readonly string[]
  readonly warnings: readonly Problem[]
}

/** The endpoints of the control socket. */
export function controlTable({ file, overrides, unchanged, served, warnings, reload }: Controlled): ControlTable {
  const started = new Date().toISOString()
  return {
    'GET /status': async (): Promise<Status> => {
      const { generation, addresses } = served
      return {
        pid: process.pid,
        version: version(),
        configFile: file,
        overrides,
        started,
        addresses,
        generation,
        workers: await served.workers(),
        shared: await served.shared(),
        warnings: await warnings(),
      }
    },
    'GET /model': () => served.describe(),
    'GET /routes': () => served.routes(),
    'POST /explain': async body => {
      const explanation = await served.explain(readRequest(body))
      if (unchanged()) return placeOrigins(explanation, file)
      const note = 'The files of the config have changed since it was loaded, so no lines are shown.'
      return { ...explanation, notes: [...explanation.notes, note] }
    },
    'GET /connections': () => served.connections(),
    'POST /connections/close': async body => {
      const { id } = Object(body) as Record<string, unknown>
      if (typeof id !== 'string') throw new ControlError(400, 'give it { id }')
      if (!(await served.closeConnection(id))) throw new ControlError(404, `there is no connection ${id}`)
    },
    'POST /reload': async () => {
      const outcome = await reload()
      if (outcome === undefined) throw new ControlError(503, 'the gateway is stopping')
      return outcome.ok ? { ...outcome, problems: await warnings() } : outcome
    },
  }
}

function readRequest(body: unknown): ExplainRequest {
  const { method, url, headers = [] } = Object(body) as Record<string, unknown>
  if (typeof method === 'string' && typeof url === 'string' && Array.isArray(headers) && headers.every(isPair)) {
    const request = { method, url, headers }
    try {
      checkRequest(request)
    } catch (error) {
      throw new ControlError(400, error instanceof Error ? error.message : String(error))
    }
    return request
  }
  throw new ControlError(400, 'give it { method, url, headers: [[name, value], …] }')
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every(item => typeof item === 'string')
}
