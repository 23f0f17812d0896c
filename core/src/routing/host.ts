import { isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

/** A pattern that cannot be: what is wrong and the remedy, and the character where it is. */
export interface PatternError {
  readonly error: string
  readonly at: number
}

const plainName = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
// Letters, digits, `-` and `_` only: narrower than RFC 3986's reg-name, wider than DNS host names (container names).
const authorityForm = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])\.?(?::(\d{0,5}))?$/

/**
 * The host of an authority or a Host field as routes compare it: lower-case, without port and trailing dot, IPv6 in
 * brackets and in its shortest form (RFC 5952). Undefined when it is none.
 */
export function normalizeHost(authority: string): string | undefined {
  if (authority !== lastAuthority) {
    lastHost = readHost(authority)
    lastAuthority = authority
  }
  return lastHost
}

// One request after the other asks for the same host; the comparison costs a tenth of the expressions.
let lastAuthority = ''
let lastHost: string | undefined

function readHost(authority: string): string | undefined {
  if (plainName.test(authority)) return authority
  const [, host, port] = authorityForm.exec(authority.toLowerCase()) ?? []
  if (host === undefined || Number(port ?? 0) > 65_535) return undefined
  return host.startsWith('[') ? URL.parse(`http://${host}`)?.hostname : host
}

/**
 * Reads `api.example.com`, `*.example.com` (one or more labels below) or `[::1]`. A port plays no part in routing.
 *
 * @returns the pattern in lower case, without trailing dot, or what is wrong with it
 */
export function parseHostPattern(text: string): string | PatternError {
  const wildcard = text.startsWith('*.')
  const name = wildcard ? text.slice(2) : text
  const star = name.indexOf('*')
  if (text === '*') return { error: 'a route without a host answers to any: leave the host out', at: 0 }
  if (star !== -1) {
    return {
      error: '"*" stands for whole labels at the front: write "*.example.com"',
      at: star + text.length - name.length,
    }
  }
  if (isIPv6(name)) return { error: `an IPv6 address stands in brackets: write "[${name}]"`, at: 0 }
  const port = /:\d*$/.exec(name)
  if (port !== null) {
    return { error: 'routes do not look at the port: leave it out', at: port.index + text.length - name.length }
  }
  const host = normalizeHost(name)
  if (host === undefined || (wildcard && host.startsWith('['))) {
    const ascii = domainToASCII(name)
    const remedy =
      ascii !== '' && ascii !== name && plainName.test(ascii) ? `: write "${wildcard ? '*.' : ''}${ascii}"` : ''
    return { error: `"${text}" is no host name${remedy}`, at: 0 }
  }
  return wildcard ? `*.${host}` : host
}
