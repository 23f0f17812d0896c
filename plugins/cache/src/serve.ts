import {
  type Awaitable,
  type Context,
  defineSlot,
  type Forwarded,
  problem,
  type Reply,
  type RouteHooks,
} from '@gateway/core'
import { keyOf, personalOf, placeOf } from './cache-key.ts'
import { addStatus, type Forwarding, type ForwardReason, forwardStatus, hitStatus } from './cache-status.ts'
import { type Directives, deltaMs, parseDirectives } from './directives.ts'
import type { Fill, FillRequest, Fills, Outcome } from './fill.ts'
import type { RouteOptions } from './options.ts'
import type { Purge } from './store.ts'
import { ageOf, fieldRecord, freshFor, keptReply, replyOf, type StoredResponse, selects } from './stored-response.ts'

/** What becomes of the request here, for Cache-Status. */
const statusSlot = defineSlot<string>()('cache.status')

export interface CacheParts {
  readonly fills: Fills
  readonly options: RouteOptions
  readonly cacheStatus: boolean
  /** What is fetched while nobody waits for it ends with it. */
  readonly closing: AbortSignal
  /** In all workers. */
  purge(where: Purge): void
}

/** Methods that ask for nothing to be changed (RFC 9110 section 9.2.1). */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
/** Requests for a part, and those that only the origin can judge. */
const notForCaches = ['range', 'if-match', 'if-unmodified-since', 'if-range'] as const

/** The hooks of a route whose answers are kept or shared. */
export function cacheHooks(parts: CacheParts): RouteHooks {
  return {
    onRequest: ctx => answer(ctx, parts),
    onResponse(ctx, { status, headers }) {
      if (!safe.has(ctx.method) && status < 400) {
        for (const place of placesOf(ctx, headers)) parts.purge({ place })
      }
      const said = ctx.get(statusSlot)
      if (parts.cacheStatus && said !== undefined) addStatus(headers, said)
    },
  }
}

/** What an unsafe request may have changed (RFC 9111 section 4.4): its own address, and those of the same host that it names. */
function placesOf({ host, path }: Context, headers: { get(name: string): string | undefined }): string[] {
  const named = [headers.get('location'), headers.get('content-location')].flatMap(location => {
    const url = location === undefined ? null : URL.parse(location, `http://${host}${path}`)
    return url?.hostname === host ? [placeOf(host, url.pathname)] : []
  })
  return [placeOf(host, path), ...named]
}

function answer(ctx: Context, parts: CacheParts): Awaitable<Reply | void> {
  const { fills, options } = parts
  const { method, headers } = ctx
  const pass = (reason: ForwardReason) => ctx.set(statusSlot, forwardStatus({ reason }))
  if (method !== 'GET' && method !== 'HEAD') return pass('method')
  if (ctx.bodyLength !== 0 || ctx.upgrade !== undefined || notForCaches.some(name => headers.has(name))) {
    return pass('bypass')
  }
  const asked = parseDirectives(options.requestDirectives ? headers.get('cache-control') : undefined)
  if (asked.has('no-store')) return pass('request')

  const key = keyOf(ctx, options.key)
  const personal = personalOf(ctx, options.key)
  const now = fills.now()
  const found = fills.store.find(key, headers, personal)
  const use = found === undefined ? 'none' : useOf(found, asked, now)
  const request = {
    ctx,
    key,
    place: placeOf(ctx.host, ctx.path),
    personal,
    options,
    stale: found,
    background: undefined,
  }
  if (found !== undefined && use !== 'none') {
    if (use === 'meanwhile' && method === 'GET' && fills.get(key) === undefined)
      refresh({ ...request, background: parts.closing }, fills)
    ctx.set(statusSlot, hitStatus(freshFor(found, now)))
    return keptReply(found, headers, ageOf(found, now))
  }
  if (asked.has('only-if-cached')) {
    return problem(ctx, { status: 504, code: 'CACHE_ONLY_IF_CACHED', title: 'Not in the cache' })
  }
  const reason = found === undefined ? missOf(fills, key) : freshFor(found, now) > 0 ? 'request' : 'stale'
  // Only a GET's answer is kept, and forwarded.
  return method === 'HEAD' ? pass(reason) : fetchThrough(request, reason, fills)
}

const missOf = (fills: Fills, key: string): ForwardReason => (fills.store.has(key) ? 'vary-miss' : 'uri-miss')

