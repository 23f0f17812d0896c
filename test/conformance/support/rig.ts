import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { createGateway, type Gateway, type Log } from '@gateway/core'
import { deadlines } from '../../../core/src/http1/deadlines.ts'
import { listeners, pools } from '../../support/watched.ts'
import { RecordingBackend } from './backend.ts'

export interface LogLine {
  readonly level: keyof Log
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** One gateway with everything behind it, for a whole file of cases. Runs under vitest and without. */
export interface Rig {
  readonly gateway: Gateway
  readonly port: number
  readonly backend: RecordingBackend
  /** Since the last {@link forget}. */
  readonly log: readonly LogLine[]
  /** Makes ready for the next case. */
  forget(): void
  /** Resolves when no exchange, no client and no busy upstream connection is left; rejects when that does not come about. */
  quiet(): Promise<void>
  /** Closes it and checks that nothing at all is left. */
  close(): Promise<void>
}

export async function startRig(config: Readonly<Record<string, unknown>> = {}): Promise<Rig> {
  const backend = new RecordingBackend()
  await backend.listen()
  let lines: LogLine[] = []
  const write =
    (level: keyof Log) =>
    (message: string, fields: object = {}) =>
      void lines.push({ level, message, fields: { ...fields } })
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const gateway = await createGateway(
    {
      log: { access: false },
      // The corpus is HTTP/1.1's; by prior knowledge the preface would be HTTP/2's.
      listen: { port: 0, host: '127.0.0.1', http2: false },
      services: { backend: { targets: [backend.origin] } },
      routes: { all: { match: 'ANY /*', service: 'backend' } },
      ...config,
    },
    { log },
  )
  const [address] = await gateway.listen()
  assert(address !== undefined)
  return {
    gateway,
    backend,
    port: address.port,
    get log() {
      return lines
    },
    forget() {
      lines = []
      backend.forget()
    },
    quiet: () => untilQuiet(gateway, backend),
    async close() {
      await untilQuiet(gateway, backend)
      await gateway.close()
      assert.deepEqual(
        [...pools].map(({ stats }) => stats),
        [...pools].map(() => ({ open: 0, idle: 0, busy: 0, connecting: 0, queued: 0 })),
      )
      assert.equal(deadlines.size, 0)
      pools.clear()
      listeners.clear()
      await backend.close()
    },
  }
}

const patienceMs = 10_000

function held(gateway: Gateway): Record<string, number> {
  const sum = (numbers: Iterable<number>) => Array.from(numbers).reduce((total, number) => total + number, 0)
  const stats = [...pools].map(pool => pool.stats)
  return {
    exchanges: sum(gateway.generations.map(({ inFlight }) => inFlight)),
    clients: sum([...listeners].map(({ connections }) => connections)),
    busy: sum(stats.map(({ busy }) => busy)),
    connecting: sum(stats.map(({ connecting }) => connecting)),
    queued: sum(stats.map(({ queued }) => queued)),
    // One deadline for each idle upstream connection, none for anything else.
    deadlines: deadlines.size - sum(stats.map(({ idle }) => idle)),
  }
}

async function untilQuiet(gateway: Gateway, backend: RecordingBackend): Promise<void> {
  const started = performance.now()
  for (;;) {
    const now = held(gateway)
    if (!backend.busy && Object.values(now).every(count => count === 0)) break
    if (performance.now() - started > patienceMs)
      throw new Error(`leaked: ${JSON.stringify({ ...now, backend: backend.busy })}`)
    await turn()
  }
  // What the gateway has written is in the backend's socket; two turns later it has been read.
  await turn()
  await turn()
}
