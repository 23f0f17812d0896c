import type { Balancer, Target } from '@gateway/core'
import { type Random, Sampler } from './sampler.ts'

export interface EwmaOptions {
  /** Milliseconds after which a sample counts for 1/e of what it did. */
  readonly decay: number
  /** What a failed attempt counts as, in milliseconds: failing fast must not look like answering fast. */
  readonly failure: number
}

/** What is known of a target's latency. */
interface Latency {
  /** Milliseconds. */
  cost: number
  /** Of the last sample, on the balancer's clock. */
  at: number
}

/** By URL. */
export type Latencies = Map<string, Latency>

/**
 * Of two drawn at random the one whose latency times requests in flight is less. Latency is to the response's head, an
 * average that forgets, and that a slow answer raises at once (peak EWMA). It wears off while a target gets nothing, so
 * that one that was slow is tried again; one of which nothing is known is tried with one request first.
 */
export function peakEwma(options: EwmaOptions, latencies: Latencies, random: Random, now: () => number): Balancer {
  const { decay, failure } = options
  let known: readonly Target[] = []
  let sampler = new Sampler(known)

  function load(target: Target, at: number): number {
    const { inFlight } = target
    const latency = latencies.get(target.url)
    if (latency === undefined) return inFlight === 0 ? 0 : failure * (inFlight + 1)
    return (latency.cost * Math.exp((latency.at - at) / decay) * (inFlight + 1)) / target.weight
  }

  return {
    pick(targets) {
      if (targets !== known) {
        known = targets
        sampler = new Sampler(targets)
        forgetOthers(latencies, targets)
      }
      const first = sampler.draw(random)
      const one = targets[first]
      if (one === undefined || targets.length === 1) return one
      const other = targets[sampler.drawOther(first, random)]
      if (other === undefined) return one
      const at = now()
      return load(other, at) < load(one, at) ? other : one
    },
    observe({ url }, outcome) {
      // Of a request that was the client's fault there is nothing to learn.
      if ('error' in outcome && outcome.error.source !== 'upstream') return
      const sample = 'error' in outcome ? failure : outcome.headersMs
      const at = now()
      const latency = latencies.get(url)
      if (latency === undefined) {
        latencies.set(url, { cost: sample, at })
        return
      }
      const kept = Math.exp((latency.at - at) / decay)
      latency.cost = Math.max(sample, latency.cost * kept + sample * (1 - kept))
      latency.at = at
    },
  }
}

/** What is out or gone starts anew when it comes back. */
function forgetOthers(latencies: Latencies, targets: readonly Target[]): void {
  const urls = new Set(targets.map(({ url }) => url))
  for (const url of latencies.keys()) if (!urls.has(url)) latencies.delete(url)
}