/**
 * Whether an answer may be given as it is (RFC 9111 section 4.2.4, RFC 5861): yes, yes while a new one is fetched, or not
 * without asking the upstream.
 */
function useOf(found: StoredResponse, asked: Directives, now: number): 'fresh' | 'meanwhile' | 'none' {
  const { policy } = found
  if (policy.noCache || asked.has('no-cache')) return 'none'
  if (ageOf(found, now) > (deltaMs(asked, 'max-age') ?? Number.POSITIVE_INFINITY)) return 'none'
  const left = freshFor(found, now)
  if (left > 0 && left >= (deltaMs(asked, 'min-fresh') ?? 0)) return 'fresh'
  // A client that wants more than is left would not be content with less.
  if (asked.has('min-fresh')) return 'none'
  if (-left < policy.staleWhileRevalidate) return 'meanwhile'
  if (policy.mustRevalidate || !asked.has('max-stale')) return 'none'
  const most = asked.get('max-stale') === '' ? Number.POSITIVE_INFINITY : (deltaMs(asked, 'max-stale') ?? 0)
  return -left <= most ? 'fresh' : 'none'
}

/** Fetches a new answer while an old one is given. Nobody waits for it: an error shows when an answer is wanted. */
function refresh(request: FillRequest, fills: Fills): void {
  fills.start(request, true).outcome.then(
    outcome => {
      if (outcome.kind === 'own') outcome.answer.body.destroy()
    },
    () => {},
  )
}

/** The upstream's answer, asked for here or by somebody who asks for the same. */
async function fetchThrough(request: FillRequest, reason: ForwardReason, fills: Fills): Promise<Reply> {
  const { coalesce } = request.options
  const other = coalesce ? fills.get(request.key) : undefined
  const shared = other && (await take(other, { request, reason, collapsed: true }))
  if (shared !== undefined) return shared
  // What others wait for and cannot share is not waited for again: it would be asked for by one after the other.
  const fill = fills.start(request, coalesce && other === undefined)
  const own = await take(fill, { request, reason, collapsed: false })
  if (own === undefined) throw new Error('a request of its own has an answer of its own')
  return own
}

interface Wanted {
  readonly request: FillRequest
  readonly reason: ForwardReason
  /** It was begun for another. */
  readonly collapsed: boolean
}

/** What a fill brings for one request; undefined: it is not for that. */
async function take(fill: Fill, wanted: Wanted): Promise<Reply | undefined> {
  const letGo = fill.hold()
  // One that ends with this request needs no word of its end.
  const signal = fill.outlives ? wanted.request.ctx.signal : undefined
  signal?.addEventListener('abort', letGo, { once: true })
  try {
    return replyFrom(await fill.outcome, fill, wanted)
  } finally {
    signal?.removeEventListener('abort', letGo)
    letGo()
  }
}

function replyFrom(outcome: Outcome, fill: Fill, { request, reason, collapsed }: Wanted): Reply | undefined {
  const { ctx, personal } = request
  const say = (more: Pick<Forwarding, 'status' | 'stored'> = {}) =>
    ctx.set(statusSlot, forwardStatus({ reason, collapsed, ...more }))
  if (outcome.kind === 'own') {
    if (collapsed) return undefined
    say()
    const { status, headers, bodyLength } = outcome.answer
    return { status, headers: fieldRecord(headers), body: bodyOf(outcome.answer), bodyLength, fromUpstream: true }
  }
  const head = outcome.kind === 'kept' ? outcome.response : outcome.head
  if (collapsed && (personal > head.policy.reach || !selects(head, ctx.headers))) return undefined
  const age = ageOf(head, fill.now())
  if (outcome.kind === 'kept') {
    say({ status: outcome.status, stored: outcome.status === 304 })
    return keptReply(outcome.response, ctx.headers, age)
  }
  const { spool, join, keep } = outcome
  const body = collapsed && !join ? undefined : (spool.body ?? fill.read(spool))
  if (body === undefined) return undefined
  say({ stored: keep })
  return { ...replyOf(outcome.head, body, age), bodyLength: spool.length }
}

/** A short body has come with its head, as a rule, and need not be streamed. */
function bodyOf({ body, bodyLength }: Forwarded): Reply['body'] {
  if (body.readableLength !== bodyLength) return body
  const bytes: unknown = body.read()
  return bytes instanceof Uint8Array ? bytes : undefined
}
