import type { BudgetOptions } from './retry-options.ts'

/** Over which requests and retries are counted. */
const windowSeconds = 10

/**
 * How many attempts a service may be sent beyond its requests, so that retries cannot make an overload worse: in any ten
 * seconds a part of the requests of these, or so many a second, whichever is more.
 */
export class RetryBudget {
  readonly #requests: number[] = Array(windowSeconds).fill(0)
  readonly #retries: number[] = Array(windowSeconds).fill(0)
  #requested = 0
  #retried = 0
  /** The second that is counted, of those since the epoch. */
  #second = 0

  /** A request has come, at this millisecond. */
  count(now: number): void {
    const place = this.#placeAt(now)
    this.#requests[place] = (this.#requests[place] ?? 0) + 1
    this.#requested++
  }

  /** Whether one more attempt may be made; it is counted then. */
  take(now: number, { ratio, minPerSecond }: BudgetOptions): boolean {
    const place = this.#placeAt(now)
    if (this.#retried + 1 > Math.max(ratio * this.#requested, minPerSecond * windowSeconds)) return false
    this.#retries[place] = (this.#retries[place] ?? 0) + 1
    this.#retried++
    return true
  }

  /** Lets go of the seconds that have left the window. A clock that was set back stands still. */
  #placeAt(now: number): number {
    const second = Math.floor(now / 1_000)
    if (second > this.#second) {
      for (let passed = Math.max(this.#second, second - windowSeconds) + 1; passed <= second; passed++) {
        const place = passed % windowSeconds
        this.#requested -= this.#requests[place] ?? 0
        this.#retried -= this.#retries[place] ?? 0
        this.#requests[place] = this.#retries[place] = 0
      }
      this.#second = second
    }
    return this.#second % windowSeconds
  }
}
