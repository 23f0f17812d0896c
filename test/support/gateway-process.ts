/**
 * A gateway in a process of its own, so that what it holds can be told from what the test holds. Config: the first
 * argument, JSON. Every message is a question and has one answer. `node --expose-gc` lets it count what is reachable only.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { createGateway, type Log, silentLog } from '@gateway/core'
import { deadlines } from '../../core/src/http1/deadlines.ts'
import type { LooseConfig } from './gateway.ts'
import { http2Pools, listeners, pools } from './watched.ts'

export type Question = 'memory' | 'held' | { readonly reload: LooseConfig }

export interface Memory extends NodeJS.MemoryUsage {
  /** The most that the process ever held. */
  readonly peakRss: number
}

/** What the process holds at a moment. All but the heap has to come back to what it was before the first client came. */
export interface Held {
  /** Bytes, after a garbage collection. */
  readonly heap: number
  readonly external: number
  readonly exchanges: number
  readonly generations: number
  readonly clients: number
  /** Connections to upstreams, idle ones and those being opened included, and requests that wait for one. */
  readonly upstream: number
  readonly queued: number
  readonly deadlines: number
  /** Open sockets as the operating system counts them. */
  readonly sockets: number
  /** What keeps the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>
  /** Errors that no peer can cause, since the start. */
  readonly faults: readonly string[]
}

const faults: string[] = []
const error: Log['error'] = (message, fields) => {
  const { code, err } = { ...fields } as { code?: unknown; err?: unknown }
  // What an upstream did wrong has a code of its own.
  if (code === undefined || code === 'GATEWAY_INTERNAL')
    faults.push(`${message} ${err instanceof Error ? err.stack : ''}`)
}
process.on('warning', ({ stack, message }) => faults.push(stack ?? message))

const gateway = await createGateway(JSON.parse(process.argv[2] ?? ''), { log: { ...silentLog, error } })
await gateway.listen()
process.send?.(gateway.addresses.map(({ port }) => port))

// Whoever asked is gone.
process.on('disconnect', () => process.exit())
process.on('message', async (question: Question) => {
  if (question === 'memory') process.send?.(memory())
  else if (question === 'held') process.send?.(await held())
  else process.send?.(await reload(question.reload))
})

function memory(): Memory {
  return { peakRss: process.resourceUsage().maxRSS * 1024, ...process.memoryUsage() }
}

async function reload(config: LooseConfig): Promise<string> {
  forgetEmpty(pools)
  forgetEmpty(http2Pools)
  return gateway.reload(config).then(() => '', String)
}

/** A pool that a reload has closed is held by nobody else. One that is in use still comes back with its next request. */
function forgetEmpty<P extends { readonly stats: object }>(set: Set<P>): void {
  for (const pool of set) if (Object.values(pool.stats).every(count => count === 0)) set.delete(pool)
}

async function held(): Promise<Held> {
  // What one collection lets go of may hold more that only the next one finds.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await turn()
  }
  const { heapUsed, external } = process.memoryUsage()
  const stats = [...pools, ...http2Pools].map(pool => pool.stats)
  return {
    heap: heapUsed,
    external,
    exchanges: sum(gateway.generations.map(({ inFlight }) => inFlight)),
    generations: gateway.generations.length,
    clients: sum([...listeners].map(({ connections }) => connections)),
    upstream: sum(stats.map(({ open, connecting }) => open + connecting)),
    queued: sum(stats.map(({ queued }) => queued)),
    deadlines: deadlines.size,
    sockets: readdirSync('/proc/self/fd').filter(isSocket).length,
    resources: countEach(process.getActiveResourcesInfo()),
    faults,
  }
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    // The one that read the folder.
    return false
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function countEach(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
