/**
 * How long a client may keep us waiting for its body. The clock runs only while its bytes are wanted, so that what we
 * hold up ourselves does not count. A piece buys its share of time at the minimum rate, never more than the idle timeout:
 * a body that drips runs out of time, however lively it is.
 */
export class BodyClock {
  readonly #idleTimeout: number
  readonly #minRate: number
  /** Milliseconds left while the clock stands still. */
  #left = 0

  /** Milliseconds (0: the clock never runs), and bytes a second (0: any piece buys the whole timeout). */
  constructor(idleTimeout: number, minRate: number) {
    this.#idleTimeout = idleTimeout
    this.#minRate = minRate
  }

  reset(): void {
    this.#left = this.#idleTimeout
  }

  /** The deadline after so many bytes have come. */
  earn(deadline: number, bytes: number): number {
    const full = performance.now() + this.#idleTimeout
    return this.#minRate === 0 ? full : Math.min(full, deadline + (bytes * 1000) / this.#minRate)
  }

  /** The deadline, 0 for none, given whether bytes are wanted now. */
  turn(deadline: number, wanted: boolean): number {
    if (wanted === (deadline !== 0)) return deadline
    if (wanted) return this.#left === 0 ? 0 : performance.now() + this.#left
    this.#left = Math.max(1, deadline - performance.now())
    return 0
  }
}
