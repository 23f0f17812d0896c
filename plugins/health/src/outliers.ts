import type { Host, Outcome, ServiceView, Target } from '@gateway/core'
import { createEjector } from './ejection.ts'
import { watchFailures } from './failures.ts'
import { watchLatency } from './latency.ts'
import type { PassiveOptions } from './options.ts'

/** Ejects targets that requests show to be worse than they ought to be. Returns what hears of each attempt. */
export function watchOutliers(
  host: Host,
  service: ServiceView<unknown>,
  options: PassiveOptions,
): (target: Target, outcome: Outcome) => void {
  const ejector = createEjector(host, service, options)
  const hearFailure = watchFailures(host, service, options, ejector)
  const { latency, minRequests, window } = options
  if (latency === undefined) return hearFailure
  const hearLatency = watchLatency(host, service, { ...latency, minRequests, window }, ejector)
  return (target, outcome) => {
    hearFailure(target, outcome)
    hearLatency(target, outcome)
  }
}
