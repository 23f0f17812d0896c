import type { Hedge } from '@gateway/core'
import type { Latencies } from './latencies.ts'

const percentiles = { p50: 0.5, p75: 0.75, p90: 0.9, p95: 0.95, p99: 0.99 } as const

/** A hedge after so many milliseconds, or after a percentile of the times to an answer: none while too few are known. */
export function hedgeAfter(after: number | keyof typeof percentiles, latencies: Latencies, may: () => boolean): Hedge {
  if (typeof after === 'number') return { afterMs: after, may }
  let version = -1
  let afterMs = 0
  return {
    get afterMs() {
      if (version !== latencies.version) {
        version = latencies.version
        afterMs = latencies.percentile(percentiles[after])
      }
      return afterMs
    },
    may() {
      // A first attempt that is overtaken never tells its own time, and without it the percentile would sink with every
      // hedge: that it was slower than this is counted when it shows.
      latencies.add(afterMs * 1.1)
      return may()
    },
  }
}
