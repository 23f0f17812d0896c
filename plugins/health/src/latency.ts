import type { Host, Outcome, ServiceView, Target } from '@gateway/core'
import type { Ejector } from './ejection.ts'

export interface LatencyOptions {
  /** So many times what the others take is late. */
  readonly factor: number
  /** Of a target's latencies, the one that is compared; 50 is the median. */
  readonly percentile: number
  /** Milliseconds below which none is late. */
  readonly atLeast: number
  /** Answers that a target must have given in a window. */
  readonly minRequests: number
  /** Milliseconds. */
  readonly window: number
}

// From 1/16 ms to 17 minutes, in steps of 19 %: four for each doubling.
const steps = 4
const lowest = -4
const buckets = 24 * steps

/** How many answers took how long, by URL. */
type Histograms = Map<string, Uint32Array>

/**
 * Ejects targets whose answers come late against those of the others, by what a window has shown of them. Returns what
 * hears of each attempt.
 */
export function watchLatency(
  host: Host,
  service: ServiceView<unknown>,
  options: LatencyOptions,
  { eject, isOut }: Ejector,
): (target: Target, outcome: Outcome) => void {
  const histograms = host.share<Histograms>({ name: `health.latencies ${service.name}`, create: () => new Map() })

  function compare(): void {
    // The generation that took over does, and what this one holds out ends with it.
    if (host.draining.aborted) return
    const seen = service.targets.flatMap(target => {
      const counts = histograms.get(target.url)
      const ms = counts === undefined || isOut(target) ? undefined : latencyOf(counts, options)
      return ms === undefined ? [] : [{ target, ms }]
    })
    histograms.clear()
    seen.sort((a, b) => a.ms - b.ms)
    // From the slowest on, so that it is those that go where not all may.
    for (const [place, { target, ms }] of [...seen.entries()].reverse()) {
      const usual = medianBeside(seen, place)
      if (usual === undefined || ms < options.atLeast || ms < options.factor * usual) return
      eject(target, `its answers take ${Math.round(ms)} ms, those of others ${Math.round(usual)}`)
    }
  }

  host.clock.every(options.window, compare)
  return ({ url }, outcome) => {
    // One that gives no answer is late in its own way: it fails.
    if ('error' in outcome) return
    let counts = histograms.get(url)
    if (counts === undefined) {
      counts = new Uint32Array(buckets)
      histograms.set(url, counts)
    }
    const bucket = Math.floor((Math.log2(outcome.headersMs) - lowest) * steps)
    const place = Math.min(Math.max(bucket, 0), buckets - 1)
    counts[place] = (counts[place] ?? 0) + 1
  }
}

/** Milliseconds that the percentile's answer took; undefined when there were too few. */
function latencyOf(counts: Uint32Array, { percentile, minRequests }: LatencyOptions): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total < minRequests) return undefined
  let left = (total * percentile) / 100
  const bucket = counts.findIndex(count => {
    left -= count
    return left <= 0
  })
  return 2 ** (bucket / steps + lowest)
}

/** The median of all but one of what is sorted; of two in the middle the lesser. */
function medianBeside(sorted: readonly { readonly ms: number }[], place: number): number | undefined {
  const middle = Math.floor((sorted.length - 2) / 2)
  return sorted[middle < place ? middle : middle + 1]?.ms
}
