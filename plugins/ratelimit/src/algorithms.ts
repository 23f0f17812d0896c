/**
 * Time is counted in ticks, whole numbers of 1/16 microsecond since 2026: a double holds them exactly until 2043, and
 * they divide the usual rates without a rest.
 */
export const ticksPerMs = 16_000
export const tickEpochMs = Date.UTC(2026, 0, 1)

/**
 * A time that lies so far ahead shows that the clock was set back. One that lies less far ahead may come from a worker that
 * read the clock later than this one, and counts.
 */
export const skewTicks = 1000 * ticksPerMs

export const ticksAt = (epochMs: number) => Math.round((epochMs - tickEpochMs) * ticksPerMs)

/** The numbers of a limit that counts requests against time. */
export interface Rate {
  readonly algorithm: 'tokenBucket' | 'slidingWindow'
  readonly limit: number
  /** Ticks. */
  readonly window: number
  /** Tokens that a full bucket holds. */
  readonly burst: number
  /** Ticks in which one token comes back, rounded up, so that rounding admits nothing. */
  readonly interval: number
}

/** How things stand for one key, in ticks. */
export interface Reading {
  admitted: boolean
  /** Units that can still be spent at once; -1: nobody could tell. */
  remaining: number
  /** Until what was asked for could be had; 0 when it was, Infinity when it never will be. */
  retryTicks: number
  /** Until all of the quota is there again. */
  resetTicks: number
}

/**
 * What a table keeps of a key: one word of 64 bits, so that it changes whole or not at all. A bucket uses it as a double,
 * a window as two integers; the BigInt is for the comparing and exchanging alone.
 */
const bits = new BigInt64Array(1)
const asDouble = new Float64Array(bits.buffer)
const asIntegers = new Int32Array(bits.buffer)

/** Windows hold two counters of 16 bits. */
export const maxSlidingWindowLimit = 0xffff

/** The word of a key that nobody has seen. */
export function blankWord(rate: Rate, now: number): bigint {
  return rate.algorithm === 'tokenBucket' ? bucketWord(now) : windowWord(Math.floor(now / rate.window), 0, 0)
}

export function bucketWord(fullAt: number): bigint {
  asDouble[0] = fullAt
  return bits[0] ?? 0n
}

export function windowWord(index: number, current: number, former: number): bigint {
  asIntegers[0] = (current << 16) | former
  asIntegers[1] = index
  return bits[0] ?? 0n
}

/** The word after `cost` units were taken, or when they cannot be had, usually the same; `reading` says which. */
export function takeFrom(word: bigint, rate: Rate, now: number, cost: number, reading: Reading): bigint {
  bits[0] = word
  if (rate.algorithm === 'tokenBucket') {
    const kept = asDouble[0] ?? 0
    const fullAt = takeTokens(kept, rate, now, cost, reading)
    return fullAt === kept ? word : bucketWord(fullAt)
  }
  const counts = asIntegers[0] ?? 0
  return takeOfWindow(word, asIntegers[1] ?? 0, counts >>> 16, counts & 0xffff, rate, now, cost, reading)
}

/**
 * A token bucket as GCRA (ITU-T I.371) keeps it: the time at which it will be full again says all. A time much later than
 * an empty bucket would need means that the clock was set back or the burst made smaller; then the bucket is empty.
 */
function takeTokens(kept: number, rate: Rate, now: number, cost: number, reading: Reading): number {
  const { burst, interval } = rate
  const capacity = burst * interval
  const fullAt = kept > now + capacity + skewTicks ? now + capacity : Math.max(kept, now)
  const price = Math.ceil(cost * interval)
  const after = fullAt + price
  const over = after - now - capacity
  reading.admitted = over <= 0
  reading.retryTicks = over <= 0 ? 0 : price > capacity ? Number.POSITIVE_INFINITY : over
  const next = over <= 0 ? after : fullAt
  reading.remaining = Math.max(0, Math.floor((now + capacity - next) / interval))
  reading.resetTicks = next - now
  // Who takes nothing writes nothing, unless the time is impossible: it would be so next time, too.
  return (over <= 0 && price > 0) || kept > next ? next : kept
}

/**
 * A sliding window of two counters: those of the window before count for the part of it that is still in sight, as if they
 * had come evenly.
 */
function takeOfWindow(
  word: bigint,
  keptIndex: number,
  keptCurrent: number,
  keptFormer: number,
  { limit, window }: Rate,
  now: number,
  cost: number,
  reading: Reading,
): bigint {
  const index = Math.floor(now / window)
  // Both are cut to 32 bits. When the clock was set back, what was counted goes on counting, from now.
  const age = ((index | 0) - keptIndex) | 0
  const early = age < 0 && -age * window <= Math.max(window, skewTicks)
  const current = age <= 0 ? keptCurrent : 0
  const former = age <= 0 ? keptFormer : age === 1 ? keptCurrent : 0
  const left = early ? window : window - (now - index * window)
  const units = Math.ceil(cost)
  const free = limit - current - (former * left) / window
  reading.admitted = units <= free
  reading.retryTicks = reading.admitted ? 0 : retryOfWindow(limit, window, current, former, left, units)
  const spent = reading.admitted ? units : 0
  reading.remaining = Math.max(0, Math.floor(free - spent))
  reading.resetTicks = current + spent > 0 ? left + window : former > 0 ? left : 0
  if (early) return spent > 0 ? windowWord(keptIndex, current + spent, former) : word
  return spent > 0 || age < 0 ? windowWord(index, current + spent, former) : word
}

function retryOfWindow(
  limit: number,
  window: number,
  current: number,
  former: number,
  left: number,
  units: number,
): number {
  if (units > limit) return Number.POSITIVE_INFINITY
  // What is counted fades in proportion to the time that is left of the window in which it weighs.
  const fadesIn = (counted: number, room: number, rest: number) =>
    Math.max(0, Math.ceil(rest - (room / Math.max(counted, 1)) * window))
  const room = limit - current - units
  return room >= 0 ? fadesIn(former, room, left) : left + fadesIn(current, limit - units, window)
}
