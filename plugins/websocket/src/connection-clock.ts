import type { Host } from '@gateway/core'

/** The gateway's clock for one connection: what is still to come when that ends does not. */
export class ConnectionClock {
  /** Milliseconds, to measure by. */
  readonly now: () => number
  readonly #after: Host['clock']['after']
  readonly #callOffs = new Set<() => void>()
  #stopped = false

  constructor({ monotonic, after }: Pick<Host['clock'], 'monotonic' | 'after'>) {
    this.now = monotonic
    this.#after = after
  }

  after(ms: number, run: () => void): void {
    if (this.#stopped) return
    const callOff = this.#after(ms, () => {
      this.#callOffs.delete(callOff)
      run()
    })
    this.#callOffs.add(callOff)
  }

  stop(): void {
    this.#stopped = true
    for (const callOff of this.#callOffs) callOff()
    this.#callOffs.clear()
  }
}
