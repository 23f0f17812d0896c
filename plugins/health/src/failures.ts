import { GatewayError, type Host, type Outcome, type ServiceView, type Target } from '@gateway/core'
import type { Ejector } from './ejection.ts'
import type { PassiveOptions } from './options.ts'

/** What requests have shown of a target, kept over reloads. */
interface History {
  /** In a row. */
  failures: number
  /** Of the window that began at `since`. */
  requests: number
  failed: number
  since: number
}

type Histories = Map<string, History>

export type FailureOptions = Pick<PassiveOptions, 'failures' | 'errorRate' | 'minRequests' | 'window'>

/** Ejects targets that fail at requests. Returns what hears of each attempt. */
export function watchFailures(
  host: Host,
  service: ServiceView<unknown>,
  options: FailureOptions,
  { eject, isOut }: Ejector,
): (target: Target, outcome: Outcome) => void {
  const histories = host.share<Histories>({ name: `health.failures ${service.name}`, create: () => new Map() })

  return (target, outcome) => {
    const hasFailed = isFailure(outcome)
    let history = histories.get(target.url)
    if (history === undefined) {
      // A target that never failed has no history, unless its rate is wanted.
      if (!hasFailed && options.errorRate === undefined) return
      for (const url of histories.keys()) if (!service.targets.some(one => one.url === url)) histories.delete(url)
      history = { failures: 0, requests: 0, failed: 0, since: 0 }
      histories.set(target.url, history)
    }
    if (!hasFailed) history.failures = 0
    if (!hasFailed && options.errorRate === undefined) return
    // What was sent before the ejection has been counted by it.
    if (isOut(target)) return
    const now = host.clock.now()
    if (now - history.since >= options.window) {
      history.since = now
      history.requests = history.failed = 0
    }
    history.requests++
    if (!hasFailed) return
    history.failures++
    history.failed++
    const isOften =
      options.errorRate !== undefined &&
      history.requests >= options.minRequests &&
      history.failed >= options.errorRate * history.requests
    if (history.failures < options.failures && !isOften) return
    const reason = isOften
      ? `${history.failed} of ${history.requests} requests failed`
      : `${history.failures} requests in a row failed`
    if (eject(target, reason)) history.failures = history.requests = history.failed = 0
  }
}

/** No answer, or one that says that there is something wrong with the server. */
function isFailure(outcome: Outcome): boolean {
  if ('error' in outcome) return outcome.error instanceof GatewayError && outcome.error.source === 'upstream'
  return outcome.status >= 500 && outcome.status !== 501 && outcome.status !== 505
}
