import type { Target } from '@gateway/core'
import { hash32, mix32 } from './hash.ts'
import type { HashTable } from './hash-table.ts'

export interface RingOptions {
  /** Points on the ring of a target with weight 1. The share of a target is off by about 1/√replicas. */
  readonly replicas: number
  /** How far beyond its share of the requests in flight a target may be, 1.25 for a quarter; undefined: any. */
  readonly bound: number | undefined
}

/** Of all targets together: beyond it, each gets half as many points until they fit. */
const mostPoints = 2 ** 17
const golden = 0x9e3779b9

/**
 * Consistent hashing (Karger et al., 1997): targets have points on a ring, and a hash goes to the next point. Where a
 * target leaves, its keys alone move. With `bound`, a target that has its share already is passed over (Mirrokni, Thorup
 * and Zadimoghaddam, 2016).
 */
export function createRing(targets: readonly Target[], { replicas, bound }: RingOptions): HashTable {
  const weights = targets.map(({ weight }) => weight)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let each = replicas
  while (each * total > mostPoints) each /= 2
  const { points, owners } = placePoints(targets, each)
  const { length } = points
  // Points lie evenly, so that of as many stretches of the ring each has about one.
  const shift = 31 - Math.floor(Math.log2(Math.max(length, 1)))
  const firsts = firstOfEach(points, shift)

  function place(hash: number): number {
    let at = firsts[hash >>> shift] ?? 0
    while ((points[at] ?? Infinity) < hash) at++
    return at === length ? 0 : at
  }

  if (bound === undefined) return hash => targets[owners[place(hash)] ?? 0]
  const count = runningCount(targets)
  return hash => {
    const share = (bound * (count() + 1)) / total
    const start = place(hash)
    for (let step = 0; step < length; step++) {
      const owner = owners[(start + step) % length] ?? 0
      const target = targets[owner]
      // All shares together are more than there is in flight, so one of them has room; but for requests that came
      // another way since they were counted.
      if (target !== undefined && target.inFlight < Math.ceil(share * (weights[owner] ?? 0))) return target
    }
    return targets[owners[start] ?? 0]
  }
}

/**
 * Requests in flight at all targets. To count them at each pick would cost more than the pick, so they are counted anew at
 * one pick of several, and in between each pick adds one: too many by an eighth of a request a target at most.
 */
function runningCount(targets: readonly Target[]): () => number {
  const picks = Math.ceil(targets.length / 8)
  let left = 0
  let inFlight = 0
  return () => {
    if (left > 0) {
      left--
      return ++inFlight
    }
    left = picks - 1
    inFlight = 0
    for (const target of targets) inFlight += target.inFlight
    return inFlight
  }
}

/** Where each stretch of 2^shift places of the ring begins among the points. */
function firstOfEach(points: Uint32Array, shift: number): Uint32Array {
  const firsts = new Uint32Array(2 ** (32 - shift))
  let at = 0
  for (const stretch of firsts.keys()) {
    while (at < points.length && (points[at] ?? 0) >>> shift < stretch) at++
    firsts[stretch] = at
  }
  return firsts
}

/** Points in order, and whose they are. A target's first points are the same whatever its number of points. */
function placePoints(targets: readonly Target[], each: number) {
  const counts = targets.map(({ weight }) => Math.max(1, Math.round(each * weight)))
  const length = counts.reduce((sum, count) => sum + count, 0)
  // One number for both, so that the engine's sort of numbers does: 32 bits of point, 21 of owner, exact in a double.
  const pairs = new Float64Array(length)
  let next = 0
  for (const [owner, { url }] of targets.entries()) {
    const seed = hash32(url)
    const count = counts[owner] ?? 0
    for (let i = 0; i < count; i++) pairs[next++] = mix32(seed + Math.imul(i, golden)) * 2 ** 21 + owner
  }
  pairs.sort()
  return {
    points: Uint32Array.from(pairs, pair => Math.floor(pair / 2 ** 21)),
    owners: Uint32Array.from(pairs, pair => pair % 2 ** 21),
  }
}
