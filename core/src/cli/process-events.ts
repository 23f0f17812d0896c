import { constants } from 'node:os'
import { isatty } from 'node:tty'

/** SIGTERM or SIGINT came once. The second one ends the process at once, with the exit code a shell gives for it. */
export function firstStopSignal(): Promise<NodeJS.Signals> {
  const first = Promise.withResolvers<NodeJS.Signals>()
  let seen = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (seen) process.exit(128 + constants.signals[signal])
      seen = true
      first.resolve(signal)
    })
  }
  return first.promise
}

/**
 * SIGHUP asks for a reload, as it does of nginx and HAProxy. It also comes when the terminal was closed: then nobody is
 * left to look at a gateway in the foreground, and it stops instead of holding its port for ever.
 */
export function onHangUp(reload: () => void): void {
  const inTerminal = process.stdout.isTTY
  process.on('SIGHUP', () => {
    if (inTerminal && !isatty(1)) process.kill(process.pid, 'SIGTERM')
    else reload()
  })
}
