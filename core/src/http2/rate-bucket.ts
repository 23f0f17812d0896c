/** A token bucket: so many at once, then so many a second. For what costs the sender nothing and us a little. */
export class RateBucket {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #since = performance.now()

  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#left = burst
  }

  /** False when there were too many. */
  take(): boolean {
    // The clock is read only when the bucket looks empty.
    if (this.#left < 1) this.#refill()
    if (this.#left < 1) return false
    this.#left--
    return true
  }

  #refill(): void {
    const now = performance.now()
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#since) * this.#perSecond) / 1000)
    this.#since = now
  }
}
