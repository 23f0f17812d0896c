import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { AbortUpstream } from '../conformance/fuzz/abort-upstream.ts'
import { authorityIn } from '../support/authority.ts'
import { type ForkedGateway, forkGateway } from '../support/fork-gateway.ts'
import type { Held } from '../support/gateway-process.ts'
import { type Activity, activities } from './activities.ts'
import { SoakClient } from './client.ts'
import { soakConfig } from './config.ts'
import { Random } from './random.ts'
import { startSoakUpstream } from './upstream.ts'

export interface SoakOptions {
  readonly ms: number
  readonly seed: number
  /** Clients at a time. */
  readonly clients: number
  readonly reloadMs: number
  /** Hears how far it is, now and then. */
  onProgress?(line: string): void
}

export interface SoakResult {
  /** How often each activity was done. */
  readonly done: Readonly<Record<string, number>>
  readonly reloads: number
  /** What the gateway held when nobody was there, and what it may hold. */
  readonly held: readonly { readonly what: string; before: unknown; after: unknown; readonly ok: boolean }[]
  /** What must not have happened. */
  readonly faults: readonly string[]
}

/** Megabytes that heap and buffers may differ by: compiled code and what it learnt, not something for each request. */
const allowedMegabytes = 6
/** Milliseconds that one activity may take, and that all may take to come to rest once the clients are gone. */
const patienceMs = 60_000

/**
 * Drives a gateway in a process of its own with clients and upstreams of every temper, and counts what is left once they
 * have gone. The heap is compared with that after a while of the same traffic, everything else with an unused gateway's.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-soak-'))
  const { cert, key } = await (await authorityIn(folder)).issue({ names: ['IP:127.0.0.1'] })
  await rm(folder, { recursive: true })
  const upstream = await startSoakUpstream()
  const aborts = new AbortUpstream()
  await aborts.listen()
  const config = (round: number) => soakConfig({ ...upstream, aborts: aborts.origin }, { cert, key }, round)
  const gateway = await forkGateway(config(0), ['--expose-gc', '--max-old-space-size=128'])
  try {
    const faults: string[] = []
    const done: Record<string, number> = {}
    const random = new Random(options.seed)
    const unused = await gateway.held()
    let reloads = 0

    const traffic = async (ms: number) => {
      const end = performance.now() + ms
      const [plain = 0, tls = 0, rudePlain = 0, rudeTls = 0] = gateway.ports
      const honest = new SoakClient({ plain, tls })
      const rude = new SoakClient({ plain: rudePlain, tls: rudeTls })
      const all = activities({ honest, rude, ports: gateway.ports, aborts })
      const reloader = async () => {
        for (; performance.now() < end; await wait(options.reloadMs)) {
          await gateway.reload(config(++reloads)).catch(error => faults.push(`reload ${reloads}: ${error}`))
        }
      }
      const clients = Array.from({ length: options.clients }, () => {
        const own = new Random(random.between(0, 2 ** 31))
        return client(all, own, end, done, faults)
      })
      await Promise.all([reloader(), ...clients])
      await honest.close()
      await rude.close()
    }

    await traffic(options.ms / 5)
    const before = await gateway.held()
    let after = before
    options.onProgress?.(`warm: heap ${megabytes(before.heap)}, external ${megabytes(before.external)}`)
    const rounds = Math.max(1, Math.round(options.ms / 60_000))
    for (let round = 1; round <= rounds; round++) {
      await traffic(options.ms / rounds)
      after = await atRest(gateway, unused)
      options.onProgress?.(
        `${round} of ${rounds}: heap ${megabytes(after.heap)}, external ${megabytes(after.external)}`,
      )
    }
    const { peakRss } = await gateway.memory()
    options.onProgress?.(`peak RSS ${megabytes(peakRss)}`)
    return {
      done,
      reloads,
      held: compare(unused, before, after),
      faults: [...faults, ...aborts.complaints, ...after.faults],
    }
  } finally {
    await gateway.kill()
    await aborts.close()
    await upstream.close()
  }
}

async function client(
  all: readonly Activity[],
  random: Random,
  end: number,
  done: Record<string, number>,
  faults: string[],
): Promise<void> {
  while (performance.now() < end) {
    const { name, run } = random.weighted(all)
    try {
      await inTime(run(random))
      done[name] = (done[name] ?? 0) + 1
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.stack : error}`)
    }
  }
}

/** Rejects when it takes longer than any activity may; what it waits for is then never to come. */
async function inTime(work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('hung')), patienceMs)
  await Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/** Everything but memory. */
const counted = [
  'exchanges',
  'generations',
  'clients',
  'upstream',
  'queued',
  'deadlines',
  'sockets',
  'resources',
] as const

/** What is held once it is what an unused gateway holds, or for want of that after a while. */
async function atRest(gateway: ForkedGateway, unused: Held): Promise<Held> {
  const end = performance.now() + patienceMs
  for (;;) {
    const now = await gateway.held()
    if (counted.every(what => same(now[what], unused[what])) || performance.now() > end) return now
    await wait(100)
  }
}

function compare(unused: Held, before: Held, after: Held): SoakResult['held'] {
  const counts = counted.map(what => ({
    what,
    before: show(unused[what]),
    after: show(after[what]),
    ok: same(unused[what], after[what]),
  }))
  const memory = (['heap', 'external'] as const).map(what => ({
    what,
    before: megabytes(before[what]),
    after: megabytes(after[what]),
    ok: after[what] - before[what] < allowedMegabytes * 1e6,
  }))
  return [...counts, ...memory]
}

function same(one: unknown, other: unknown): boolean {
  return show(one) === show(other)
}

function show(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
