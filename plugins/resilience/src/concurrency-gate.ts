import { type Awaitable, type Context, type Host, type Outcome, problem, type Reply, type Slot } from '@gateway/core'
import { Limiter, type LimiterRules, type Place } from './concurrency-limiter.ts'
import type { LimitOptions } from './concurrency-options.ts'
import { isUpstreams } from './failure.ts'

export interface GateParts {
  /** What counts together, over reloads. */
  readonly name: string
  readonly options: LimitOptions
  /** Where a request keeps its place. */
  readonly slot: Slot<Place>
  /** Whether a request that gets a place would find somebody to answer it. */
  readonly hasTarget: (ctx: Context) => boolean
}

/** A limit at work: requests enter, wait or are refused; whoever ends gives back the place in its slot. */
export class Gate {
  readonly #rules: LimiterRules
  readonly #keyOf: ((ctx: Context) => string | undefined) | undefined
  readonly #limiters: Map<string, Limiter>
  /** Of all requests, where they are not counted by key. */
  readonly #only: Limiter | undefined
  readonly #parts: GateParts
  readonly #clock: Host['clock']

  constructor(host: Host, parts: GateParts) {
    const { by, adaptive, ...rest } = parts.options
    this.#clock = host.clock
    this.#parts = parts
    this.#rules = partOf({ ...rest, adaptive }, host.worker)
    this.#keyOf = typeof by === 'object' ? ctx => ctx.headers.get(by.header) ?? '' : by
    this.#limiters = host.share({
      name: `concurrency.limiters ${parts.name}`,
      create: () => new Map<string, Limiter>(),
    })
    if (this.#keyOf === undefined) this.#only = this.#limiterOf('')
  }

  get isAdaptive(): boolean {
    return this.#rules.adaptive !== undefined
  }

  enter(ctx: Context): Awaitable<Reply | void> {
    const key = this.#keyOf?.(ctx)
    if (this.#keyOf !== undefined && key === undefined) return
    const limiter = this.#only ?? this.#limiterOf(key ?? '')
    const { slot, hasTarget } = this.#parts
    const place = limiter.enter(this.#rules)
    if (place !== undefined) return ctx.set(slot, place)
    // To wait would only put off GATEWAY_NO_HEALTHY_TARGET; it goes on, and takes no place for that.
    if (!hasTarget(ctx)) return
    const waiter = limiter.wait(this.#clock.after)
    if (waiter === undefined) return this.#refuse(ctx)
    ctx.set(slot, waiter)
    return waiter.admitted.then(admitted => (admitted ? undefined : this.#refuse(ctx)))
  }

  /** Learns of an attempt, where the limit is adaptive. */
  learn(outcome: Outcome): void {
    const { adaptive } = this.#rules
    if (adaptive === undefined) return
    const isRefusal = 'status' in outcome && (outcome.status === 503 || outcome.status === 429)
    // Of a request that was the client's fault there is nothing to learn.
    if ('error' in outcome && !isUpstreams(outcome.error)) return
    this.#only?.sample('error' in outcome || isRefusal ? undefined : outcome.headersMs, this.#clock.now(), adaptive)
  }

  #limiterOf(key: string): Limiter {
    let limiter = this.#limiters.get(key)
    if (limiter === undefined) {
      // One of many keys goes with its last request; the only one keeps what it has learned.
      limiter = new Limiter(this.#rules, this.#keyOf && (() => this.#limiters.delete(key)))
      this.#limiters.set(key, limiter)
    }
    return limiter
  }

  #refuse(ctx: Context): Reply {
    return problem(ctx, {
      status: 503,
      code: 'CONCURRENCY_LIMITED',
      title: 'Service unavailable',
      // Nobody knows when a request will end; after this time whoever waits now does not any more.
      headers: { 'Retry-After': String(Math.max(1, Math.ceil(this.#rules.maxWait / 1_000))) },
    })
  }
}

/** What of a limit falls to one of several workers: all parts together are the whole, but each lets at least one through. */
export function partOf(rules: LimiterRules, { index, count }: Host['worker']): LimiterRules {
  const part = (whole: number) => Math.floor(whole / count) + (index < whole % count ? 1 : 0)
  const most = (whole: number) => Math.max(1, part(whole))
  const { limit, queue, adaptive } = rules
  return {
    ...rules,
    limit: most(limit),
    queue: part(queue),
    adaptive: adaptive && { ...adaptive, min: most(adaptive.min), max: most(adaptive.max) },
  }
}
