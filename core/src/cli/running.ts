import { askControl, findSockets } from '../control/ask-control.ts'
import { UsageError } from './command.ts'
import type { Status } from './control-table.ts'
import { PlainFailure } from './plain-failure.ts'

/** Longest that a gateway is waited for that may be hanging, in milliseconds. */
const patienceMs = 5_000

/**
 * Asks the running gateway of that number, or the only one of this user.
 *
 * @throws PlainFailure when there is none, UsageError when there are several to choose from
 */
export async function askGateway(pid: string | undefined, question: string, body?: unknown): Promise<unknown> {
  const path = await socketOf(pid)
  // A reload takes what it takes.
  const signal = question === 'POST /reload' ? undefined : AbortSignal.timeout(patienceMs)
  try {
    return await askControl(path, question, body, signal)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PlainFailure(signal?.aborted ? `the gateway does not answer within ${patienceMs / 1000} s` : reason)
  }
}

async function socketOf(pid: string | undefined): Promise<string> {
  if (pid !== undefined && !/^\d+$/.test(pid)) throw new UsageError(`"${pid}" is no process number`)
  const sockets = await findSockets()
  const [only, ...others] = pid === undefined ? sockets : sockets.filter(socket => socket.pid === Number(pid))
  if (only === undefined) {
    const which = pid === undefined ? 'no gateway of this user runs' : `no gateway of this user runs as process ${pid}`
    throw new PlainFailure(`${which} with a control socket`)
  }
  if (others.length === 0) return only.path
  const rows = await Promise.all(sockets.map(async socket => `  ${socket.pid}  ${await configOf(socket.path)}`))
  throw new UsageError(`several gateways run, say which by its number:\n${rows.join('\n')}`)
}

async function configOf(path: string): Promise<string> {
  try {
    const { configFile } = (await askControl(path, 'GET /status', undefined, AbortSignal.timeout(patienceMs))) as Status
    return configFile
  } catch {
    return '(does not answer)'
  }
}
