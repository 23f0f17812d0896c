import type { Host } from '@gateway/core'
import type { AdaptiveOptions, LimitOptions } from './concurrency-options.ts'
import { GradientLimit } from './gradient-limit.ts'

export type LimiterRules = Pick<LimitOptions, 'limit' | 'queue' | 'maxWait' | 'adaptive'>

/** What a request has got, or waits for; `leave` gives it back, once. */
export interface Place {
  leave(): void
}

/**
 * Requests under way, and those that wait for one of them to end, in the order in which they came. It outlives reloads;
 * the rules that hold are those of the request that came last.
 */
export class Limiter implements Place {
  #inUse = 0
  #rules: LimiterRules
  #gradient: GradientLimit | undefined
  readonly #waiting = new Set<Waiter>()
  readonly #onIdle: () => void

  /** `onIdle`: no request is under way, and none waits. */
  constructor(rules: LimiterRules, onIdle: () => void = () => {}) {
    this.#rules = rules
    this.#onIdle = onIdle
  }

  get inUse(): number {
    return this.#inUse
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get limit(): number {
    const { limit, adaptive } = this.#rules
    if (adaptive === undefined) return limit
    this.#gradient ??= new GradientLimit(limit)
    return this.#gradient.within(adaptive)
  }

  /** A place at once: this limiter itself, since places are alike. */
  enter(rules: LimiterRules): Place | undefined {
    this.#rules = rules
    // The rules may have become more generous.
    if (this.#waiting.size > 0) this.#admit()
    if (this.#inUse >= this.limit) return undefined
    this.#inUse++
    return this
  }

  /** A place later; undefined when the queue is full. */
  wait(after: Host['clock']['after']): Waiter | undefined {
    const { queue, maxWait } = this.#rules
    if (this.#waiting.size >= queue) return undefined
    const waiter: Waiter = new Waiter(this, gaveUp => {
      this.#waiting.delete(gaveUp)
      this.#tellIdle()
    })
    this.#waiting.add(waiter)
    waiter.callOff = after(maxWait, () => waiter.end(false))
    return waiter
  }

  leave(): void {
    this.#inUse--
    this.#admit()
    this.#tellIdle()
  }

  /** Learns of an attempt; see {@link GradientLimit.sample}. */
  sample(ms: number | undefined, now: number, adaptive: AdaptiveOptions): void {
    this.#gradient?.sample(ms, this.#inUse, now, adaptive)
    this.#admit()
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (this.#inUse >= this.limit) return
      this.#inUse++
      this.#waiting.delete(waiter)
      waiter.end(true)
    }
  }

  #tellIdle(): void {
    if (this.#inUse === 0 && this.#waiting.size === 0) this.#onIdle()
  }
}

/** A request in the queue. */
export class Waiter implements Place {
  /** Resolves with whether it got a place, and not at all when it left before. */
  readonly admitted: Promise<boolean>
  callOff: () => void = () => {}
  #state: 'waiting' | 'admitted' | 'over' = 'waiting'
  readonly #limiter: Limiter
  readonly #resolve: (admitted: boolean) => void
  readonly #onGone: (self: Waiter) => void

  constructor(limiter: Limiter, onGone: (self: Waiter) => void) {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.admitted = promise
    this.#resolve = resolve
    this.#limiter = limiter
    this.#onGone = onGone
  }

  /** It has got a place, or has waited too long. */
  end(admitted: boolean): void {
    this.#state = admitted ? 'admitted' : 'over'
    this.callOff()
    if (!admitted) this.#onGone(this)
    this.#resolve(admitted)
  }

  leave(): void {
    const state = this.#state
    this.#state = 'over'
    if (state === 'admitted') return this.#limiter.leave()
    if (state === 'over') return
    this.callOff()
    this.#onGone(this)
  }
}
