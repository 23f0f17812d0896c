import {
  type Awaitable,
  type Context,
  type Counts,
  problem,
  type Reply,
  type RouteHooks,
  type Slot,
} from '@gateway/core'
import { type Reading, ticksAt, ticksPerMs } from './algorithms.ts'
import { retryAfter, writeFields } from './fields.ts'
import type { HashKey } from './key-table.ts'
import type { ConcurrencyLimit, RateLimit } from './limit.ts'
import type { RateCheck, RateTable } from './rate-table.ts'
import type { RedisStore } from './redis-store.ts'

type Bound<L> = L & { readonly hashKey: HashKey }

/** All that the limits of one route need. */
export interface GateParts {
  readonly slot: Slot<Decision>
  readonly local: readonly Bound<RateLimit>[]
  readonly remote: readonly Bound<RateLimit>[]
  readonly concurrent: readonly ConcurrencyLimit[]
  readonly rates: RateTable
  /** Requests under way. */
  readonly counts: Counts
  /** There where `remote` is not empty. */
  readonly redis: RedisStore | undefined
  readonly onStoreFailure: 'local' | 'allow' | 'deny'
  readonly fields: boolean
  readonly now: () => number
}

interface PlaceCheck extends Reading {
  readonly limit: ConcurrencyLimit
  readonly key: string
  /** Gives back the place that it takes. */
  leave: (() => void) | undefined
}

type Check = RateCheck & { readonly limit: Bound<RateLimit> }

export interface Decision {
  readonly local: Check[]
  readonly remote: Check[]
  readonly places: PlaceCheck[]
}

const unread = { admitted: true, remaining: -1, retryTicks: 0, resetTicks: 0 }

/**
 * The hooks of a route with limits. A request passes when every limit admits it, and one that is refused takes nothing
 * from any: memory first, for it can give back; then Redis, which decides on all of its limits at once.
 */
export function gateHooks(parts: GateParts): RouteHooks {
  return {
    onRequest: ctx => admit(ctx, parts),
    ...(parts.fields && {
      onResponse(ctx, { headers }) {
        const decision = ctx.get(parts.slot)
        if (decision !== undefined) writeFields(headers, [...decision.local, ...decision.remote, ...decision.places])
      },
    }),
    ...(parts.concurrent.length > 0 && {
      onFinish(ctx) {
        const decision = ctx.get(parts.slot)
        if (decision !== undefined) leave(decision)
      },
    }),
  }
}

function admit(ctx: Context, parts: GateParts): Awaitable<Reply | void> {
  const decision: Decision = { local: [], remote: [], places: [] }
  ask(ctx, parts.local, decision.local)
  ask(ctx, parts.remote, decision.remote)
  for (const limit of parts.concurrent) {
    const key = limit.keyOf(ctx)
    if (key !== undefined) decision.places.push({ limit, key: `${limit.id} ${key}`, leave: undefined, ...unread })
  }
  const { local, remote, places } = decision
  if (local.length + remote.length + places.length === 0) return
  ctx.set(parts.slot, decision)

  const { rates, redis } = parts
  if (local.length > 0 && !rates.decide(local, ticksAt(parts.now()))) return refuse(ctx, decision, parts)
  if (places.length > 0 && !enter(places, parts)) return refuse(ctx, decision, parts)
  if (remote.length === 0) return
  if (redis?.ready !== true) return concluded(ctx, undefined, decision, parts)
  return redis.decide(remote).then(answer => concluded(ctx, answer, decision, parts))
}

function ask(ctx: Context, limits: readonly Bound<RateLimit>[], checks: Check[]): void {
  for (const limit of limits) {
    const key = limit.keyOf(ctx)
    if (key === undefined) continue
    const cost = limit.costOf(ctx)
    checks.push({ limit, key, cost, slot: -1, before: 0n, after: 0n, ...unread })
  }
}

/** Whether there is a place under every limit; then they are taken. */
function enter(checks: readonly PlaceCheck[], { counts }: GateParts): boolean {
  let admitted = true
  for (const check of checks) {
    const { limit } = check.limit
    const entered = counts.enter([[check.key, limit]])
    check.admitted = typeof entered === 'function'
    check.leave = typeof entered === 'function' ? entered : undefined
    check.remaining = check.admitted ? Math.max(0, limit - counts.count(check.key)) : 0
    // Nobody knows when a request will end.
    check.retryTicks = check.admitted ? 0 : 1000 * ticksPerMs
    if (!check.admitted) admitted = false
  }
  return admitted
}

function leave(decision: Decision): void {
  for (const check of decision.places) {
    check.leave?.()
    check.leave = undefined
  }
}

/** @param answer of Redis; undefined: there was none. */
function concluded(ctx: Context, answer: boolean | undefined, decision: Decision, parts: GateParts): Reply | void {
  if (answer === true) return
  if (answer === false) return refuse(ctx, decision, parts)
  if (parts.onStoreFailure === 'allow') return
  if (parts.onStoreFailure === 'local') {
    return parts.rates.decide(decision.remote, ticksAt(parts.now())) ? undefined : refuse(ctx, decision, parts)
  }
  giveBack(decision, parts)
  return problem(ctx, {
    status: 503,
    code: 'RATE_LIMIT_UNAVAILABLE',
    title: 'Service unavailable',
    headers: { 'Retry-After': '1' },
  })
}

function giveBack(decision: Decision, parts: GateParts): void {
  parts.rates.undo(decision.local)
  leave(decision)
}

function refuse(ctx: Context, decision: Decision, parts: GateParts): Reply {
  giveBack(decision, parts)
  const checks = [...decision.local, ...decision.remote, ...decision.places]
  const used = checks.flatMap(({ admitted, limit }) => (admitted ? [] : [limit.name]))
  const after = retryAfter(checks)
  return problem(ctx, {
    status: 429,
    code: 'RATE_LIMIT_EXCEEDED',
    title: 'Too many requests',
    detail: `rate limit ${used.map(name => `"${name}"`).join(', ')}`,
    ...(after !== undefined && { headers: { 'Retry-After': after } }),
  })
}
