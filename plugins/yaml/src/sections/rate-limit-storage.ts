import { suggest } from '@gateway/core'
import type { Builder } from '../build/builder.ts'
import type { Input } from '../ir/make-ir.ts'
import { storesOfRules } from '../rules/rate-limit.ts'
import { type GivenOf, mapOf, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { type GivenRedis, redisStore, redisTable } from './redis.ts'
import { pair } from './section.ts'

const storeTable = table({
  type: text({ says: 'Where counters are.', default: 'memory', oneOf: ['memory', 'redis'] }),
  redis: redisTable,
})

const keys = table({
  default: text({ says: 'The store of rules that name none.', default: 'default' }),
  stores: mapOf(storeTable, { says: 'By name; a store "default" in memory is always there.' }),
})

/** Counts only once a rule has a limit. What nobody names is not connected to. */
export const rateLimitStorage = pair(['rateLimitStorage', keys], ['redis', redisTable], (given, redis, gateway) => {
  if (!gateway.hasPlugin('@gateway/ratelimit', 'rateLimit')) return
  const options = gateway.plugin('@gateway/ratelimit', 'rateLimit')
  const known = new Map(given?.stores)
  const store = (name: string) => {
    const one = known.get(name)
    return one === undefined ? 'memory' : storeOf(one, redis, gateway)
  }
  const isThere = (name: Given<string>) => check(name, [...known.keys(), 'default'], gateway)
  const byDefault = given?.default
  if (byDefault === undefined || isThere(byDefault)) {
    const chosen = store(byDefault?.value ?? 'default')
    options.set('store', chosen === 'memory' ? undefined : chosen)
  }
  const named = new Set<string>()
  for (const rule of gateway.rules.values()) {
    const name = storesOfRules.get(rule)
    if (name === undefined || !isThere(name) || named.has(name.value)) continue
    named.add(name.value)
    options.in('stores').setKey(name.value, store(name.value))
  }
})

function storeOf({ type, redis }: GivenOf<typeof storeTable>, common: GivenRedis | undefined, gateway: Builder): Input {
  if (type?.value !== 'redis') return 'memory'
  return redisStore(redis ?? common, gateway)
}

function check(name: Given<string>, known: readonly string[], { problems }: Builder): boolean {
  if (known.includes(name.value)) return true
  const near = suggest(name.value, known)
  const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean "${near}"?`
  problems.error(name, `there is no store "${name.value}"`, { hint })
  return false
}
