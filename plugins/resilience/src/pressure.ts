/** The one to be shed first stands first. */
export const priorities = ['low', 'normal', 'high', 'critical'] as const
export type Priority = (typeof priorities)[number]

/** Those that are shed at all; each has its part of the pressure. */
const shed = priorities.length - 1
/** How fast the pressure changes, a measurement. */
const step = 0.05

/**
 * How much has to be shed, from 0 to 1: it rises for as long as the event loop lags more than `maxLagMs`, the faster the
 * more it lags, stays while it lags less, and falls when it lags less than half.
 */
export class Pressure {
  level = 0
  readonly #maxLagMs: number
  /** In milliseconds, smoothed, so that one pause is not a load. */
  #lag = 0

  constructor(maxLagMs: number) {
    this.#maxLagMs = maxLagMs
  }

  get lagMs(): number {
    return this.#lag
  }

  /** The event loop was late by so many milliseconds. */
  measure(lagMs: number): void {
    this.#lag += (lagMs - this.#lag) / 2
    const excess = this.#lag / this.#maxLagMs
    if (excess > 1) this.level = Math.min(1, this.level + step * Math.min(excess, 4))
    else if (excess < 0.5) this.level = Math.max(0, this.level - step)
  }

  /**
   * The part of requests of a priority that is shed. The first third of the pressure falls on `low` until none of it is
   * left, the second on `normal`, the last on `high`; `critical` is never shed.
   */
  chance(priority: Priority): number {
    const rank = priorities.indexOf(priority)
    return rank >= shed ? 0 : Math.min(1, Math.max(0, this.level * shed - rank))
  }

  /** Whether one is, by a number drawn from 0 to below 1. */
  sheds(priority: Priority, draw: number): boolean {
    return draw < this.chance(priority)
  }
}
