/**
 * What a pick costs: `node test/bench/balancing.ts`. Lowest of several rounds, for 10, 100, 1,000 and 10,000 targets, with
 * equal weights and with different ones; `list` is the time that a changed list takes to be learned.
 */
import type { Balancer, Context, Target } from '@gateway/core'
import { roundRobin } from '../../core/src/upstream/round-robin.ts'
import { peakEwma } from '../../plugins/balancing/src/ewma.ts'
import { hashing } from '../../plugins/balancing/src/hash-table.ts'
import { leastRequests } from '../../plugins/balancing/src/least-requests.ts'
import { createMaglev } from '../../plugins/balancing/src/maglev.ts'
import { weightedRandom } from '../../plugins/balancing/src/random.ts'
import { createRing } from '../../plugins/balancing/src/ring.ts'

const rounds = 7
const picksPerRound = 100_000
const addresses = Array.from({ length: 4_096 }, (_, i) => `203.0.${i >> 8}.${i & 255}`)

class FakeTarget implements Target {
  readonly priority = 0
  readonly zone = undefined
  readonly metadata = {}
  readonly available = true
  readonly url: string
  readonly weight: number
  readonly inFlight: number
  constructor(i: number, weight: number) {
    this.url = `http://10.0.${i >> 8}.${i & 255}:8080`
    this.weight = weight
    this.inFlight = 1 + (i % 7)
  }
}

let next = 0
const keyOf = () => addresses[next++ & 4_095]
const balancers: Record<string, () => Balancer> = {
  roundRobin,
  random: () => weightedRandom(Math.random),
  leastRequests: () => leastRequests(2, Math.random),
  ewma: () => peakEwma({ decay: 10_000, failure: 5_000 }, new Map(), Math.random, () => performance.now()),
  ringHash: () => hashing(targets => createRing(targets, { replicas: 150, bound: undefined }), keyOf, Math.random),
  'ringHash, bound': () => hashing(targets => createRing(targets, { replicas: 150, bound: 1.25 }), keyOf, Math.random),
  maglev: () => hashing(targets => createMaglev(targets, 65_537), keyOf, Math.random),
}

function measure(balancer: Balancer, targets: readonly FakeTarget[]) {
  const ctx = {} as Context
  const outcome = { status: 200, headersMs: 12 }
  const since = performance.now()
  balancer.pick(targets, ctx)
  const listMs = performance.now() - since
  for (const target of targets) balancer.observe?.(target, outcome)
  const count = Math.min(picksPerRound, 20_000_000 / targets.length)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    for (let i = 0; i < count; i++) balancer.pick(targets, ctx)
    best = Math.min(best, ((performance.now() - began) * 1e6) / count)
  }
  return { ns: Math.round(best), list: `${listMs.toFixed(1)} ms` }
}

const rows: Record<string, Record<string, string>> = {}
for (const [name, make] of Object.entries(balancers)) {
  const row: Record<string, string> = {}
  for (const size of [10, 100, 1_000, 10_000]) {
    const even = measure(
      make(),
      Array.from({ length: size }, (_, i) => new FakeTarget(i, 1)),
    )
    const uneven = measure(
      make(),
      Array.from({ length: size }, (_, i) => new FakeTarget(i, 1 + (i % 5))),
    )
    row[`${size}: ns even/uneven`] = `${even.ns}/${uneven.ns}`
    row[`${size}: list`] = uneven.list
  }
  rows[name] = row
}
console.table(rows)
