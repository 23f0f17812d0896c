import { createHash } from 'node:crypto'
import type { Group } from '../build/group.ts'
import { either, integer, number, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { rulePart } from './rule-part.ts'

const perSecond = number({ says: 'Requests a second of one client address; 0: any.', min: 0, default: 0 })
const burst = integer({ says: 'Requests that may come at once; default: as many as in a second.', min: 0 })

const keys = {
  rateLimit: either({ scalar: perSecond, mapping: table({ requestsPerSecond: perSecond, burst }) }),
  rateLimitBurst: burst,
  rateLimitExpiration: integer({ noEffect: 'who is not counted any more is forgotten by itself', quiet: true }),
  rateLimitStorage: text({ says: 'One of rateLimitStorage.stores.' }),
} as const

/** What rules name, for whoever knows which stores there are. */
export const storesOfRules = new WeakMap<Group, Given<string>>()

/** All routes of a rule count together. */
export const rateLimitOfRule = rulePart(keys, (given, rule, gateway) => {
  const { rateLimit, rateLimitBurst, rateLimitStorage } = given
  if (rateLimit === undefined) return
  const isLone = 'value' in rateLimit
  const limit = isLone ? rateLimit : rateLimit.requestsPerSecond
  if (limit === undefined || limit.value === 0) return
  const most = rateLimitBurst ?? (isLone ? undefined : rateLimit.burst)
  if (rateLimitStorage !== undefined) storesOfRules.set(rule, rateLimitStorage)
  gateway.plugin('@gateway/ratelimit', 'rateLimit', limit.node)
  const { count, window } = inWholeRequests(limit.value)
  rule.set('rateLimit', {
    limit: limit.map(() => count),
    window,
    burst: most?.value ? most : undefined,
    scope: 'service',
    name: limitName(rule.name),
    store: rateLimitStorage,
  })
})

/** Half a request a second is one in two. */
function inWholeRequests(perSecond: number): { readonly count: number; readonly window: string } {
  if (Number.isInteger(perSecond)) return { count: perSecond, window: '1s' }
  if (perSecond >= 1) return { count: Math.round(perSecond * 1_000), window: '1000s' }
  return { count: 1, window: `${Math.max(1, Math.round(1_000 / perSecond))}ms` }
}

/** A rule's id as the name of a limit. One that had to be changed has a mark of what it was, so that no two are the same. */
function limitName(id: string): string {
  const name = id.replace(/[^A-Za-z0-9_.:/-]/g, '-').slice(0, 64)
  return name === id ? id : `${name.slice(0, 48)}-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
}
