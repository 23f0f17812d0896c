import type { Log } from '../contract/host.ts'

/**
 * The gateway survives its plugins. Hooks are guarded where they are called; what a plugin or config throws elsewhere, in
 * a timer or a promise that nobody awaits, would by Node's default end the process, or the worker, and every request in
 * it. It concerns nobody's request, so it is logged as an error and the gateway goes on.
 */
export function surviveFaults(log: Log): void {
  const report = (message: string) => (reason: unknown) => {
    try {
      log.error(message, { err: reason })
    } catch {
      // The log's own output is broken. To throw here would end the process.
    }
  }
  process.on('uncaughtException', report('an exception reached nobody'))
  process.on('unhandledRejection', report('a promise was rejected and nobody looked'))
}
