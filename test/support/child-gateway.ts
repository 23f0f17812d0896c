import { fork } from 'node:child_process'
import { once } from 'node:events'
import { onCleanup } from './cleanup.ts'
import type { LooseConfig } from './gateway.ts'

export interface ChildMemory extends NodeJS.MemoryUsage {
  /** The most that the process ever held. */
  readonly peakRss: number
}

export interface ChildGateway {
  readonly port: number
  memory(): Promise<ChildMemory>
}

/** Starts a gateway in another process; ended after the test. */
export async function startChildGateway(config: LooseConfig): Promise<ChildGateway> {
  const file = new URL('./gateway-process.ts', import.meta.url)
  const settings = { ...config, listen: { port: 0, host: '127.0.0.1' } }
  const child = fork(file, [JSON.stringify(settings)], { execArgv: [] })
  const exited = once(child, 'exit')
  onCleanup('gateways', async () => {
    child.kill('SIGKILL')
    await exited
  })
  const failed = exited.then(() => Promise.reject(new Error('the gateway process ended')))
  failed.catch(() => {})
  const answer = () => Promise.race([once(child, 'message'), failed])
  const [{ port }] = (await answer()) as [{ port: number }]
  return {
    port,
    async memory() {
      const answered = answer()
      child.send('memory')
      const [memory] = (await answered) as [ChildMemory]
      return memory
    },
  }
}
