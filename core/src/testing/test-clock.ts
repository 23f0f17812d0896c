import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Duration, parseDuration } from '../config/units.ts'
import { Deadlines } from '../http1/deadlines.ts'

/** Time that stands still until it is told to go on. */
export interface TestClock {
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Goes on by a time span (`'30s'`, or milliseconds): each timeout and periodic task that falls into it runs at its own
   * moment, in order, and requests go as far as they can before the next one does. Resolves when they have.
   *
   * @throws TypeError for what is no duration.
   */
  advance(time: Duration): Promise<void>
}

interface Task {
  at: number
  readonly ms: number
  readonly run: () => void
}

/** The clock of a gateway under test: of its exchanges' timeouts, and of its plugins' `host.clock`. */
export class GatewayClock implements TestClock {
  readonly now = (): number => this.#now
  readonly deadlines: Deadlines = new Deadlines(undefined, undefined, this.now)
  readonly #tasks = new Set<Task>()
  #now: number

  constructor(start: number) {
    this.#now = start
  }

  readonly every = (ms: number, run: () => void): (() => void) => {
    const task = { at: this.#now + ms, ms: Math.max(1, ms), run }
    this.#tasks.add(task)
    return () => void this.#tasks.delete(task)
  }

  readonly after = (ms: number, run: () => void): (() => void) => {
    const stop = this.every(ms, () => {
      stop()
      run()
    })
    return stop
  }

  async advance(time: Duration): Promise<void> {
    const span = parseDuration(time)
    if (span === undefined)
      throw new TypeError(`${JSON.stringify(time)} is no duration: write '30s', '5m' or milliseconds`)
    const end = this.#now + span
    await settle()
    for (let next = this.#next(); next <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next)
      for (const task of [...this.#tasks]) {
        if (task.at > this.#now || !this.#tasks.has(task)) continue
        task.at += task.ms
        task.run()
      }
      this.deadlines.sweep(this.#now)
      await settle()
    }
    this.#now = end
  }

  #next(): number {
    return Math.min(this.deadlines.next, ...[...this.#tasks].map(({ at }) => at))
  }
}

/** Enough turns of the event loop for whatever waits for nothing but promises and streams. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await nextTurn()
}
