import { duration, fieldName, secretText, size } from '@gateway/core'
import * as z from 'zod'

export const optionsSchema = z
  .strictObject({
    /** Bytes of memory for answers, of all workers together; what was not asked for the longest time makes room. Default 128mb. */
    maxSize: size().prefault('128mb'),
    /** Answers say by Cache-Status (RFC 9211) what became of them here. Default true. */
    cacheStatus: z.boolean().default(true),
  })
  .prefault({})

const keySchema = z.strictObject({
  /** Which of the query counts: all of it as it stands, nothing, or these parameters. Default true. */
  query: z.union([z.boolean(), z.array(z.string())]).default(true),
  /** Fields of the request that count, beside those that an answer's Vary names. */
  headers: z.array(fieldName()).default([]),
  /** Cookies that count. */
  cookies: z.array(z.string().min(1)).default([]),
  /** Each user that the plugin `auth` found has answers of their own. */
  user: z.boolean().default(false),
})

export const routeShape = z.strictObject({
  /** How long answers are fresh (200, 203, 204, 300, 301, 308), whatever the upstream says of it. */
  ttl: duration().optional(),
  /** Where the upstream does not say: how long a stale answer is given while a new one is fetched. Default 0. */
  staleWhileRevalidate: duration().prefault(0),
  /** Likewise: how long a stale answer is given when there is no better one. Default 0. */
  staleIfError: duration().prefault(0),
  /** Guess from Last-Modified how long an answer is fresh, where nothing says so. Default false. */
  heuristic: z.boolean().default(false),
  /** Answers are the same for all who may come to the route, with whatever credentials and cookies. Default false. */
  shared: z.boolean().default(false),
  /** Requests that come at the same time for the same wait for one answer. Default false. */
  coalesce: z.boolean().default(false),
  /** Keep answers. False is for `coalesce` alone. Default true. */
  store: z.boolean().default(true),
  /** Clients may ask for fresh answers, or be content with stale ones, by Cache-Control. Default true. */
  requestDirectives: z.boolean().default(true),
  /** Bytes of one body; larger ones pass. Default 1mb. */
  maxEntrySize: size().prefault('1mb'),
  /** What tells requests apart, beside route, scheme, host and path. */
  key: keySchema.prefault({}),
})

const purgeSchema = z.strictObject({
  /** The route is where answers are purged: whoever shows this as a bearer token may. */
  purge: z.strictObject({ token: secretText() }),
})

const atWork = routeShape.refine(({ store, coalesce }) => store || coalesce, {
  path: ['store'],
  error: 'leaves nothing to do without `coalesce`: write `coalesce: true` as well, or `cache: false`',
})

export const routeSchema = z.union([z.boolean(), purgeSchema, atWork], {
  error: 'must be true, false, options without `purge`, or `purge` alone',
})

export type RouteOptions = z.output<typeof routeShape>
export type KeyOptions = z.output<typeof keySchema>
