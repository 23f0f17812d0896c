import type { Target } from '../contract/hooks.ts'
import type { TargetSpec } from '../contract/host.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import type { Endpoint } from './connect.ts'

/** Connections to one origin, whichever version of HTTP they speak. */
export interface RequestPool {
  /** Where its connections go to; undefined when it is played. */
  readonly endpoint: Endpoint | undefined
  /** Requests not yet finished, those that wait included. */
  readonly inFlight: number
  request(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler): ClientStream
  /** Resolves once every request has ended and every connection is closed. */
  close(): Promise<void>
}

/** Why a target is not to be chosen, and until when that can be expected to last. */
interface Hold {
  readonly reason: string
  /** Milliseconds since the epoch. */
  readonly until: number | undefined
}

/** Counts what changed about a service's targets, so that a list made of them can tell that it is of yesterday. */
export interface Changes {
  count: number
}

/** What plugins say of a target. Handed on from reload to reload, whatever else about the target is edited. */
export class TargetState {
  readonly changes: Changes
  /** The part of its weight that everybody leaves it. */
  factor = 1
  readonly #holds = new Set<Hold>()
  #heldSince = 0
  readonly #factors = new Map<object, number>()

  constructor(changes: Changes) {
    this.changes = changes
  }

  get available(): boolean {
    return this.#holds.size === 0
  }

  get reasons(): string[] {
    return Array.from(this.#holds, ({ reason }) => reason)
  }

  /** Since when somebody holds it, whoever it was first; milliseconds since the epoch. Undefined when nobody does. */
  get since(): number | undefined {
    return this.available ? undefined : this.#heldSince
  }

  /** When the last of those that hold it can be expected to let go; undefined when one of them cannot say. */
  get until(): number | undefined {
    const ends = Array.from(this.#holds, ({ until }) => until ?? Infinity)
    const last = Math.max(0, ...ends)
    return Number.isFinite(last) ? last : undefined
  }

  /** Returns how to let go; to do so twice is to do it once. */
  hold(hold: Hold): () => void {
    if (this.available) this.#heldSince = Date.now()
    this.#holds.add(hold)
    this.changes.count++
    return () => {
      if (this.#holds.delete(hold)) this.changes.count++
    }
  }

  /** What `owner` leaves it of its weight: 1 is all. */
  scale(owner: object, factor: number): void {
    if (factor === 1) this.#factors.delete(owner)
    else this.#factors.set(owner, factor)
    const least = Math.min(1, ...this.#factors.values())
    if (least === this.factor) return
    this.factor = least
    this.changes.count++
  }
}

const nothing: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/** A target with the connections to it. The pool outlives the generation; weight and place in a service do not. */
export class UpstreamTarget implements Target {
  readonly url: string
  readonly priority: number
  readonly zone: string | undefined
  readonly metadata: Readonly<Record<string, string>>
  /** Host and port for the Host field. */
  readonly authority: string
  readonly pool: RequestPool
  readonly state: TargetState
  /** As configured. */
  readonly ownWeight: number

  constructor(spec: TargetSpec, pool: RequestPool, state = new TargetState({ count: 0 })) {
    this.url = spec.url
    this.ownWeight = spec.weight ?? 1
    this.priority = spec.priority ?? 0
    this.zone = spec.zone
    this.metadata = spec.metadata ?? nothing
    this.authority = spec.url.startsWith('unix:') ? 'localhost' : new URL(spec.url).host
    this.pool = pool
    this.state = state
  }

  /** As it was named. */
  get spec(): TargetSpec {
    const { url, ownWeight: weight, priority, zone, metadata } = this
    return { url, weight, priority, zone, metadata }
  }

  get weight(): number {
    return this.ownWeight * this.state.factor
  }

  get inFlight(): number {
    return this.pool.inFlight
  }

  get available(): boolean {
    return this.state.available
  }
}

/**
 * Targets for what a config or a provider named. Of those `known` before, one that is named alike stays the same object,
 * and one with the same URL hands on its state.
 */
export function toTargets(
  specs: readonly TargetSpec[],
  known: readonly UpstreamTarget[],
  changes: Changes,
  poolOf: (url: string) => RequestPool,
): UpstreamTarget[] {
  const byUrl = new Map(known.map(target => [target.url, target]))
  const byName = new Map(known.map(target => [nameOf(target, target.ownWeight), target]))
  return specs.map(spec => {
    const pool = poolOf(spec.url)
    const same = byName.get(nameOf(spec, spec.weight ?? 1))
    if (same?.pool === pool) return same
    return new UpstreamTarget(spec, pool, byUrl.get(spec.url)?.state ?? new TargetState(changes))
  })
}

function nameOf({ url, priority = 0, zone, metadata = {} }: TargetSpec, weight: number): string {
  return JSON.stringify([url, weight, priority, zone, Object.entries(metadata).sort()])
}
