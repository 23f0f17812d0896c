import { identity } from '@gateway/auth/contract'
import type { Context } from '@gateway/core'
import type { KeyOptions } from './options.ts'
import type { Personal } from './policy.ts'

/** What says where a request goes: an upstream may answer by it, so it always counts. */
const ofTheAddress = ['host', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix'] as const

/** Two requests with one key ask for the same, as far as the request alone can tell. Nothing in its parts holds a line feed. */
export function keyOf(ctx: Context, options: KeyOptions): string {
  const { headers, route, service, client, host, path, query } = ctx
  let key = `${route}\n${service}\n${client.scheme}\n${host}\n${path}\n`
  if (options.query === true) key += query
  else if (options.query !== false) key += pickQuery(query, options.query)
  for (const name of ofTheAddress) key += `\n${headers.get(name) ?? ''}`
  for (const name of options.headers) key += `\n${headers.get(name) ?? '\n'}`
  if (options.cookies.length > 0) key += `\n${pickCookies(headers.get('cookie') ?? '', options.cookies)}`
  const user = options.user ? ctx.get(identity) : undefined
  // Two issuers may give one name to two people.
  return user === undefined ? key : `${key}\n${JSON.stringify([user.method, user.claims.iss, user.id])}`
}

/** Where an address's answers are found, whichever route, scheme and query they are of. */
export const placeOf = (host: string, path: string): string => `${host}${path}`

/** See {@link Personal}. What the key holds tells no more of a sender than the key does. */
export function personalOf(ctx: Context, { headers, cookies, user }: KeyOptions): Personal {
  if (ctx.get(identity) !== undefined) return user ? 0 : 2
  if (ctx.headers.has('authorization') && !headers.some(name => name.toLowerCase() === 'authorization')) return 2
  return ctx.headers.has('cookie') && cookies.length === 0 ? 1 : 0
}

/**
 * As they stand, so that two ways to write one are two requests, which costs a place and never an answer. Some upstreams
 * read `;` as `&`: a parameter that counts must not hide from the key behind one that does not.
 */
function pickQuery(query: string, names: readonly string[]): string {
  const counts = (part: string) => part.split(';').some(pair => names.includes(nameOf(pair)))
  return query.split('&').filter(counts).join('&')
}

function nameOf(part: string): string {
  const name = part.split('=', 1)[0] ?? ''
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

function pickCookies(field: string, names: readonly string[]): string {
  const picked = field
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => names.includes(pair.split('=', 1)[0] ?? ''))
  return picked.join(';')
}
