import type { Log, RouteSpec, TargetSpec } from '../contract/host.ts'
import type { DiscoveryState, Service } from './service.ts'
import { type RequestPool, toTargets, type UpstreamTarget } from './target.ts'

export interface FoundOptions {
  /** The provider's name. */
  readonly use: string
  readonly log: Log
  /** Milliseconds since the epoch. */
  now(): number
  /** Whether nobody sends to the service any more. */
  isOver(): boolean
  /** Undefined, and the faults reported, when it is no target. */
  read(given: unknown, report: (fault: string) => void): TargetSpec | undefined
  poolOf(url: string): RequestPool
  /** The routes that are wanted to the service now. */
  claim(routes: readonly RouteSpec[]): void
  /** The target is no longer one of the service. */
  letGo(target: UpstreamTarget): void
}

/** What a provider of a service's targets calls: {@link Discovery.watch}. */
export interface Found {
  found(targets: readonly TargetSpec[], routes?: readonly RouteSpec[]): void
  lost(reason: string): void
}

/**
 * Keeps the service's targets as a provider finds them. One that stays is the same object, and when none came, went or
 * changed, so is the list. What is no target is left out and logged; a source that is lost changes nothing but the state.
 */
export function keepFound(
  service: Service,
  { use, log, now, isOver, read, poolOf, claim, letGo }: FoundOptions,
): Found {
  const about = { service: service.name, discovery: use }
  let complaints = new Set<string>()
  const enter = (state: DiscoveryState['state'], reason?: string) => {
    const { since = now() } = service.discovery?.state === state ? service.discovery : {}
    service.discovery = { use, state, since, ...(reason !== undefined && { reason }) }
  }
  if (service.discovery === undefined) enter('waiting')

  function usable(given: readonly TargetSpec[]): TargetSpec[] {
    const specs = new Map<string, TargetSpec>()
    const said = new Set<string>()
    for (const item of given) {
      const spec = read(item, fault => said.add(fault))
      if (spec !== undefined && !specs.has(spec.url)) specs.set(spec.url, spec)
    }
    const fresh = [...said].filter(fault => !complaints.has(fault))
    complaints = said
    if (fresh.length > 0) log.error('targets that were found are left out', { ...about, faults: fresh })
    return [...specs.values()]
  }

  function lost(reason: string): void {
    if (isOver()) return
    if (service.discovery?.state !== 'stale') {
      const targets = service.targets.length
      log.warn('a discovery lost its source, the last targets stay', { ...about, reason, targets })
    }
    enter('stale', reason)
  }

  return {
    found(given, routes = []) {
      if (isOver()) return
      if (!Array.isArray(given)) return lost('the provider did not tell a list of targets')
      claim(Array.isArray(routes) ? routes : [])
      const before = service.targets
      const targets = toTargets(usable(given), before, service.changes, poolOf)
      if (service.discovery?.state === 'stale') log.info('a discovery found its source again', about)
      enter('found')
      const [came, went] = [without(targets, before), without(before, targets)]
      // In whatever order: name servers turn theirs round at each answer.
      if (came.length + went.length === 0) return
      service.targets = targets
      log.info('targets changed', { ...about, added: came.map(urlOf), removed: went.map(urlOf) })
      went.forEach(letGo)
    },
    lost,
  }
}

const urlOf = ({ url }: UpstreamTarget) => url

function without<T>(list: readonly T[], others: readonly T[]): T[] {
  const known = new Set(others)
  return list.filter(item => !known.has(item))
}
