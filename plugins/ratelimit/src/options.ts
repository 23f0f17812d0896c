import { type Context, duration, fieldName, secretText } from '@gateway/core'
import * as z from 'zod'
import { maxSlidingWindowLimit, ticksPerMs } from './algorithms.ts'
import type { By } from './client-key.ts'

const count = z.int().min(1).max(1_000_000_000)
const name = z.string().regex(/^[A-Za-z0-9_.:/-]{1,64}$/, {
  error: 'must be up to 64 letters, digits and . _ : / -',
})
const storeName = z.string().min(1)
const callable = (value: unknown) => typeof value === 'function'

const policyShape = {
  /** Requests in a window; with `concurrency`, requests under way. */
  limit: count,
  /** The time in which `limit` requests are allowed, up to 366 days. Not with `concurrency`. */
  window: duration().optional(),
  /** Requests that may come at once: the size of the token bucket. Default: `limit`. */
  burst: count.optional(),
  /** `tokenBucket` by default; `slidingWindow`; `concurrency`. */
  algorithm: z.enum(['tokenBucket', 'slidingWindow', 'concurrency']).default('tokenBucket'),
  /**
   * Whom it counts: `'ip'` (the default; IPv6 by /64), `'user'`, `'apiKey'`, `{ header }`, or a function, whose undefined
   * means that the request is not limited. Where there is no user, key or header, the address counts.
   */
  by: z
    .union([
      z.enum(['ip', 'user', 'apiKey']),
      z.strictObject({ header: fieldName() }),
      z.custom<Extract<By, (ctx: Context) => unknown>>(callable),
    ])
    .default('ip'),
  /** Units that a request takes, or a function that says so for each. Default 1. Not with `concurrency`. */
  cost: z.union([z.number().min(0), z.custom<(ctx: Context) => number>(callable)]).default(1),
  /** What counts together: requests of one route, of all routes of its service, or of all. Default: where it is written. */
  scope: z.enum(['route', 'service', 'gateway']).optional(),
  /** In fields and problems; limits of one scope and name count together. Default: the scope, numbered from the second on. */
  name: name.optional(),
  /** One of `stores`. Default: `store`. */
  store: storeName.optional(),
}

export const policySchema = z.strictObject(policyShape).superRefine((policy, issue) => {
  const fault = faultOf(policy)
  if (fault !== undefined) issue.addIssue({ code: 'custom', path: [fault[0]], message: fault[1] })
})

export type Policy = z.output<typeof policySchema>

const longest = 366 * 86_400_000

function faultOf({ algorithm, limit, window, burst, cost, store }: z.output<z.ZodObject<typeof policyShape>>) {
  if (algorithm === 'concurrency') {
    if (window !== undefined) return ['window', 'cannot go with concurrency, which knows no time'] as const
    if (cost !== 1) return ['cost', 'cannot go with concurrency: a request is one'] as const
    if (store !== undefined) return ['store', 'cannot go with concurrency: each gateway counts its own'] as const
  } else {
    if (window === undefined) return ['window', "is missing: write the time for the limit, such as '1m'"] as const
    if (window < 1 || window > longest) return ['window', 'must be from 1ms to 366d'] as const
    if (limit > window * ticksPerMs) return ['limit', 'must be at most 16 requests a microsecond'] as const
    if (((burst ?? limit) / limit) * window > longest)
      return ['burst', 'would take over 366 days to come back'] as const
  }
  if (algorithm !== 'tokenBucket' && burst !== undefined) return ['burst', 'goes with tokenBucket alone'] as const
  if (algorithm === 'slidingWindow' && limit > maxSlidingWindowLimit) {
    return ['limit', `must be at most ${maxSlidingWindowLimit} with slidingWindow; tokenBucket takes more`] as const
  }
  return undefined
}

const redisSchema = z
  .strictObject({
    /** `redis://host:port`, or `rediss://` for TLS. Default `redis://127.0.0.1:6379`. */
    url: z
      .string()
      .regex(/^rediss?:\/\/[^/?#@]+\/?$/, {
        error: 'must be redis://host:port or rediss://host:port; user, password and database are options of their own',
      })
      .default('redis://127.0.0.1:6379'),
    /** Path of a unix socket, in place of `url`. */
    socket: z.string().min(1).optional(),
    username: z.string().min(1).optional(),
    password: secretText().optional(),
    /** Default 0. */
    database: z.int().min(0).default(0),
    /** PEM text, with `rediss://`: `ca` in place of the system's, `cert` and `key` to show. */
    tls: z
      .strictObject({
        ca: secretText().optional(),
        cert: secretText().optional(),
        key: secretText().optional(),
        /** Default: the host of `url`. */
        serverName: z.string().min(1).optional(),
      })
      .optional(),
    /** Before each key. Default `gateway:limit:`. */
    prefix: z.string().max(128).default('gateway:limit:'),
    /** For a decision; later than that it is made without Redis. Default 50ms. */
    timeout: duration().prefault('50ms'),
    /** Default 1s. */
    connectTimeout: duration().prefault('1s'),
  })
  .superRefine(({ url, socket, tls }, issue) => {
    if (tls === undefined || (socket === undefined && url.startsWith('rediss:'))) return
    issue.addIssue({ code: 'custom', path: ['tls'], message: 'goes with a url that begins with rediss://' })
  })

export type RedisOptions = z.output<typeof redisSchema>

const storeSchema = z.union([z.literal('memory'), z.strictObject({ redis: redisSchema })])

export const optionsSchema = z
  .strictObject({
    /** Limits for every route, beside the route's own. */
    limits: z.array(policySchema).default([]),
    /** Where counters are: in this gateway's memory, or in a Redis or Valkey that several gateways share. Default memory. */
    store: storeSchema.default('memory'),
    /** More stores, by the name under which a limit asks for them. */
    stores: z.record(storeName, storeSchema).default({}),
    /** Keys that are counted in memory; it is all taken at start, about 21 bytes a key. Default 131,072, rounded up to a power of two. */
    maxKeys: z.int().min(1024).max(16_777_216).default(131_072),
    /** While Redis is gone: every gateway counts by itself, or lets all pass, or turns all away with 503. Default `local`. */
    onStoreFailure: z.enum(['local', 'allow', 'deny']).default('local'),
    /** Answers tell RateLimit and RateLimit-Policy. Default true. */
    fields: z.boolean().default(true),
  })
  .superRefine(({ limits, stores }, issue) => {
    for (const [index, { store }] of limits.entries()) {
      if (store === undefined || Object.hasOwn(stores, store)) continue
      issue.addIssue({ code: 'custom', path: ['limits', index, 'store'], message: `"${store}" is none of the stores` })
    }
  })
  .prefault({})

export type Options = z.output<typeof optionsSchema>

/** `false` lifts all limits of the route, the gateway's among them. */
export const routeSchema = z.union([z.literal(false), policySchema, z.array(policySchema)])
