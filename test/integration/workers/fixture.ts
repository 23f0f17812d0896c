import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ResourceLimits } from 'node:worker_threads'
import * as core from '@gateway/core'
import { loadConfigFile } from '../../../core/src/loader/load.ts'
import { Supervisor } from '../../../core/src/workers/supervisor.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { type RecordingLog, recordingLog } from '../../support/log.ts'
import type { Message } from '../../support/message.ts'
import { connect, requestText, type Wire } from '../../support/wire.ts'

export interface Parts {
  /** Default: port 0 of 127.0.0.1. */
  readonly listen?: string
  /** Statements of the plugin's set-up. */
  readonly setup?: string
  /** Default 2. */
  readonly workers?: number
  /** In every answer. */
  readonly version?: string
}

const configOf = ({ listen = "{ port: 0, host: '127.0.0.1' }", setup = '', workers = 2, version = '1' }: Parts) => `
import { defineConfig, definePlugin } from '@gateway/core'

const probe = definePlugin({
  name: 'probe',
  setup(host) {
    const count = new Int32Array(host.memory('count', 4))
    const heard: string[] = []
    const counts = host.counts('places')
    const channel = host.channel<string>('words', (word, from) => void heard.push(from + ':' + word))
    ${setup}
    return {
      onRoute: ({ name }) => ({
        onRequest() {
          if (name === 'exit') process.exit(3)
          if (name === 'eat') for (const all = []; ; ) all.push(new Array(100_000).fill(all.length))
          if (name === 'say') channel.post('hello')
          if (name === 'count') return { status: 200, body: String(Atomics.add(count, 0, 1) + 1) }
          if (name === 'enter') return { status: typeof counts.enter([['all', 0], ['three', 3]]) === 'number' ? 503 : 200 }
          if (name === 'heard') return { status: 200, body: heard.join() }
          const { index, count: workers } = host.worker
          return { status: 200, body: JSON.stringify({ index, workers, version: '${version}' }) }
        },
      }),
    }
  },
})
const reply = { status: 200 }
export default defineConfig({
  listen: ${listen},
  workers: ${workers},
  drainTimeout: '2s',
  plugins: [probe()],
  routes: {
    who: { match: 'GET /who', reply },
    exit: { match: 'GET /exit', reply },
    eat: { match: 'GET /eat', reply },
    say: { match: 'GET /say', reply },
    count: { match: 'GET /count', reply },
    heard: { match: 'GET /heard', reply },
    enter: { match: 'GET /enter', reply },
  },
})
`

export interface Supervised {
  readonly supervisor: Supervisor
  readonly log: RecordingLog
  readonly port: number
  /** With another `gateway.config.ts`. */
  rewrite(text: string): Promise<void>
}

export interface Workers extends Supervised {
  reload(parts: Parts): Promise<void>
}

/** A supervised gateway of probes in this process; closed after the test. */
export async function startWorkers(parts: Parts, resourceLimits?: ResourceLimits): Promise<Workers> {
  const supervised = await supervise(configOf(parts), resourceLimits)
  return { ...supervised, reload: next => supervised.rewrite(configOf(next)) }
}

/** A supervised gateway in this process, with that for its config; closed after the test. `parent`: of the config's folder. */
export async function supervise(text: string, resourceLimits?: ResourceLimits, parent = tmpdir()): Promise<Supervised> {
  const folder = realpathSync(mkdtempSync(join(parent, '.gateway-workers-')))
  const file = join(folder, 'gateway.config.ts')
  const log = recordingLog()
  const supervisor = new Supervisor({
    log: { ...log, level: 'silent' },
    pretty: false,
    workers: undefined,
    logLevel: 'silent',
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  })
  onCleanup('gateways', async () => {
    await supervisor.close()
    rmSync(folder, { recursive: true })
  })
  const rewrite = async (next: string) => {
    writeFileSync(file, next)
    const load = await loadConfigFile(file, { kernel: { '@gateway/core': core } })
    if (!load.ok) throw new Error(JSON.stringify(load.problems))
    await supervisor.take(load.config, load.bundle)
  }
  await rewrite(text)
  return { supervisor, log, port: supervisor.addresses[0]?.port ?? 0, rewrite }
}

export interface Who {
  readonly index: number
  readonly workers: number
  readonly version: string
}

export async function get(wire: Wire, path: string): Promise<Message> {
  wire.send(requestText(`GET ${path}`))
  return wire.response()
}

export async function who(wire: Wire): Promise<Who> {
  return JSON.parse((await get(wire, '/who')).body)
}

/**
 * A new connection and the answer to its first request, tried once more when it is reset: that is what Linux does to a
 * handshake under way to the socket of a worker that leaves (decision 20), also where the client takes it for done, and
 * what clients are made for.
 */
async function dial(port: number, path: string): Promise<{ readonly wire: Wire; readonly message: Message }> {
  const once = async () => {
    const wire = await connect(port)
    return { wire, message: await get(wire, path) }
  }
  try {
    return await once()
  } catch (error) {
    if (!String(error).includes('ECONNRESET')) throw error
    return once()
  }
}

/** A connection to each of so many workers, by index. The kernel deals connections out by a hash of their addresses. */
export async function connectToAll(port: number, workers: number): Promise<Wire[]> {
  const wires: Wire[] = []
  for (let tries = 0; tries < 200; tries++) {
    const { wire, message } = await dial(port, '/who')
    const { index }: Who = JSON.parse(message.body)
    // One that leaves may have taken it just before.
    if (index < workers && wires[index] === undefined) wires[index] = wire
    else wire.socket.destroy()
    if (Object.keys(wires).length === workers) return wires
  }
  throw new Error(`not all of ${workers} workers took a connection: ${Object.keys(wires)}`)
}

/** A client that always has a request under way on a connection kept alive. What goes wrong is thrown by `stop`. */
export function busyClient(port: number): { stop(): Promise<readonly string[]> } {
  let stopped = false
  const versions: string[] = []
  const running = (async () => {
    let wire: Wire | undefined
    while (!stopped) {
      const asked = wire === undefined ? await dial(port, '/who') : { wire, message: await get(wire, '/who') }
      const { status, body, lines } = asked.message
      if (status !== 200) throw new Error(`${status} ${body}`)
      versions.push(JSON.parse(body).version)
      wire = lines.includes('Connection: close') ? undefined : asked.wire
    }
  })()
  running.catch(() => {})
  return {
    async stop() {
      stopped = true
      await running
      return versions
    },
  }
}
