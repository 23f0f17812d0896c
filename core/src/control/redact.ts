import { Secret } from '../config/environment/secret.ts'
import { secretWord } from '../inspect/names-secret.ts'

/** What a value is in: everything below a secret is one; `above` are the objects around it. */
interface Inside {
  readonly secret: boolean
  readonly above: readonly object[]
  readonly digest: Digest | undefined
}

/** Stands for a text that is not shown, so that another text can be told from it. */
type Digest = (text: string) => string

/**
 * A value as JSON can show it, for people: secrets are redacted, functions and regular expressions become strings, a Set
 * an array and a Map an object or, with other keys than strings, an array of pairs.
 *
 * A key that ends in a word such as `secret`, `password`, `token` or `key` (`apiKey`, `client_secret`, `X-API-Key`)
 * hides everything below it but booleans and null, except `publicKey`. So does a pair `{ name, value }` whose name does,
 * the password of a URL and such a parameter in its query, and wherever they stand a private key in PEM, the hash of a
 * password and the credentials of an Authorization field. A Secret shows its name.
 *
 * With `digest`, what is not shown is marked by it: secrets, functions by their source, bytes.
 */
export function redact(value: unknown, digest?: Digest): unknown {
  return show(value, { secret: false, above: [], digest })
}

function show(value: unknown, inside: Inside): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (typeof value === 'function') {
    return mark(value.name === '' ? 'function' : `function ${value.name}`, String(value), inside)
  }
  if (value instanceof Secret) return String(value)
  if (typeof value !== 'object') return inside.secret ? hide(String(value), inside) : showPrimitive(value, inside)
  if (inside.above.includes(value)) return '[circular]'
  const below = { ...inside, above: [...inside.above, value] }
  if (Array.isArray(value)) return value.map(item => show(item, below))
  if (value instanceof Set) return Array.from(value, item => show(item, below))
  if (value instanceof Map) return showMap(value, below)
  if (isPlain(value)) return showEntries(Object.entries(value), below)
  if (!inside.secret) return showInstance(value, inside)
  return hide(value instanceof Uint8Array ? textOf(value) : String(value), inside)
}

function mark(what: string, text: string, { digest }: Inside): string {
  return digest === undefined ? `[${what}]` : `[${what} ${digest(text)}]`
}

const hide = (text: string, inside: Inside) => mark('redacted', text, inside)
const textOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

function showPrimitive(value: unknown, inside: Inside): unknown {
  if (typeof value === 'string') return showText(value, inside)
  return typeof value === 'number' && Number.isFinite(value) ? value : String(value)
}

function showText(text: string, inside: Inside): string {
  return (
    text
      .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$)/gs, key => hide(key, inside))
      // A password that somebody chose can be guessed from its hash, in time.
      .replace(/\$(?:scrypt|argon2[a-z]*|pbkdf2[a-z\d-]*|2[aby])\$[\w.+/=,$-]+/g, hash => hide(hash, inside))
      .replace(
        /\b(Basic|Bearer) +(?=\S*[\d=])([\w.~+/=-]{8,})/gi,
        (_, scheme, token) => `${scheme} ${hide(token, inside)}`,
      )
      .replace(/\b([a-z][a-z\d+.-]*:\/\/[^/?#@:\s]*):([^/?#\s]*)@/gi, (_, before, password) => {
        return `${before}:${hide(password, inside)}@`
      })
      .replace(/([?&])([^=&#\s]+)=([^&#\s]+)/g, (pair, start, name, value) =>
        namesSecret(name) ? `${start}${name}=${hide(value, inside)}` : pair,
      )
  )
}

function showMap(map: ReadonlyMap<unknown, unknown>, inside: Inside): unknown {
  const entries = [...map]
  const named = entries.flatMap(([key, value]): [string, unknown][] => (typeof key === 'string' ? [[key, value]] : []))
  if (named.length === entries.length) return showEntries(named, inside)
  return entries.map(pair => pair.map(item => show(item, inside)))
}

function showEntries(entries: readonly (readonly [string, unknown])[], inside: Inside): unknown {
  const name = entries.find(([key]) => key === 'name')?.[1]
  const secretPair = typeof name === 'string' && namesSecret(name)
  // A key may be "__proto__", which must become a property like any other.
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const secret = inside.secret || namesSecret(key) || (secretPair && (key === 'value' || key === 'pattern'))
      return [key, show(value, { ...inside, secret })]
    }),
  )
}

function showInstance(value: object, inside: Inside): unknown {
  if (value instanceof RegExp) return String(value)
  if (value instanceof URL) return showText(value.href, inside)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof Uint8Array) return mark(`${value.byteLength} bytes`, textOf(value), inside)
  return `[${value.constructor?.name || 'object'}]`
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Configs may come from another realm, whose Object is not this one's: it has no prototype above it either.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const namesSecret = (key: string) => secretWord(key) !== undefined
