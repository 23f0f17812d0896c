import { createPublicKey, createSecretKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { isRecord } from '../ask.ts'

/** A key that verifies, with the algorithms that it may be used for: an RSA key is never taken for an HMAC secret. */
export interface VerificationKey {
  /** The `kid`. */
  readonly id: string | undefined
  readonly algorithms: readonly string[]
  readonly key: KeyObject
}

export const hmacAlgorithms = ['HS256', 'HS384', 'HS512'] as const
export const asymmetricAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const pss = ['PS256', 'PS384', 'PS512']
const curves: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
}
/** RFC 7518 section 3.2: a key as long as the hash, in bytes. */
const hmacKeySizes = { HS256: 32, HS384: 48, HS512: 64 }

/** Keys of a source, and why others of it are of no use. */
export interface KeySet {
  readonly keys: readonly VerificationKey[]
  readonly faults: readonly string[]
}

/** Keys in a text: JSON with a JWK or a JWK Set (RFC 7517), else PEM, one or several. */
export function keysInText(text: string): KeySet {
  if (!text.trimStart().startsWith('{')) return keysInPem(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may be a secret.
    return { keys: [], faults: ['it is not JSON'] }
  }
  return keysInJson(value, { symmetric: true })
}

/** Keys of a JWK or a JWK Set. Symmetric ones only where the source is secret. */
export function keysInJson(value: unknown, allow: { readonly symmetric: boolean }): KeySet {
  if (!isRecord(value)) return { keys: [], faults: ['it is not a JSON object'] }
  const list = 'keys' in value ? value.keys : [value]
  if (!Array.isArray(list)) return { keys: [], faults: ['"keys" is not an array'] }
  // Nobody has that many, and each may have to be tried.
  if (list.length > 256) return { keys: [], faults: [`it has ${list.length} keys, 256 are allowed`] }
  return sorted(
    list.map((jwk, index) => attempt(() => keyOfJwk(jwk, allow.symmetric), `key ${nameOf(jwk) ?? index + 1}`)),
  )
}

export function keysInPem(text: string): KeySet {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g) ?? []
  if (blocks.length === 0) return { keys: [], faults: ['there is neither a PEM block nor JSON'] }
  return sorted(blocks.map((pem, index) => attempt(() => keyOfPem(pem), `PEM block ${index + 1}`)))
}

/** An HMAC secret. */
export function keyOfSecret(bytes: Buffer, allowShort: boolean): VerificationKey {
  // A public key is known to all: who gives one as the secret would let everybody sign.
  if (bytes.includes('-----BEGIN ')) throw new TypeError('is a PEM key: give it in keys or keyFiles')
  const fits = hmacAlgorithms.filter(name => bytes.length >= hmacKeySizes[name])
  if (fits.length === 0 && !allowShort) {
    throw new TypeError(`has ${bytes.length} bytes; HS256 needs 32 or more (RFC 7518 section 3.2)`)
  }
  return { id: undefined, algorithms: allowShort ? hmacAlgorithms : fits, key: createSecretKey(bytes) }
}

function sorted(results: readonly (VerificationKey | string)[]): KeySet {
  return {
    keys: results.filter(result => typeof result !== 'string'),
    faults: results.filter(result => typeof result === 'string'),
  }
}

function attempt(make: () => VerificationKey, what: string): VerificationKey | string {
  try {
    return make()
  } catch (error) {
    return `${what} ${error instanceof TypeError ? error.message : 'is no usable key'}`
  }
}

const nameOf = (jwk: unknown) => (isRecord(jwk) && typeof jwk.kid === 'string' ? JSON.stringify(jwk.kid) : undefined)

function keyOfJwk(jwk: unknown, symmetric: boolean): VerificationKey {
  if (!isRecord(jwk)) throw new TypeError('is not an object')
  const { kid, use, key_ops: operations, alg, kty } = jwk
  if (use !== undefined && use !== 'sig') throw new TypeError('is not for signatures')
  if (Array.isArray(operations) && !operations.includes('verify')) throw new TypeError('is not for verification')
  if (kid !== undefined && typeof kid !== 'string') throw new TypeError('has a "kid" that is not a string')
  if (kty === 'oct') {
    if (!symmetric) throw new TypeError('is symmetric, and this source is not secret')
    const { algorithms, key } = keyOfSecret(Buffer.from(String(jwk.k), 'base64url'), false)
    return { id: kid, algorithms: narrowed(algorithms, alg), key }
  }
  if ('d' in jwk) throw new TypeError('is a private key: give the public one')
  const key = createPublicKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput)
  return { id: kid, algorithms: narrowed(algorithmsOf(key), alg), key }
}

function keyOfPem(pem: string): VerificationKey {
  if (pem.includes('PRIVATE KEY-----')) throw new TypeError('is a private key: give the public one')
  const key = createPublicKey(pem)
  return { id: undefined, algorithms: algorithmsOf(key), key }
}

function narrowed(algorithms: readonly string[], alg: unknown): readonly string[] {
  if (alg === undefined) return algorithms
  if (!algorithms.includes(String(alg))) throw new TypeError(`cannot be used for ${JSON.stringify(alg)}`)
  return [String(alg)]
}

function algorithmsOf(key: KeyObject): readonly string[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve = '' } = {} } = key
  if (type === 'ed25519') return ['EdDSA', 'Ed25519']
  const algorithms =
    type === 'rsa' ? ['RS256', 'RS384', 'RS512', ...pss] : type === 'rsa-pss' ? pss : curves[namedCurve]
  if (algorithms === undefined) throw new TypeError(`is of a type that signs no token: ${type} ${namedCurve}`.trimEnd())
  // RFC 7518 section 3.3.
  if (type !== 'ec' && modulusLength < 2048) throw new TypeError(`has ${modulusLength} bits, 2048 are needed`)
  return algorithms
}
