import { type Rate, ticksPerMs } from './algorithms.ts'
import type { HashKey } from './key-table.ts'
import type { RateCheck } from './rate-table.ts'

export function rateOf(given: {
  limit: number
  windowMs: number
  burst?: number
  algorithm?: Rate['algorithm']
}): Rate {
  const { limit, windowMs, burst = limit, algorithm = 'tokenBucket' } = given
  const window = windowMs * ticksPerMs
  return { algorithm, limit, window, burst, interval: Math.ceil(window / limit) }
}

export function checkOf(rate: Rate, hashKey: HashKey, key: string, cost = 1): RateCheck {
  const reading = { admitted: false, remaining: -1, retryTicks: 0, resetTicks: 0 }
  return { limit: { rate, hashKey }, key, cost, slot: -1, before: 0n, after: 0n, ...reading }
}

/** A request that was admitted. */
export interface Admitted {
  readonly atMs: number
  readonly cost: number
}

/** By how much the most crowded stretch of time exceeds what a token bucket may admit in it; at most 0 when it is right. */
export function excessOfBucket(admitted: readonly Admitted[], { limit, window, burst }: Rate): number {
  const perMs = (limit * ticksPerMs) / window
  let worst = Number.NEGATIVE_INFINITY
  for (let first = 0; first < admitted.length; first++) {
    let units = 0
    const from = admitted[first]?.atMs ?? 0
    for (const { atMs, cost } of admitted.slice(first)) {
      units += cost
      worst = Math.max(worst, units - burst - (atMs - from) * perMs)
    }
  }
  return worst
}

/** The most that was admitted in any stretch shorter than a window, and in any window by the clock. */
export function mostOfWindow(admitted: readonly Admitted[], { window }: Rate) {
  const windowMs = window / ticksPerMs
  const byClock = new Map<number, number>()
  let anywhere = 0
  for (const { atMs, cost } of admitted) {
    const index = Math.floor(atMs / windowMs)
    byClock.set(index, (byClock.get(index) ?? 0) + cost)
    const inSight = admitted.filter(other => other.atMs >= atMs && other.atMs < atMs + windowMs)
    anywhere = Math.max(
      anywhere,
      inSight.reduce((sum, other) => sum + other.cost, 0),
    )
  }
  return { anywhere, byClock: Math.max(0, ...byClock.values()) }
}
