/**
 * What balancers cost, and how fair they are: `node test/bench/balancing.ts`. Costs are the lowest of many
 * rounds, each so short that some are not disturbed; with equal weights, and with weights of 1 to 5. Keys of a hash are
 * addresses.
 */
import type { Balancer, Context, Target } from '@gateway/core'
import { roundRobin } from '../../core/src/upstream/round-robin.ts'
import { peakEwma } from '../../plugins/balancing/src/ewma.ts'
import { hashing } from '../../plugins/balancing/src/hash-table.ts'
import { leastRequests } from '../../plugins/balancing/src/least-requests.ts'
import { createMaglev } from '../../plugins/balancing/src/maglev.ts'
import { weightedRandom } from '../../plugins/balancing/src/random.ts'
import { createRing } from '../../plugins/balancing/src/ring.ts'

const sizes = [10, 100, 1_000, 10_000]
const rounds = 60
const picksPerRound = 10_000
const addresses = Array.from({ length: 65_536 }, (_, i) => `10.7.${i >> 8}.${i & 255}`)

/** Counts its requests in a collection, as a pool does. */
class FakeTarget implements Target {
  readonly priority = 0
  readonly zone = undefined
  readonly metadata = {}
  readonly available = true
  readonly url: string
  readonly weight: number
  readonly #requests: ReadonlySet<number>
  constructor(i: number, weight: number, inFlight: number) {
    this.url = `http://10.0.${i >> 8}.${i & 255}:8080`
    this.weight = weight
    this.#requests = new Set(Array(inFlight).keys())
  }
  get inFlight(): number {
    return this.#requests.size
  }
}

const targetsOf = (size: number, weightOf: (i: number) => number, inFlightOf: (i: number) => number) =>
  Array.from({ length: size }, (_, i) => new FakeTarget(i, weightOf(i), inFlightOf(i)))
const equal = () => 1
const unequal = (i: number) => 1 + (i % 5)

let next = 0
const keyOf = () => addresses[next++ & 65_535]
const balancers: Record<string, () => Balancer> = {
  roundRobin,
  random: () => weightedRandom(Math.random),
  leastRequests: () => leastRequests(2, Math.random),
  ewma: () => peakEwma({ decay: 10_000, failure: 5_000 }, new Map(), Math.random, () => performance.now()),
  ringHash: () => hashing(targets => createRing(targets, { replicas: 150, bound: undefined }), keyOf, Math.random),
  'ringHash, bound': () => hashing(targets => createRing(targets, { replicas: 150, bound: 1.25 }), keyOf, Math.random),
  maglev: () => hashing(targets => createMaglev(targets, 65_537), keyOf, Math.random),
}

// None of them asks for more than a key here.
const ctx = {} as Context

/** Nanoseconds of a pick, and milliseconds that a list takes to be learned. */
function costOf(balancer: Balancer, targets: readonly FakeTarget[]) {
  const since = performance.now()
  balancer.pick(targets, ctx)
  const listMs = performance.now() - since
  for (const target of targets) balancer.observe?.(target, { status: 200, headersMs: 12 })
  const count = Math.min(picksPerRound, 2_000_000 / targets.length)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    for (let i = 0; i < count; i++) balancer.pick(targets, ctx)
    best = Math.min(best, ((performance.now() - began) * 1e6) / count)
  }
  return { ns: Math.round(best), listMs }
}

/** Of 100 targets without a request, how far from its due share by weight the one is that got least, and most. */
function fairness(balancer: Balancer, weightOf: (i: number) => number): string {
  const targets = targetsOf(100, weightOf, () => 0)
  const counts = new Map<Target | undefined, number>()
  const picks = 100_000
  for (let i = 0; i < picks; i++) {
    const target = balancer.pick(targets, ctx)
    counts.set(target, (counts.get(target) ?? 0) + 1)
  }
  const total = targets.reduce((sum, { weight }) => sum + weight, 0)
  const parts = targets.map(target => ((counts.get(target) ?? 0) / picks / target.weight) * total)
  return `${Math.min(...parts).toFixed(2)} to ${Math.max(...parts).toFixed(2)}`
}

function print(title: string, columns: readonly string[], rowOf: (make: () => Balancer) => readonly string[]): void {
  const width = Math.max(...columns.map(({ length }) => length), 12) + 2
  console.log(`${title.padEnd(62)}${columns.map(column => column.padStart(width)).join('')}`)
  for (const [name, make] of Object.entries(balancers))
    console.log(
      `  ${name.padEnd(60)}${rowOf(make)
        .map(cell => cell.padStart(width))
        .join('')}`,
    )
  console.log()
}

const targetCounts = sizes.map(size => `${size} targets`)
print('ns a pick, equal weights / unequal ones (wanted: 200 for 100)', targetCounts, make =>
  sizes.map(size => {
    const [one, other] = [equal, unequal].map(
      weightOf =>
        costOf(
          make(),
          targetsOf(size, weightOf, i => 1 + (i % 7)),
        ).ns,
    )
    return `${one} / ${other}`
  }),
)
print('ms to learn a list', targetCounts, make =>
  sizes.map(size =>
    costOf(
      make(),
      targetsOf(size, unequal, () => 1),
    ).listMs.toFixed(1),
  ),
)
print('share of a target ÷ its due, of 100 targets', ['equal weights', 'unequal ones'], make =>
  [equal, unequal].map(weightOf => fairness(make(), weightOf)),
)
