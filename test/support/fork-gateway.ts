import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { LooseConfig } from './gateway.ts'
import type { Held, Memory, Question } from './gateway-process.ts'

export interface ForkedGateway {
  readonly pid: number
  /** Of its listeners, in their order. */
  readonly ports: readonly number[]
  memory(): Promise<Memory>
  held(): Promise<Held>
  /** Rejects when the config is refused. */
  reload(config: LooseConfig): Promise<void>
  /** Ends the process at once. */
  kill(): Promise<void>
}

/** Starts a gateway in another process. Every question to it rejects once it has ended. */
export async function forkGateway(config: LooseConfig, execArgv: readonly string[] = []): Promise<ForkedGateway> {
  const file = new URL('./gateway-process.ts', import.meta.url)
  const child = fork(file, [JSON.stringify(config)], { execArgv: [...execArgv] })
  const exited = once(child, 'exit')
  const failed = exited.then(([code, signal]) => Promise.reject(new Error(`the gateway ended: ${code ?? signal}`)))
  failed.catch(() => {})
  const answer = async <T>() => ((await Promise.race([once(child, 'message'), failed])) as [T])[0]
  // One question at a time: the next answer is to the last one.
  let turn: Promise<unknown> = Promise.resolve()
  const ask = <T>(question: Question): Promise<T> => {
    const answered = turn.then(() => {
      child.send(question)
      return answer<T>()
    })
    turn = answered.catch(() => {})
    return answered
  }
  const ports = await answer<number[]>()
  return {
    pid: child.pid ?? 0,
    ports,
    memory: () => ask('memory'),
    held: () => ask('held'),
    async reload(next) {
      const refused = await ask<string>({ reload: next })
      if (refused !== '') throw new Error(refused)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
