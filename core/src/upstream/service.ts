import type { Context } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Attempt, Outcome, ServiceHooks } from '../contract/hooks.ts'
import type { Balancer, Connector } from '../contract/host.ts'
import { type Changes, UpstreamTarget } from './target.ts'

export interface ServiceOptions {
  readonly balancer: Balancer
  readonly connector: Connector | undefined
  readonly preserveHost: boolean
  readonly hooks?: readonly ServiceHooks[]
  /** Of the targets; see {@link TargetState}. */
  readonly changes?: Changes
}

/** How it stands with a service whose targets a provider finds. */
export interface DiscoveryState {
  /** The provider's name. */
  readonly use: string
  /** `waiting`: it has not said anything yet. `stale`: its source cannot be asked, the targets are those found last. */
  readonly state: 'waiting' | 'found' | 'stale'
  /** Why they are stale. */
  readonly reason?: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** A named group of targets that serve the same. */
export class Service {
  readonly name: string
  readonly preserveHost: boolean
  readonly connector: Connector | undefined
  readonly hooks: readonly ServiceHooks[]
  readonly changes: Changes
  /** Undefined when the config lists the targets, or nothing is known of their discovery yet. */
  discovery: DiscoveryState | undefined
  readonly #balancer: Balancer
  #targets: readonly UpstreamTarget[]
  #candidates: readonly UpstreamTarget[] = []
  /** Count of changes that the candidates are of. */
  #seen = -1

  constructor(name: string, targets: readonly UpstreamTarget[], options: ServiceOptions) {
    this.name = name
    this.#targets = targets
    this.#balancer = options.balancer
    this.connector = options.connector
    this.preserveHost = options.preserveHost
    this.hooks = options.hooks ?? []
    this.changes = options.changes ?? { count: 0 }
  }

  get targets(): readonly UpstreamTarget[] {
    return this.#targets
  }

  /** A discovery provider found other targets. */
  set targets(targets: readonly UpstreamTarget[]) {
    this.#targets = targets
    this.#seen = -1
  }

  /** What can be chosen now: the same list until something changes. */
  get candidates(): readonly UpstreamTarget[] {
    if (this.#seen !== this.changes.count) {
      // Before the hooks, which may change something themselves.
      this.#seen = this.changes.count
      this.#candidates = this.narrow()
    }
    return this.#candidates
  }

  /** What can be chosen now, worked out anew. @throws what a plugin's hook throws */
  narrow(): readonly UpstreamTarget[] {
    const all = this.#targets
    let candidates = all.filter(target => target.available && target.weight > 0)
    for (const hooks of this.hooks) {
      if (hooks.narrow === undefined) continue
      candidates = hooks.narrow(candidates, all).filter(target => target instanceof UpstreamTarget)
    }
    return candidates
  }

  /**
   * What a plugin prefers, else the balancer's choice; where that is one of those to `avoid`, the next in the list that is
   * not, if there is one.
   */
  pick(ctx: Context, avoid?: readonly UpstreamTarget[]): UpstreamTarget | undefined {
    const targets = this.candidates
    for (const hooks of this.hooks) {
      const preferred = hooks.prefer?.(ctx, targets)
      if (preferred instanceof UpstreamTarget && preferred.available && avoid?.includes(preferred) !== true)
        return preferred
    }
    if (targets.length === 0) return undefined
    const picked = this.#balancer.pick(targets, ctx)
    if (!(picked instanceof UpstreamTarget)) return undefined
    if (avoid === undefined || !avoid.includes(picked)) return picked
    const place = targets.indexOf(picked)
    const others = [...targets.slice(place + 1), ...targets.slice(0, place)]
    return others.find(target => !avoid.includes(target)) ?? picked
  }

  /** Its balancer's step at the end of each attempt, if it wants to hear of it. */
  get observers() {
    const balancer = this.#balancer
    if (balancer.observe === undefined) return []
    const run = (_ctx: Context, { target }: Attempt, outcome: Outcome) => balancer.observe?.(target, outcome)
    return [{ plugin: 'gateway', position: 0, run }]
  }

  /** What a request is told that no target was picked for. */
  refusal(): GatewayError {
    const why = this.#targets.flatMap(({ url, state }) => (state.available ? [] : `${url} ${state.reasons.join(', ')}`))
    if (why.length === 0 && this.discovery !== undefined) why.push(discoveryText(this.discovery))
    const message = `service "${this.name}" has no target to send to${why.length === 0 ? '' : `: ${why.join('; ')}`}`
    // The first to come back ends the outage.
    const until = Math.min(
      ...this.#targets.map(({ state }) => (state.available ? Infinity : (state.until ?? Infinity))),
    )
    if (!Number.isFinite(until)) return new GatewayError('GATEWAY_NO_HEALTHY_TARGET', message)
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1_000))
    return new GatewayError('GATEWAY_NO_HEALTHY_TARGET', message, { headers: { 'Retry-After': String(seconds) } })
  }
}

function discoveryText({ use, state, reason }: DiscoveryState): string {
  if (state === 'found') return `${use} finds none`
  return reason === undefined ? `${use} has not found any yet` : `${use} cannot look: ${reason}`
}
