import type { Entry, Json, SerialisedModel } from '../control/serialise-model.ts'
import { compareModels, isDifferent, type ModelChanges } from './compare-models.ts'

/**
 * What a reload would do; part of `gateway plan --json`. Fields may be added, none of these changes its meaning.
 */
export interface ReloadPlan extends ModelChanges {
  /** Whether anything differs. */
  readonly differs: boolean
  /** What becomes of services that are in both. */
  readonly serviceFates: readonly ServiceFate[]
  /** Connections that a reload does not leave as they are. */
  readonly connections: readonly ConnectionEffect[]
}

export interface ServiceFate {
  readonly name: string
  /** `kept`: the same object goes on, with the state of its balancer. */
  readonly fate: 'kept' | 'rebuilt'
  /** Why it is rebuilt: sentences. */
  readonly because: readonly string[]
  /** Those that the config lists, by URL. Of a kept target the state stays, and of one whose weight changed the connections. */
  readonly targets: { readonly added: readonly string[]; readonly removed: readonly string[]; readonly kept: number }
}

export interface ConnectionEffect {
  readonly of: 'clients' | 'targets'
  /** Listener, origin of a target, or who the rest is about. */
  readonly at: string
  readonly effect: string
}

/** Both serialised with one salt. */
export function planReload(before: SerialisedModel, after: SerialisedModel): ReloadPlan {
  const changes = compareModels(before, after)
  const differs = isDifferent(changes)
  return {
    differs,
    ...changes,
    serviceFates: fatesOf(before, after, changes).map(fate =>
      differs ? fate : { ...fate, fate: 'kept', because: [] },
    ),
    connections: [
      ...closedListeners(before, changes),
      ...leavingWorkers(changes),
      ...closedPools(before, after),
      ...closedDiscoveries(before, after, changes),
    ],
  }
}

/** As generation/build.ts has it: an equal service stays, unless a plugin provides something for it. */
function fatesOf(before: SerialisedModel, after: SerialisedModel, { services }: ModelChanges): ServiceFate[] {
  const changed = new Map(services.changed.map(({ name, changes }) => [name, changes]))
  return [...services.kept, ...changed.keys()].sort().map(name => {
    const now = after.services[name]
    const keys = new Set(changed.get(name)?.map(({ path: [key = ''] }) => key))
    const because = [
      ...(keys.size === 0 ? [] : [`${[...keys].join(', ')} changed`]),
      ...providedFor(now).map(what => `its ${what} is a plugin's, and plugins are set up anew`),
      ...(holdsCode(now) ? ['its options hold functions or instances, which are new ones after every load'] : []),
    ]
    const [old, current] = [before.services[name], now].map(targetsOf)
    return {
      name,
      fate: because.length === 0 ? 'kept' : 'rebuilt',
      because,
      targets: {
        added: [...(current ?? [])].filter(target => !old?.has(target)),
        removed: [...(old ?? [])].filter(target => !current?.has(target)),
        kept: [...(current ?? [])].filter(target => old?.has(target)).length,
      },
    }
  })
}

function providedFor(service: Entry | undefined): string[] {
  const { balance, connector, discover } = service ?? {}
  const uses = { balancer: useOf(balance), connector: useOf(connector), discovery: useOf(discover) }
  return Object.entries(uses).flatMap(([what, use]) =>
    use === undefined || (what === 'balancer' && use === 'roundRobin') ? [] : [`${what} "${use}"`],
  )
}

const useOf = (choice: Json | undefined) => textAt(choice, 'use')

/** As serialising shows functions, and instances of classes. */
function holdsCode(value: Json | undefined): boolean {
  if (typeof value === 'string') return /^\[(?:function\b.*|[A-Z]\w*)\]$/s.test(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsCode)
}

function targetsOf(service: Entry | undefined): Set<string> {
  const targets = Array.isArray(service?.targets) ? service.targets : []
  return new Set(targets.flatMap(target => textAt(target, 'url') ?? []))
}

function textAt(value: Json | undefined, key: string): string | undefined {
  const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  return typeof text === 'string' ? text : undefined
}

function closedListeners({ settings }: SerialisedModel, { listeners }: ModelChanges): ConnectionEffect[] {
  return listeners.removed.map(at => {
    const portOf = (name: string) => name.replace(/, \d+$/, '').replace(/^.*:/, '')
    const heir = listeners.added.find(name => portOf(name) === portOf(at) && portOf(at) !== '0')
    const moment = heir === undefined ? '' : `; ${heir} may have to wait for its port, a moment without a listener`
    const drainTime = `${Number(settings.drainTimeoutMs) / 1000} s`
    const effect = `idle ones are closed, others after their exchange, at the latest after ${drainTime}${moment}`
    return { of: 'clients', at, effect }
  })
}

/** Only one worker serves in the main thread, and never again once there were several. */
function leavingWorkers({ settings }: ModelChanges): ConnectionEffect[] {
  const { before, after } = settings.find(({ path: [key] }) => key === 'workers') ?? {}
  const none = typeof before === 'number' && typeof after === 'number' && after >= before && before > 1
  if (before === after || none) return []
  const effect = 'those of workers that leave are closed after the next answer'
  return [{ of: 'clients', at: `${before} → ${after} workers`, effect }]
}

/** As generation/build.ts has it: connections stay for as long as a service has that target with these options. */
function closedPools(before: SerialisedModel, after: SerialisedModel): ConnectionEffect[] {
  const [old, now] = [poolsOf(before), poolsOf(after)]
  return [...old].flatMap(([key, at]): ConnectionEffect[] => {
    if (now.has(key)) return []
    const stays = [...now.values()].includes(at)
    const again = stays ? '; new ones are opened, with the new options' : ''
    return [{ of: 'targets', at, effect: `closed when the last request on them has ended${again}` }]
  })
}

function poolsOf({ services }: SerialisedModel): Map<string, string> {
  return new Map(
    Object.values(services).flatMap(service =>
      Array.from(targetsOf(service), (url): [string, string] => [`${url} ${poolOptions(service)}`, url]),
    ),
  )
}

const poolOptions = ({ pool, protocol, tls }: Entry) => JSON.stringify([pool, protocol, tls])

/** Which targets are found is not in the config. */
function closedDiscoveries(
  before: SerialisedModel,
  after: SerialisedModel,
  { services }: ModelChanges,
): ConnectionEffect[] {
  return [...services.removed, ...services.changed.map(({ name }) => name)].flatMap((at): ConnectionEffect[] => {
    const { [at]: old } = before.services
    const { [at]: now } = after.services
    if (old?.discover === undefined) return []
    const same = now && JSON.stringify(now.discover) === JSON.stringify(old.discover)
    if (same && poolOptions(now) === poolOptions(old)) return []
    return [
      {
        of: 'targets',
        at,
        effect: 'those to targets that were discovered are closed, where no other service has them',
      },
    ]
  })
}
