import type { FieldList } from '@gateway/core'
import { deltaMs, parseDirectives } from './directives.ts'
import { parseHttpDate } from './http-date.ts'
import type { RouteOptions } from './options.ts'

/**
 * How much of a request says who sends it. An answer has a reach: up to which of these it may be given to others.
 * 0: nothing; 1: a cookie; 2: credentials (Authorization, or an identity that a plugin found).
 */
export type Personal = 0 | 1 | 2

/** What may be done with an answer that somebody else may have, too. Times are milliseconds. */
export interface Policy {
  readonly reach: Personal
  /** How long it is fresh, from its generation on; undefined: nothing says so. */
  readonly lifetime: number | undefined
  /** It may not be used again unless the upstream says so each time. */
  readonly noCache: boolean
  /** It may never be used once it is stale. */
  readonly mustRevalidate: boolean
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** It is worth its place: there will be a request that it can answer, or be validated for. */
  readonly keep: boolean
}

/** Status codes whose rules are known here (RFC 9110 section 15), 206 and 304 aside: those are parts and confirmations. */
const understood = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501])
/** Of these what is heuristically cacheable (RFC 9110 section 15.1): the sender need not say that it may be reused. */
const heuristic = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
/** Those that `ttl` is about. */
const timed = new Set([200, 203, 204, 300, 301, 308])

/** What the gateway writes itself, after the cache: answers that vary by it cannot be told apart here. */
const ownFields = /^(?:forwarded|via|x-forwarded-.+|x-real-ip|x-request-id)$/

/** Names of the request's fields that chose the answer, lower-case; undefined: no other request can be known to be the same. */
export function varyNames(headers: FieldList): readonly string[] | undefined {
  const names = (headers.get('vary') ?? '').toLowerCase().split(',')
  const clean = names.map(name => name.trim()).filter(name => name !== '')
  return clean.some(name => name === '*' || ownFields.test(name)) ? undefined : [...new Set(clean)]
}

/** As RFC 9111 section 3 has it for a shared cache; undefined: the answer is for whoever asked alone. */
export function judge(
  { status, headers }: { readonly status: number; readonly headers: FieldList },
  options: RouteOptions,
  now: number,
): Policy | undefined {
  const said = parseDirectives(headers.get('cache-control'))
  if (!understood.has(status) || said.has('private')) return undefined
  if (said.has('no-store') && !said.has('must-understand')) return undefined
  if (headers.has('set-cookie') || varyNames(headers) === undefined) return undefined

  const date = parseHttpDate(headers.get('date')) ?? now
  const explicit =
    deltaMs(said, 's-maxage') ??
    deltaMs(said, 'max-age') ??
    (headers.has('expires') ? Math.max(0, (parseHttpDate(headers.get('expires')) ?? 0) - date) : undefined)
  const isPublic = said.has('public') || said.has('s-maxage')
  const ttl = timed.has(status) ? options.ttl : undefined
  const lifetime = ttl ?? explicit ?? (heuristic.has(status) ? guess(headers, date, options) : undefined)
  if (lifetime === undefined && explicit === undefined && !isPublic && !heuristic.has(status)) return undefined

  const noCache = said.has('no-cache')
  const mustRevalidate = said.has('must-revalidate') || said.has('proxy-revalidate')
  // An s-maxage forbids stale use like proxy-revalidate (section 5.2.2.10), unless what stands beside it allows it.
  const allowed = (name: string, fallback: number) =>
    mustRevalidate || noCache ? 0 : (deltaMs(said, name) ?? fallback)
  const validator = headers.has('etag') || headers.has('last-modified')
  return {
    reach: isPublic || options.shared ? 2 : ttl === undefined && explicit !== undefined ? 1 : 0,
    lifetime,
    noCache,
    mustRevalidate: mustRevalidate || said.has('s-maxage'),
    staleWhileRevalidate: allowed('stale-while-revalidate', options.staleWhileRevalidate),
    staleIfError: allowed('stale-if-error', options.staleIfError),
    keep: noCache ? validator : (lifetime ?? 0) > 0 || (validator && (explicit !== undefined || isPublic)),
  }
}

/** Section 4.2.2: a tenth of the time since the last change, at most a day. */
function guess(headers: FieldList, date: number, options: RouteOptions): number | undefined {
  const changed = options.heuristic ? parseHttpDate(headers.get('last-modified')) : undefined
  return changed === undefined ? undefined : Math.min(Math.max(0, (date - changed) / 10), 86_400_000)
}
