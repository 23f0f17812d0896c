import type { Target } from '@gateway/core'

/** From 0 up to but not 1. */
export type Random = () => number

/** Draws places of a list in proportion to their weights: one step for a list of any length (alias method, Vose, 1991). */
export class Sampler {
  readonly size: number
  /** Undefined when all weigh the same. */
  readonly #keep: Float64Array | undefined
  readonly #alias: Uint32Array

  constructor(targets: readonly Target[]) {
    const weights = targets.map(({ weight }) => weight)
    this.size = weights.length
    this.#alias = new Uint32Array(weights.length)
    this.#keep = weights.every(weight => weight === weights[0]) ? undefined : this.#fill(weights)
  }

  /** Of each column of height 1, what is its own; the rest belongs to its alias, one of those that have too much. */
  #fill(weights: readonly number[]): Float64Array {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const heights = Float64Array.from(weights, weight => (weight / total) * weights.length)
    const low: number[] = []
    const high: number[] = []
    const sort = (column: number) => ((heights[column] ?? 0) < 1 ? low : high).push(column)
    for (const column of heights.keys()) sort(column)
    for (;;) {
      const [lacks, gives] = [low.at(-1), high.at(-1)]
      if (lacks === undefined || gives === undefined) break
      low.pop()
      high.pop()
      this.#alias[lacks] = gives
      heights[gives] = (heights[gives] ?? 0) + (heights[lacks] ?? 0) - 1
      sort(gives)
    }
    // Full, but for what rounding took.
    for (const column of [...low, ...high]) heights[column] = 1
    return heights
  }

  draw(random: Random): number {
    const at = random() * this.size
    const column = Math.floor(at)
    if (this.#keep === undefined || at - column < (this.#keep[column] ?? 0)) return column
    return this.#alias[column] ?? column
  }

  /** One that is not `first`; of more than two, likely in proportion to the weights. */
  drawOther(first: number, random: Random): number {
    const drawn = this.draw(random)
    if (drawn !== first) return drawn
    return (first + 1 + Math.floor(random() * (this.size - 1))) % this.size
  }
}
