import type { CircuitOptions } from './circuit-breaker-options.ts'
import { SlidingWindow } from './sliding-window.ts'

/** What opened a circuit, or closed it. */
export type Transition =
  | { readonly to: 'open'; readonly reason: string; readonly ms: number }
  | { readonly to: 'closed' | 'halfOpen' }

/**
 * A circuit breaker: closed while calls do well, open while none is made, half-open while a few may show whether it is
 * over. It is state alone, which outlives reloads: whoever calls brings the rules and the time, in milliseconds since the
 * epoch.
 */
export class Circuit {
  state: 'closed' | 'open' | 'halfOpen' = 'closed'
  readonly #window: SlidingWindow
  /** When the state began. */
  #since = 0
  /** When what keeps calls away comes to its end. */
  #until = 0
  /** Failures in a row while it is closed, successes while it is half-open. */
  #streak = 0
  /** In a row, each longer than the one before. */
  #openings = 0
  #openFor = 0
  /** Calls that may show whether it is over. */
  readonly #trials = new Set<object>()

  constructor(windowMs: number) {
    this.#window = new SlidingWindow(windowMs)
  }

  /** Until when no call is to be made; undefined when one may. */
  blockedUntil({ trials }: CircuitOptions): number | undefined {
    const isBlocked = this.state === 'open' || (this.state === 'halfOpen' && this.#trials.size >= trials)
    return isBlocked ? this.#until : undefined
  }

  /** Ends what is over at this time: being open, or waiting for trials that nobody hears of any more. */
  expire(now: number): Transition | undefined {
    // Before its beginning: the clock was set back, and nobody knows how far.
    if (this.state === 'closed' || (now < this.#until && now >= this.#since)) return undefined
    this.#trials.clear()
    if (this.state === 'halfOpen') return undefined
    this.#enter('halfOpen', now)
    return { to: 'halfOpen' }
  }

  /** A call is made. While it is half-open that is a trial, to be ended by `record` or `abandon`. */
  begin(call: object, now: number, { trials, openFor }: CircuitOptions): void {
    if (this.state !== 'halfOpen' || this.#trials.size >= trials) return
    this.#trials.add(call)
    this.#until = now + openFor
  }

  /** A trial that shows nothing; false when it is none. */
  abandon(call: object): boolean {
    return this.#trials.delete(call)
  }

  /** A call that took `ms` until its answer, or failure. What was sent before the last transition shows nothing of now. */
  record(call: object, hasFailed: boolean, ms: number, now: number, rules: CircuitOptions): Transition | undefined {
    const isSlow = rules.slowerThan !== undefined && ms > rules.slowerThan
    if (this.state === 'halfOpen') {
      if (!this.#trials.delete(call)) return undefined
      if (hasFailed) return this.#open('a trial failed', now, rules)
      if (isSlow) return this.#open('a trial was slow', now, rules)
      if (++this.#streak < rules.closeAfter) return undefined
      this.#enter('closed', now)
      this.#window.clear()
      return { to: 'closed' }
    }
    if (this.state === 'open' || now - ms < this.#since) return undefined
    this.#streak = hasFailed ? this.#streak + 1 : 0
    this.#window.add(now, hasFailed, isSlow)
    const reason = this.#reasonToOpen(rules)
    return reason === undefined ? undefined : this.#open(reason, now, rules)
  }

  #reasonToOpen({ failures, errorRate, slowerThan, slowRate, minRequests }: CircuitOptions): string | undefined {
    if (failures !== false && this.#streak >= failures) return `${this.#streak} failures in a row`
    const { requests, failed, slow } = this.#window
    if (requests < minRequests) return undefined
    if (errorRate !== false && failed >= errorRate * requests) return `${failed} of ${requests} calls failed`
    if (slowerThan !== undefined && slow >= slowRate * requests) return `${slow} of ${requests} calls were slow`
    return undefined
  }

  #open(reason: string, now: number, { openFor, maxOpenFor }: CircuitOptions): Transition {
    // One that was closed for as long as it had been open is forgiven.
    if (this.state === 'closed' && now - this.#since > this.#openFor) this.#openings = 0
    this.#openFor = Math.min(openFor * 2 ** this.#openings, maxOpenFor)
    this.#openings++
    this.#until = now + this.#openFor
    this.#enter('open', now)
    return { to: 'open', reason, ms: this.#openFor }
  }

  #enter(state: Circuit['state'], now: number): void {
    this.state = state
    this.#since = now
    this.#streak = 0
    this.#trials.clear()
  }
}
