import type { Context } from '@gateway/core'
import { type Rate, ticksPerMs } from './algorithms.ts'
import { compileKey, type KeyOf } from './client-key.ts'
import type { Policy } from './options.ts'

/** A policy made ready for the requests of one route. */
export type Limit = RateLimit | ConcurrencyLimit

export interface RateLimit extends Common {
  readonly rate: Rate
}

export interface ConcurrencyLimit extends Common {
  readonly rate: undefined
}

interface Common {
  readonly name: string
  /** What counts together, for all workers, gateways and reloads: scope, name and kind. */
  readonly id: string
  readonly limit: number
  readonly keyOf: KeyOf
  readonly costOf: (ctx: Context) => number
  /** Name of its store; undefined: the default. */
  readonly store: string | undefined
  /** Its item of RateLimit-Policy. */
  readonly policyItem: string
}

export interface Place {
  readonly plugin: 'rateLimit' | 'floodLimit'
  readonly route: string
  readonly service: string | undefined
  problem(message: string): void
}

/** The limits of a route: the gateway's, then its own. */
export function compileLimits(everywhere: readonly Policy[], own: readonly Policy[], place: Place): Limit[] {
  const seen = new Map<string, number>()
  const names = new Set<string>()
  const compile = (policy: Policy, written: 'gateway' | 'route') => {
    const scope = policy.scope ?? written
    const nth = (seen.get(scope) ?? 0) + 1
    seen.set(scope, nth)
    const isFirst = place.plugin === 'floodLimit'
    const own = isFirst ? `flood-${scope}` : scope
    const name = policy.name ?? (nth === 1 ? own : `${own}-${nth}`)
    if (names.has(name)) place.problem(`has two rate limits of the name "${name}": give each its own`)
    names.add(name)
    if (scope === 'service' && place.service === undefined) {
      place.problem(`has no service for its rate limit "${name}" of scope service: choose the scope route or gateway`)
    }
    if (isFirst && (policy.by === 'user' || policy.by === 'apiKey')) {
      place.problem(`counts its limit "${name}" by ${policy.by}, whom nobody knows yet: use rateLimit for that`)
    }
    const counted = scope === 'gateway' ? 'gateway' : `${scope} ${place[scope]}`
    return compileLimit(policy, name, isFirst ? `flood ${counted}` : counted)
  }
  return [...everywhere.map(policy => compile(policy, 'gateway')), ...own.map(policy => compile(policy, 'route'))]
}

function compileLimit(policy: Policy, name: string, scope: string): Limit {
  const { limit, algorithm, window = 0, burst = limit, by, cost, store } = policy
  const ticks = window * ticksPerMs
  const common = {
    name,
    // With what the form of a counter depends on. Limit and burst are not among it: a reload that changes them goes on counting.
    id: `${scope}|${name}|${algorithm}${algorithm === 'slidingWindow' ? ` ${window}` : ''}`,
    limit,
    keyOf: compileKey(by),
    costOf: typeof cost === 'number' ? () => cost : checkedCost(cost, name),
    store,
    policyItem: policyItem(name, limit, algorithm === 'concurrency', window),
  }
  if (algorithm === 'concurrency') return { ...common, rate: undefined }
  return { ...common, rate: { algorithm, limit, window: ticks, burst, interval: Math.ceil(ticks / limit) } }
}

function checkedCost(cost: (ctx: Context) => number, name: string): (ctx: Context) => number {
  return ctx => {
    const units = cost(ctx)
    if (units >= 0 && Number.isFinite(units)) return units
    throw new TypeError(`the cost of rate limit "${name}" must be a number from 0 on, not ${units}`)
  }
}

/** draft-ietf-httpapi-ratelimit-headers-11, section 3.1. Windows are whole seconds there, and others are left out. */
function policyItem(name: string, limit: number, concurrency: boolean, window: number): string {
  if (concurrency) return `"${name}";q=${limit};qu="concurrent-requests"`
  return `"${name}";q=${limit}${window >= 1000 && window % 1000 === 0 ? `;w=${window / 1000}` : ''}`
}
