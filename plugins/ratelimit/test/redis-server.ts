import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { freePort } from '../../../test/support/free-port.ts'

const installed = spawnSync('redis-server', ['--version']).status === 0

/** Where Redis is missing its tests are left out, but not in CI, which has to install it. */
export const redisMissing = !installed && process.env.CI === undefined
if (redisMissing) console.warn('Left out: apt-get install -y --no-install-recommends redis-server')

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly folder: string
  /** Kills it, or stops it as it is until `SIGCONT`. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** On the same port, without what it knew. */
  restart(): Promise<void>
}

/** A Redis that keeps nothing on disk, ended after the test. */
export async function startRedis(more: (port: string) => readonly string[] = () => []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-redis-'))
  const port = await freePort()
  let server = await launch(port, folder, more(String(port)))
  async function signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') {
    const exited = name === 'SIGKILL' ? once(server, 'exit') : undefined
    server.kill(name)
    await exited
  }
  onCleanup('upstreams', async () => {
    if (server.exitCode === null && server.signalCode === null) await signal('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    folder,
    signal,
    async restart() {
      server = await launch(port, folder, more(String(port)))
    },
  }
}

async function launch(port: number, folder: string, more: readonly string[]): Promise<ChildProcess> {
  const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', [...given, ...more], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  for await (const chunk of server.stdout) {
    said += chunk
    if (said.includes('eady to accept connections')) break
  }
  if (server.exitCode !== null) throw new Error(`redis-server ended: ${said}`)
  return server
}
