/** Something that must happen before a moment, or else. */
export interface DeadlineOwner {
  /** On the clock of its {@link Deadlines}, in milliseconds; 0 means none. Written freely at any time. */
  deadline: number
  /** Called once when the moment has passed; `deadline` is 0 by then and may be set again. */
  onDeadline(): void
  /** Belongs to {@link Deadlines}; -1 while not added. */
  deadlineIndex: number
}

/**
 * One coarse timer for every connection of the process. Moving a deadline is one field write, which happens several
 * times a request; looking at them all happens every `tickMs`, so a deadline fires up to one tick late and never early.
 */
export class Deadlines {
  readonly #owners: DeadlineOwner[] = []
  readonly #tickMs: number
  readonly #onFault: (error: unknown) => void
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  #timer: NodeJS.Timeout | undefined

  /** `onFault` hears what an owner threw; the others are still served. */
  constructor(tickMs = 50, onFault: (error: unknown) => void = warn, now: () => number = () => performance.now()) {
    this.#tickMs = tickMs
    this.#onFault = onFault
    this.now = now
  }

  get size(): number {
    return this.#owners.length
  }

  /** When the next one is due; Infinity when none is. */
  get next(): number {
    return Math.min(...this.#owners.map(({ deadline }) => deadline || Infinity))
  }

  /** Adding twice is harmless. */
  add(owner: DeadlineOwner): void {
    if (owner.deadlineIndex >= 0) return
    owner.deadlineIndex = this.#owners.length
    this.#owners.push(owner)
    // Unref'd: a deadline alone keeps no process alive.
    this.#timer ??= setInterval(() => this.sweep(this.now()), this.#tickMs).unref()
  }

  /** Removing one that is not there is harmless. */
  remove(owner: DeadlineOwner): void {
    const index = owner.deadlineIndex
    if (index < 0) return
    owner.deadlineIndex = -1
    const last = this.#owners.pop()
    if (last !== undefined && last !== owner) {
      this.#owners[index] = last
      last.deadlineIndex = index
    }
    if (this.#owners.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  /** Fires whatever is due at `now`. */
  sweep(now: number): void {
    // Backwards, so that an owner that removes itself swaps in one that has been looked at already.
    for (let i = this.#owners.length - 1; i >= 0; i--) {
      const owner = this.#owners[i]
      if (owner === undefined || owner.deadline === 0 || owner.deadline > now) continue
      owner.deadline = 0
      try {
        owner.onDeadline()
      } catch (error) {
        this.#onFault(error)
      }
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
}

/** The process's own. */
export const deadlines: Deadlines = new Deadlines()
