import { Secret } from '../config/environment/secret.ts'
import { secretWord } from '../inspect/names-secret.ts'

const redacted = '[redacted]'

/**
 * A value as JSON can show it, for people: secrets are redacted, functions and regular expressions become strings, a Set
 * an array and a Map an object or, with other keys than strings, an array of pairs.
 *
 * A key that ends in a word such as `secret`, `password`, `token` or `key` (`apiKey`, `client_secret`, `X-API-Key`)
 * hides everything below it but booleans and null, except `publicKey`. So does a pair `{ name, value }` whose name does,
 * the password of a URL and such a parameter in its query. A Secret shows its name.
 */
export function redact(value: unknown): unknown {
  return show(value, false, [])
}

/** `secret`: everything here is one. `above`: the objects this one is in. */
function show(value: unknown, secret: boolean, above: readonly object[]): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (typeof value === 'function') return `[function${value.name === '' ? '' : ` ${value.name}`}]`
  if (value instanceof Secret) return String(value)
  if (typeof value !== 'object') return secret ? redacted : showPrimitive(value)
  if (above.includes(value)) return '[circular]'
  const inside = [...above, value]
  if (Array.isArray(value)) return value.map(item => show(item, secret, inside))
  if (value instanceof Set) return Array.from(value, item => show(item, secret, inside))
  if (value instanceof Map) return showMap(value, secret, inside)
  if (isPlain(value)) return showEntries(Object.entries(value), secret, inside)
  return secret ? redacted : showInstance(value)
}

function showPrimitive(value: unknown): unknown {
  if (typeof value === 'string') return withoutUrlSecrets(value)
  return typeof value === 'number' && Number.isFinite(value) ? value : String(value)
}

function withoutUrlSecrets(text: string): string {
  return text
    .replace(/\b([a-z][a-z\d+.-]*:\/\/[^/?#@:\s]*):[^/?#\s]*@/gi, `$1:${redacted}@`)
    .replace(/([?&])([^=&#\s]+)=[^&#\s]+/g, (pair, mark, name) =>
      namesSecret(name) ? `${mark}${name}=${redacted}` : pair,
    )
}

function showMap(map: ReadonlyMap<unknown, unknown>, secret: boolean, above: readonly object[]): unknown {
  const entries = [...map]
  const named = entries.flatMap(([key, value]): [string, unknown][] => (typeof key === 'string' ? [[key, value]] : []))
  if (named.length === entries.length) return showEntries(named, secret, above)
  return entries.map(pair => pair.map(item => show(item, secret, above)))
}

function showEntries(
  entries: readonly (readonly [string, unknown])[],
  secret: boolean,
  above: readonly object[],
): unknown {
  const name = entries.find(([key]) => key === 'name')?.[1]
  const secretPair = typeof name === 'string' && namesSecret(name)
  // A key may be "__proto__", which must become a property like any other.
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const hides = secret || namesSecret(key) || (secretPair && (key === 'value' || key === 'pattern'))
      return [key, show(value, hides, above)]
    }),
  )
}

function showInstance(value: object): unknown {
  if (value instanceof RegExp) return String(value)
  if (value instanceof URL) return withoutUrlSecrets(value.href)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`
  return `[${value.constructor?.name || 'object'}]`
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Configs may come from another realm, whose Object is not this one's: it has no prototype above it either.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const namesSecret = (key: string) => secretWord(key) !== undefined
