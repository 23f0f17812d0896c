import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { treeOf } from './measure.ts'

/** The proxy under test has a core for itself; what drives it and what answers it share the next one. */
export const proxyCore = '0'
export const loadCore = availableParallelism() > 1 ? '1' : '0'

// Debian keeps daemons where an ordinary user's path does not lead.
const path = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
process.env.PATH = path.join(delimiter)

export function isInstalled(program: string): boolean {
  return existsSync(program) || path.some(at => existsSync(join(at, program)))
}

/** Everything that the bench writes while it runs; gone when it ends. */
export const folder = mkdtempSync(join(tmpdir(), 'gateway-bench-'))

export interface Running {
  readonly pid: number
  /** Resolves when it has ended, whyever. */
  readonly ended: Promise<void>
  /** The end of what it printed. */
  output(): string
  stop(): Promise<void>
}

export interface StartOptions {
  /** Cores as `taskset -c` takes them. */
  readonly cores: string
  /** File that takes standard output and error, so that nobody spends a core on reading them. */
  readonly output: string
  readonly env?: NodeJS.ProcessEnv
}

const children = new Set<ChildProcess>()

/** How long a process may take to end after SIGTERM, in milliseconds. */
const patienceMs = 3_000

/** Starts a program that runs until it is stopped. `taskset` replaces itself with it, so the pid is the program's. */
export function start(program: string, args: readonly string[], options: StartOptions): Running {
  const output = openSync(options.output, 'a')
  const child = spawn('taskset', ['-c', options.cores, program, ...args], {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...options.env },
    cwd: folder,
  })
  closeSync(output)
  const ended = track(child)
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} cannot be started`)
  return {
    pid,
    ended,
    output: () => readFileSync(options.output, 'utf8').trim().slice(-2_000),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const whole = treeOf(pid)
      child.kill('SIGTERM')
      const timer = setTimeout(() => killAll(whole), patienceMs)
      await ended
      clearTimeout(timer)
    },
  }
}

export interface Finished {
  readonly code: number | null
  readonly output: string
}

/** Runs a program to its end, with both of its outputs in one text. */
export async function run(program: string, args: readonly string[], cores?: string): Promise<Finished> {
  const command = cores === undefined ? [program, ...args] : ['taskset', '-c', cores, program, ...args]
  const child = spawn(command[0] ?? program, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder })
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stderr.on('data', chunk => (output += chunk))
  await track(child)
  return { code: child.exitCode, output }
}

function track(child: ChildProcess): Promise<void> {
  children.add(child)
  return new Promise(resolve => {
    const done = () => {
      children.delete(child)
      resolve()
    }
    child.on('close', done)
    // A program that is not there never closes.
    child.on('error', done)
  })
}

// The last resort, whatever ends the bench; on the ordinary way everything has been stopped by then.
process.on('exit', () => {
  for (const { pid } of children) if (pid !== undefined) killAll(treeOf(pid))
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}
