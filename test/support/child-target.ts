import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./target-program.ts', import.meta.url))

/** A server in a process of its own, to be killed, stopped and started again at the same port. */
export class ChildTarget {
  readonly name: string
  port = 0
  #child: ChildProcess | undefined

  constructor(name: string) {
    this.name = name
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    const child = fork(program, [this.name, String(this.port)], { execArgv: [] })
    this.#child = child
    const [port] = await once(child, 'message')
    this.port = Number(port)
  }

  /** It takes connections, and does nothing with them. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** At once, in the middle of whatever it does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}
