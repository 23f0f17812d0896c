import { GatewayError } from '../contract/errors.ts'
import { canonicalPath, defaultPathOptions, type PathOptions } from './canonical-path.ts'
import { normalizeHost } from './host.ts'

/** A request-target, read. */
export interface Target {
  /** Canonical path; `*` for OPTIONS of the server as a whole, empty for CONNECT. No route matches the last two. */
  readonly path: string
  /** As it was sent, without the question mark. */
  readonly query: string
  /** Host and port as the client wrote them; empty when it named none (HTTP/1.0). */
  readonly authority: string
  /** The authority's host: lower-case, no port, no trailing dot. */
  readonly host: string
}

// VCHAR without `#`: wider than RFC 3986's query, since browsers send brackets and more, and nobody routes by it.
const queryText = /^[\x21\x22\x24-\x7e]*$/
const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/is

const refuse = (what: string) => new GatewayError('GATEWAY_BAD_REQUEST', `the request-target ${what}`)

/**
 * Reads a request-target in each of its four forms (RFC 9112 section 3.2). In absolute-form the target's authority
 * replaces the Host field; schemes other than http and https and user information are refused.
 *
 * @returns the target, or GATEWAY_BAD_REQUEST or GATEWAY_BAD_PATH (returned, since throwing costs more)
 */
export function parseTarget(
  method: string,
  target: string,
  hostField: string | undefined,
  options: PathOptions = defaultPathOptions,
): Target | GatewayError {
  if (method === 'CONNECT') return authorityTarget(target)
  if (target.charCodeAt(0) === 47 /* / */) return originTarget(target, hostField ?? '', options)
  if (target === '*' && method === 'OPTIONS') return withAuthority('*', '', hostField ?? '')
  const [, authority, rest] = absoluteForm.exec(target) ?? []
  if (authority === undefined || rest === undefined) return refuse('is in none of the forms of RFC 9112 section 3.2')
  if (authority === '') return refuse('names no host')
  // RFC 9112 section 3.2.4: OPTIONS of an absolute URI without a path is about the server as a whole.
  if (rest === '' && method === 'OPTIONS') return withAuthority('*', '', authority)
  return originTarget(rest.startsWith('/') ? rest : `/${rest}`, authority, options)
}

function originTarget(target: string, authority: string, options: PathOptions): Target | GatewayError {
  const mark = target.indexOf('?')
  const path = canonicalPath(mark === -1 ? target : target.slice(0, mark), options)
  if (typeof path !== 'string') return path
  const query = mark === -1 ? '' : target.slice(mark + 1)
  if (!queryText.test(query)) return refuse('has a query with characters that RFC 3986 does not allow')
  return withAuthority(path, query, authority)
}

function authorityTarget(target: string): Target | GatewayError {
  return /:\d+$/.test(target) ? withAuthority('', '', target) : refuse('of CONNECT is no host and port')
}

function withAuthority(path: string, query: string, authority: string): Target | GatewayError {
  const host = authority === '' ? '' : normalizeHost(authority)
  if (host === undefined) return new GatewayError('GATEWAY_BAD_REQUEST', 'the host of the request is no host name')
  return { path, query, authority, host }
}
