import type { AdaptiveOptions } from './concurrency-options.ts'

const windowMs = 100
const fewestSamples = 10
/** Windows under load after which what is usual is measured anew. */
const remeasureAfter = 100
/** How much of the way to a new value is gone at once. */
const smoothing = 0.2

/**
 * A limit of requests under way that is learned from latency, by the gradient of Netflix's concurrency-limits: while
 * answers take as long as usual there is room for sqrt(limit) more; when they take longer, requests queue upstream, and the
 * limit falls by the same part. It grows only while it is used, and falls by a tenth when attempts fail.
 *
 * Usual is the latency without that queue. An average would follow the queue, and the limit the average; so the limit is
 * lowered now and then until the queue has drained, as BBR does for round-trip times.
 */
export class GradientLimit {
  #limit: number
  /** Milliseconds; 0 while unknown. */
  #usual = 0
  #phase: 'steady' | 'drain' | 'measure' = 'steady'
  /** Under load, since it was measured. */
  #windows = 0
  /** Of the window that began at `since`. */
  #since = 0
  #count = 0
  #sum = 0
  #failures = 0
  #mostInUse = 0

  constructor(start: number) {
    this.#limit = start
  }

  /** Whole requests. */
  within({ min, max, tolerance }: AdaptiveOptions): number {
    // So low that a limit which tolerance had let grow would still find the upstream without a queue.
    const limit = this.#phase === 'steady' ? this.#limit : this.#limit / (2 * tolerance)
    return Math.floor(Math.min(max, Math.max(min, limit)))
  }

  /** An attempt ended. `ms` undefined: it failed, and how long it took says nothing. */
  sample(ms: number | undefined, inUse: number, now: number, options: AdaptiveOptions): void {
    if (ms === undefined) this.#failures++
    else {
      this.#count++
      this.#sum += ms
    }
    this.#mostInUse = Math.max(this.#mostInUse, inUse)
    const samples = this.#count + this.#failures
    // Also when the clock is set back.
    if (samples < fewestSamples || (now - this.#since < windowMs && now >= this.#since)) return
    this.#limit = Math.min(options.max, Math.max(options.min, this.#next(samples, options)))
    this.#since = now
    this.#count = this.#sum = this.#failures = this.#mostInUse = 0
  }

  #next(samples: number, { tolerance }: AdaptiveOptions): number {
    const limit = this.#limit
    const latency = this.#sum / this.#count
    const phase = this.#phase
    this.#phase = phase === 'drain' ? 'measure' : 'steady'
    if (this.#failures > samples / 10) return limit * 0.9
    if (this.#usual === 0 || phase === 'measure') {
      this.#usual = latency
      this.#windows = 0
    }
    if (phase !== 'steady') return limit
    const isUsed = this.#mostInUse >= limit / 2
    if (latency < this.#usual || !isUsed) this.#usual += (latency - this.#usual) * smoothing
    if (!isUsed) return limit
    if (++this.#windows > remeasureAfter) this.#phase = 'drain'
    // A latency of 0 is one that the clock cannot see.
    const gradient = latency === 0 ? 1 : Math.min(1, Math.max(0.5, (tolerance * this.#usual) / latency))
    return limit + (limit * gradient + Math.sqrt(limit) - limit) * smoothing
  }
}
