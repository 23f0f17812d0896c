import type { DiscoveryState, Service } from './service.ts'
import type { UpstreamTarget } from './target.ts'

/** A target as it stands. Times are milliseconds since the epoch. */
export interface TargetInfo {
  readonly url: string
  /** Less than what is configured while a plugin scales it down. */
  readonly weight: number
  readonly priority: number
  readonly zone?: string
  /** Requests under way to it; those of other services that share its connections are among them. */
  readonly inFlight: number
  /** Whether the balancer may choose it: one may be out and taken all the same, or well and kept in reserve. */
  readonly inUse: boolean
  /** Plugins hold it out, since `since`, for these reasons, until `until` where they can tell. */
  readonly out?: { readonly since: number; readonly until?: number; readonly reasons: readonly string[] }
}

/** A service as it stands, for whoever asks how the gateway is. */
export interface ServiceInfo {
  readonly name: string
  /** Absent when the config lists the targets. */
  readonly discovery?: DiscoveryState
  readonly targets: readonly TargetInfo[]
}

export function serviceInfo(service: Service): ServiceInfo {
  const { name, discovery, targets } = service
  const inUse = new Set(candidatesOf(service))
  return {
    name,
    ...(discovery && { discovery }),
    targets: targets.map(target => targetInfo(target, inUse.has(target))),
  }
}

/** Not those that requests go by: a plugin that fails at them is to fail at a request, which tells of it. */
function candidatesOf(service: Service): readonly UpstreamTarget[] {
  try {
    return service.narrow()
  } catch {
    return []
  }
}

function targetInfo({ url, weight, priority, zone, inFlight, state }: UpstreamTarget, inUse: boolean): TargetInfo {
  const { since, until, reasons } = state
  return {
    url,
    weight,
    priority,
    ...(zone !== undefined && { zone }),
    inFlight,
    inUse,
    ...(since !== undefined && { out: { since, ...(until !== undefined && { until }), reasons } }),
  }
}
