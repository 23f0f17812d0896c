import { GatewayError, type Host, type Outcome, type ServiceView, type Target } from '@gateway/core'
import type { PassiveOptions } from './options.ts'

/** What requests have shown of a target, kept over reloads. */
interface History {
  /** In a row. */
  failures: number
  /** Of the window that began at `since`. */
  requests: number
  failed: number
  since: number
  /** In a row, each longer than the one before. */
  ejections: number
  /** Milliseconds since the epoch; that of the last ejection, over or not. */
  until: number
  ejectedFor: number
}

type Records = Map<string, History>

/**
 * Holds targets out that fail at requests, for a while that grows. They come back by themselves: without requests there
 * is nothing to learn by. Returns what hears of each attempt.
 */
export function watchOutliers(host: Host, service: ServiceView<unknown>, options: PassiveOptions) {
  const records = host.share<Records>({ name: `health.outliers ${service.name}`, create: () => new Map() })
  const timers = new Set<NodeJS.Timeout>()
  host.defer(() => {
    for (const timer of timers) clearTimeout(timer)
  })
  for (const target of service.targets) {
    const until = records.get(target.url)?.until ?? 0
    if (until > host.clock.now()) holdUntil(target, until)
  }

  function holdUntil(target: Target, until: number): void {
    const release = service.holdOut(target, 'ejected: it failed at requests', until)
    const timer = setTimeout(() => {
      timers.delete(timer)
      release()
    }, until - host.clock.now())
    timer.unref()
    timers.add(timer)
  }

  function mayEject(now: number): boolean {
    const { targets } = service
    const out = targets.filter(({ url }) => (records.get(url)?.until ?? 0) > now).length
    return out + 1 <= options.maxEjected * targets.length
  }

  function eject(target: Target, record: History, now: number): void {
    // One that has done well for as long as it was out is forgiven.
    if (now - record.until > record.ejectedFor) record.ejections = 0
    record.ejectedFor = Math.min(options.ejectFor * 2 ** record.ejections, options.maxEjectFor)
    record.ejections++
    record.until = now + record.ejectedFor
    record.failures = record.requests = record.failed = 0
    holdUntil(target, record.until)
    host.log.warn('a target is ejected', { service: service.name, target: target.url, ms: record.ejectedFor })
  }

  return (target: Target, outcome: Outcome): void => {
    const hasFailed = isFailure(outcome)
    let record = records.get(target.url)
    if (record === undefined) {
      // A target that never failed has no record, unless its rate is wanted.
      if (!hasFailed && options.errorRate === undefined) return
      for (const url of records.keys()) if (!service.targets.some(one => one.url === url)) records.delete(url)
      record = { failures: 0, requests: 0, failed: 0, since: 0, ejections: 0, until: 0, ejectedFor: 0 }
      records.set(target.url, record)
    }
    if (!hasFailed) record.failures = 0
    if (!hasFailed && options.errorRate === undefined) return
    const now = host.clock.now()
    // What was sent before the ejection has been counted by it.
    if (record.until > now) return
    if (now - record.since >= options.window) {
      record.since = now
      record.requests = record.failed = 0
    }
    record.requests++
    if (!hasFailed) return
    record.failures++
    record.failed++
    const isOften =
      options.errorRate !== undefined &&
      record.requests >= options.minRequests &&
      record.failed >= options.errorRate * record.requests
    if ((record.failures >= options.failures || isOften) && mayEject(now)) eject(target, record, now)
  }
}

/** No answer, or one that says that there is something wrong with the server. */
function isFailure(outcome: Outcome): boolean {
  if ('error' in outcome) return outcome.error instanceof GatewayError && outcome.error.source === 'upstream'
  return outcome.status >= 500 && outcome.status !== 501 && outcome.status !== 505
}
