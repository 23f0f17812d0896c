const slices = 10

interface Slice {
  requests: number
  failed: number
  slow: number
}

/** Counts of calls in the last so many milliseconds, a tenth of them at a time. */
export class SlidingWindow {
  requests = 0
  failed = 0
  slow = 0
  readonly #sliceMs: number
  readonly #counts: readonly Slice[] = Array.from({ length: slices }, () => ({ requests: 0, failed: 0, slow: 0 }))
  /** Number of the slice that counts now, since the epoch. */
  #now = 0

  constructor(ms: number) {
    this.#sliceMs = ms / slices
  }

  add(now: number, hasFailed: boolean, isSlow: boolean): void {
    this.#advance(Math.floor(now / this.#sliceMs))
    const slice = this.#counts[this.#now % slices]
    if (slice === undefined) return
    slice.requests++
    this.requests++
    if (hasFailed) {
      slice.failed++
      this.failed++
    }
    if (isSlow) {
      slice.slow++
      this.slow++
    }
  }

  clear(): void {
    for (const slice of this.#counts) this.#empty(slice)
  }

  /** A clock that is set back stays in the slice where it was. */
  #advance(to: number): void {
    const first = Math.max(this.#now + 1, to - slices + 1)
    for (let number = first; number <= to; number++) {
      const slice = this.#counts[number % slices]
      if (slice !== undefined) this.#empty(slice)
    }
    this.#now = Math.max(this.#now, to)
  }

  #empty(slice: Slice): void {
    this.requests -= slice.requests
    this.failed -= slice.failed
    this.slow -= slice.slow
    slice.requests = slice.failed = slice.slow = 0
  }
}
