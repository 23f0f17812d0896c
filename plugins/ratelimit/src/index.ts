import { definePlugin, defineSlot, type GatewayHooks, type Host } from '@gateway/core'
import type * as z from 'zod'
import { type Decision, gateHooks } from './gate.ts'
import { compileLimits, type Limit, type RateLimit } from './limit.ts'
import { type Options, optionsSchema, type RedisOptions, routeSchema } from './options.ts'
import { RateTable, rateTableBytes } from './rate-table.ts'
import { type RedisStore, sharedRedis } from './redis-store.ts'

/**
 * {@link rateLimit} before anybody is asked who calls: what stands between guesses, or a flood, and the plugins that judge
 * credentials. It knows no users.
 */
export const floodLimit = definePlugin({
  name: 'floodLimit',
  stage: 'guard',
  options: optionsSchema,
  routeOptions: routeSchema,
  alwaysOn: ({ limits }) => limits.length > 0,
  setup: (host, options) => setUp(host, options, 'floodLimit'),
})

/**
 * How many requests may come: token buckets, sliding windows, and requests under way; counted by client address, user, API
 * key, header or a function, for a route, a service or the gateway; in memory that all workers share, or in a Redis that
 * several gateways share.
 */
export const rateLimit = definePlugin({
  name: 'rateLimit',
  stage: 'admit',
  options: optionsSchema,
  routeOptions: routeSchema,
  alwaysOn: ({ limits }) => limits.length > 0,
  setup: (host, options) => setUp(host, options, 'rateLimit'),
})

const decisionSlots = {
  rateLimit: defineSlot<Decision>()('rateLimit.decision'),
  floodLimit: defineSlot<Decision>()('floodLimit.decision'),
}

async function setUp(
  host: Host,
  options: Options,
  plugin: keyof typeof decisionSlots,
): Promise<GatewayHooks<never, z.output<typeof routeSchema>>> {
  const redis = await openStores(host, options)
  const rates = ratesOf(host, options.maxKeys)
  const counts = host.counts('places')
  return {
    onRoute(route) {
      if (route.options === false) return
      const limits = compileLimits(options.limits, [route.options ?? []].flat(), {
        plugin,
        route: route.name,
        service: route.service,
        problem: message => route.problem(message),
      })
      if (limits.length === 0) return
      const stores = new Set<RedisStore>()
      const storeOf = ({ name, store = '' }: Limit): RedisStore | undefined => {
        if (!redis.has(store))
          route.problem(`asks for the store "${store}" for its rate limit "${name}": add it to stores`)
        const found = redis.get(store)
        if (found !== undefined) stores.add(found)
        return found
      }
      const bind = (limit: RateLimit) => ({ ...limit, hashKey: rates().keys.derive(limit.id) })
      const counted = limits.filter(limit => limit.rate !== undefined)
      const remote = counted.filter(limit => storeOf(limit) !== undefined)
      if (stores.size > 1) route.problem('has rate limits in two Redis stores: only one can decide on a request')
      return gateHooks({
        slot: decisionSlots[plugin],
        local: counted.filter(limit => !remote.includes(limit)).map(bind),
        remote: remote.map(bind),
        concurrent: limits.filter(limit => limit.rate === undefined),
        rates: rates(),
        counts,
        redis: [...stores][0],
        onStoreFailure: options.onStoreFailure,
        fields: options.fields,
        now: host.clock.now,
      })
    },
  }
}

const meanwhile = {
  local: 'each gateway counts for itself until it is back',
  allow: 'its rate limits let all requests pass until it is back',
  deny: 'requests under its rate limits are turned away until it is back',
}

/** By name, the default under the empty one; undefined for memory. Waits for the first try to connect, no longer. */
async function openStores(host: Host, { store, stores, onStoreFailure }: Options) {
  const share = (redis: RedisOptions) => host.share(sharedRedis(redis, host.log, meanwhile[onStoreFailure]))
  const opened = Object.entries({ ...stores, '': store }).map(
    ([name, given]) => [name, given === 'memory' ? undefined : share(given.redis)] as const,
  )
  await Promise.all(opened.map(([, redis]) => redis?.opened))
  return new Map(opened)
}

/** Made when a route asks first: a gateway without limits keeps no counters. */
function ratesOf(host: Host, maxKeys: number) {
  let rates: RateTable | undefined
  return () => (rates ??= new RateTable(host.memory('counters', rateTableBytes(maxKeys)), maxKeys))
}
