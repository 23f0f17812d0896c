import { fork } from 'node:child_process'
import { once } from 'node:events'
import { onCleanup } from '../../support/cleanup.ts'
import type { ClientReport } from './clients.ts'

export interface Clients {
  /** Once each has been answered. */
  readonly warm: Promise<unknown>
  stop(): Promise<ClientReport>
}

/** Busy keep-alive clients in a process of their own; ended after the test. */
export function startClients(port: number, clients: number): Clients {
  const child = fork(new URL('./clients.ts', import.meta.url), [`${port}`, `${clients}`], { execArgv: [] })
  const exited = once(child, 'exit')
  onCleanup('clients', async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    warm: once(child, 'message'),
    async stop() {
      const reported = new Promise<ClientReport>(resolve => {
        child.on('message', message => typeof message === 'object' && resolve(message as ClientReport))
      })
      child.send('stop')
      return reported
    },
  }
}
