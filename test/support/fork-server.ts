import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A server in a process of its own, to be killed, stopped and slowed down. It answers everything with its letter. */
export interface ServerProcess {
  readonly origin: string
  /** Of all answers from now on, in milliseconds. */
  slow(ms: number): void
  /** Alive, and deaf: connections come about, and nothing is read. */
  pause(): void
  resume(): void
  kill(): Promise<void>
  /** After {@link kill}, on the same port. */
  restart(): Promise<void>
}

export async function forkServer(letter: string): Promise<ServerProcess> {
  let child: ChildProcess
  let port = 0
  async function start(): Promise<void> {
    child = fork(new URL('./letter-server.ts', import.meta.url), [letter, `${port}`], { execArgv: [] })
    const [answer] = await once(child, 'message')
    port = Number(answer)
  }
  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    // Ends also one that is stopped.
    child.kill('SIGKILL')
    await exited
  }
  await start()
  return {
    origin: `http://127.0.0.1:${port}`,
    slow: ms => void child.send(ms),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
    restart: start,
  }
}
