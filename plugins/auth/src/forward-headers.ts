import type { Context } from '@gateway/core'
import { claimAt } from './claim-at.ts'
import type { Identity } from './contract.ts'
import type { AuthOptions } from './options.ts'

type Sources = AuthOptions['forwardHeaders']

/** Removes what a client says of itself in these fields, and under every name that CGI-style readers take for them. */
export function fieldRemover(sources: Sources): ((ctx: Context) => void) | undefined {
  const names = [...new Set(Object.keys(sources).flatMap(name => spellings(name.toLowerCase())))]
  if (names.length === 0) return undefined
  return ctx => {
    for (const name of names) ctx.headers.delete(name)
    ctx.dropTrailers()
  }
}

/** Each dash is a dash or an underscore to one who reads `HTTP_X_USER_ID`. */
function spellings(name: string): string[] {
  const [first = '', ...rest] = name.split(/[-_]/)
  return rest.reduce<string[]>((heads, part) => heads.flatMap(head => [`${head}-${part}`, `${head}_${part}`]), [first])
}

/** Name, value, name, value: what upstreams are told of somebody. What is not there, or cannot stand in a field, is left out. */
export function fieldsFor(sources: Sources, identity: Identity): readonly string[] {
  return Object.entries(sources).flatMap(([name, source]) => {
    const value = typeof source === 'function' ? source(identity) : sourceValue(identity, source)
    const text = value === undefined ? undefined : fieldText(value)
    return text === undefined ? [] : [name, text]
  })
}

function sourceValue(identity: Identity, source: string): unknown {
  switch (source) {
    case 'id':
    case 'method':
      return identity[source]
    case 'scopes':
      return identity.scopes.join(' ')
    case 'roles':
      return identity.roles.join(',')
    default:
      return claimAt(identity.claims, source)
  }
}

function fieldText(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined
  const plain = Array.isArray(value) && value.every(item => typeof item !== 'object')
  const text = plain ? value.join(',') : typeof value === 'object' ? JSON.stringify(value) : String(value)
  // A line break would be a field of the client's own making.
  return text === '' || /\p{Cc}/u.test(text) ? undefined : Buffer.from(text).toString('latin1').trim()
}
