import { isIP } from 'node:net'
import type { Client, ClientCertificate } from '../contract/context.ts'
import type { Fields } from '../http1/fields.ts'
import { known } from '../http1/known-fields.ts'
import { plainAddress } from '../http1/peer.ts'
import type { Peer } from '../http1/wire.ts'
import type { Exchange } from './exchange.ts'

/**
 * Who the client is, by the listener's trust rule: the peer itself, or, when the peer is a proxy that is believed, what
 * that proxy says. Of X-Forwarded-For the address furthest to the right that is no trusted proxy counts, since everything
 * to its left may be made up.
 */
export function resolveClient(exchange: Exchange): Client {
  const { peer, fields } = exchange.stream
  const own = new ResolvedClient(peer.address, peer.secure ? 'https' : 'http', peer)
  if (!exchange.isTrusted) return own
  const forwardedFor = fields.get('x-forwarded-for')
  const chain = (forwardedFor ?? '').split(',')
  let address = own.address
  for (let i = chain.length - 1; i >= 0; i--) {
    const hop = hopAddress((chain[i] ?? '').trim())
    if (isIP(hop) === 0) break
    address = hop
    if (!exchange.entry.trusts(hop)) break
  }
  const proto = fields.get('x-forwarded-proto')?.trim().toLowerCase()
  const scheme = proto === 'https' || proto === 'http' ? proto : own.scheme
  // The proxy's certificate is not its client's: whoever comes through it would take on the proxy's rights.
  return new ResolvedClient(address, scheme, forwardedFor === undefined ? peer : undefined)
}

class ResolvedClient implements Client {
  readonly address: string
  readonly scheme: 'http' | 'https'
  readonly #peer: Peer | undefined

  constructor(address: string, scheme: 'http' | 'https', peer: Peer | undefined) {
    this.address = address
    this.scheme = scheme
    this.#peer = peer
  }

  get certificate(): ClientCertificate | undefined {
    return this.#peer?.certificate
  }
}

/** The address of a hop as X-Forwarded-For writes it: perhaps in brackets, perhaps with a port. */
export function hopAddress(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1]
  return plainAddress(bracketed ?? (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text))
}

const shadowed = /^x-(?:forwarded-.*|real-ip|request-id)$/i

/** Drops what a server could read as one of the gateway's fields: CGI-style readers take `_` for `-`, in any place. */
function dropShadows(fields: Fields): void {
  if (!fields.mayHaveUnderscore()) return
  let found: string[] | undefined
  fields.forEach(name => {
    if (!name.includes('_') || !shadowed.test(name.replaceAll('_', '-'))) return
    found ??= []
    found.push(name)
  })
  for (const name of found ?? []) fields.delete(name)
}

/**
 * Takes from a request what its client has no right to say, before any hook reads it: what only a trusted proxy may
 * (Forwarded, X-Real-IP, all that begins with X-Forwarded-), what could be read as that, and what Connection names, or a
 * client could be rid of a field that a hook sets.
 */
export function dropClaims({ headers: fields, isTrusted }: Exchange): void {
  fields.removeNamed()
  dropShadows(fields)
  if (isTrusted) return
  fields.removeKnown((1 << known['x-real-ip']) | (1 << known.forwarded))
  fields.removeBeginning('x-forwarded-')
}

/** What the gateway writes in any case. */
const own =
  (1 << known['x-forwarded-for']) |
  (1 << known['x-forwarded-proto']) |
  (1 << known['x-real-ip']) |
  (1 << known['x-request-id'])
/** What nobody but a trusted proxy may say. */
const claims = own | (1 << known['x-forwarded-host']) | (1 << known.forwarded)

/**
 * Makes the request's fields what goes upstream (RFC 9110 section 7.6): hop-by-hop fields go, those of the gateway come.
 * In place: from here on `ctx.headers` is what the upstream sees.
 */
export function prepareForwarding(exchange: Exchange): void {
  const { headers: fields, stream, client, isTrusted } = exchange
  const { address } = stream.peer
  const authority = fields.getKnown(known.host) ?? exchange.host
  fields.removeHopByHop()
  let chain = address
  if (isTrusted) {
    // One line, since some readers look at the first alone and would miss the hop that counts.
    const before = fields.getKnown(known['x-forwarded-for'])
    if (before !== undefined && before !== '') chain = `${before}, ${address}`
    fields.removeKnown(own)
  } else fields.removeKnown(claims)
  fields.appendOwn(known['x-forwarded-for'], 'X-Forwarded-For', chain)
  if (authority !== '' && fields.getKnown(known['x-forwarded-host']) === undefined) {
    fields.appendOwn(known['x-forwarded-host'], 'X-Forwarded-Host', authority)
  }
  fields.appendOwn(known['x-forwarded-proto'], 'X-Forwarded-Proto', client.scheme)
  fields.appendOwn(known['x-real-ip'], 'X-Real-IP', client.address)
  fields.appendOwn(known['x-request-id'], 'X-Request-ID', exchange.id)
  // RFC 9110 section 7.6.3: the protocol as received, and a pseudonym.
  fields.appendOwn(known.via, 'Via', viaLines[stream.version])
}

const viaLines = { '1.0': '1.0 gateway', '1.1': '1.1 gateway', '2': '2 gateway' } as const

// Nobody has chains this long; it keeps the number one that every recipient can read.
const mostForwards = 1_000_000

/**
 * Counts this hop off Max-Forwards of OPTIONS (RFC 9110 section 7.6.2). False when none is left: then the gateway is the
 * one to answer. With other methods the field means nothing (TRACE is not proxied) and is passed on.
 */
export function takeHop(exchange: Exchange): boolean {
  if (exchange.method !== 'OPTIONS') return true
  const left = exchange.headers.get('max-forwards')
  if (left === undefined || !/^\d+$/.test(left)) return true
  if (Number(left) === 0) return false
  exchange.headers.set('Max-Forwards', String(Math.min(Number(left) - 1, mostForwards)))
  return true
}
