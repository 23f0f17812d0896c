/** Eight buckets for each doubling: a percentile is right to within a tenth. */
const perDoubling = 8
const buckets = 200
/** With so many the older half counts half. */
const mostSamples = 4_096
/** Below this a percentile means little. */
const fewestSamples = 100
/** After so many new ones a percentile is looked up again. */
const freshFor = 32

/** Times to an answer, as a histogram that forgets. */
export class Latencies {
  readonly #counts = new Float64Array(buckets)
  #samples = 0
  /** Raised when enough has been added that percentiles may differ. */
  version = 0
  #fresh = 0

  add(ms: number): void {
    const place = Math.min(buckets - 1, Math.floor(Math.log2(Math.max(0, ms) + 1) * perDoubling))
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#samples++
    if (++this.#fresh >= freshFor) {
      this.#fresh = 0
      this.version++
    }
    if (this.#samples < mostSamples) return
    for (const [index, count] of this.#counts.entries()) this.#counts[index] = count / 2
    this.#samples /= 2
  }

  /** Milliseconds within which this part of the answers came; 0 while too few have. */
  percentile(part: number): number {
    if (this.#samples < fewestSamples) return 0
    let left = part * this.#samples
    for (const [index, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return 2 ** ((index + 1) / perDoubling) - 1
    }
    return 2 ** (buckets / perDoubling) - 1
  }
}
