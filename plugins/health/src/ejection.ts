import type { Host, ServiceView, Target } from '@gateway/core'

export interface EjectionOptions {
  /** Milliseconds of the first ejection in a row, and at most. */
  readonly ejectFor: number
  readonly maxEjectFor: number
  /** Part of the targets that may be out at a time. */
  readonly maxEjected: number
}

/** The ejections of a target, kept over reloads. */
interface History {
  /** In a row, each longer than the one before. */
  count: number
  /** Milliseconds since the epoch; that of the last ejection, over or not. */
  until: number
  lasted: number
  /** What it did. */
  reason: string
}

export interface Ejector {
  isOut(target: Target): boolean
  /** Holds a target out, unless that would be one too many. True when it did. */
  eject(target: Target, reason: string): boolean
}

/**
 * Holds targets out that do badly at requests, for a while that grows. They come back by themselves: without requests there
 * is nothing to learn by.
 */
export function createEjector(host: Host, service: ServiceView<unknown>, options: EjectionOptions): Ejector {
  const histories = host.share<Map<string, History>>({
    name: `health.ejections ${service.name}`,
    create: () => new Map(),
  })
  const waits = new Set<() => void>()
  host.defer(() => {
    for (const cancel of waits) cancel()
  })
  const isOut = ({ url }: Target) => (histories.get(url)?.until ?? 0) > host.clock.now()
  for (const target of service.targets) {
    const history = histories.get(target.url)
    if (history !== undefined && isOut(target)) hold(target, history)
  }

  function hold(target: Target, { until, reason }: History): void {
    const release = service.holdOut(target, `ejected: ${reason}`, until)
    const cancel = host.clock.after(until - host.clock.now(), () => {
      waits.delete(cancel)
      release()
    })
    waits.add(cancel)
  }

  function historyOf({ url }: Target): History {
    const known = histories.get(url)
    if (known !== undefined) return known
    for (const other of histories.keys()) if (!service.targets.some(one => one.url === other)) histories.delete(other)
    const history = { count: 0, until: 0, lasted: 0, reason: '' }
    histories.set(url, history)
    return history
  }

  return {
    isOut,
    eject(target, reason) {
      const { targets } = service
      // Whoever keeps the others out: two that are careful each must not leave nobody.
      const out = targets.filter(one => one !== target && (isOut(one) || !one.available)).length
      if (out + 1 > options.maxEjected * targets.length) return false
      const history = historyOf(target)
      const now = host.clock.now()
      // One that has done well for as long as it was out is forgiven.
      if (now - history.until > history.lasted) history.count = 0
      history.lasted = Math.min(options.ejectFor * 2 ** history.count, options.maxEjectFor)
      history.count++
      history.until = now + history.lasted
      history.reason = reason
      hold(target, history)
      host.log.warn('a target is ejected', { service: service.name, target: target.url, ms: history.lasted, reason })
      return true
    },
  }
}
