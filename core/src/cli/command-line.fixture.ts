import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const bin = join(import.meta.dirname, '../../bin/gateway.js')

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Finished>
  /** Resolves with the match once what was printed so far fits; rejects when the process ends before. */
  printed(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<RegExpExecArray>
  /** Where the gateway listens. */
  url(): Promise<string>
}

/** The command line as a process of its own. */
export function launch(folder: string, ...args: string[]): Running {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Control sockets go into the test's own folder: only gateways of this test are found.
    env: {
      ...process.env,
      XDG_RUNTIME_DIR: folder,
      TMPDIR: folder,
      NO_COLOR: undefined,
      FORCE_COLOR: undefined,
      NODE_OPTIONS: undefined,
    },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      for (const look of waiting) look()
    })
  }
  const ended = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...output }))
  })
  const printed = (pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout') =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(output[stream])
        if (match === null) return
        waiting.delete(look)
        resolve(match)
      }
      waiting.add(look)
      look()
      ended.then(({ stdout, stderr }) => reject(new Error(`ended without ${pattern}:\n${stdout}\n${stderr}`)), reject)
    })
  const url = async () => {
    const [, found = ''] = await printed(/"url":"([^"]+)".*"msg":"listening"/)
    return found
  }
  return { child, ended, printed, url }
}

/** Runs it to its end. */
export function run(folder: string, ...args: string[]): Promise<Finished> {
  return launch(folder, ...args).ended
}
