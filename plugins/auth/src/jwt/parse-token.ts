import { isRecord } from '../ask.ts'
import { hasDuplicates } from './duplicates.ts'

export interface ParsedToken {
  readonly alg: string
  readonly kid: string | undefined
  /** Not verified: good for choosing whom to ask, and for nothing else. */
  readonly unverifiedIssuer: unknown
}

const shape = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Three parts, as only a JWS in compact serialization has them (RFC 7515 section 7.1). */
export function looksLikeJwt(text: string): boolean {
  const first = text.indexOf('.')
  const second = text.indexOf('.', first + 1)
  return first > 0 && second > 0 && !text.includes('.', second + 1)
}

/**
 * What a token says of itself, before anything of it is believed. Stricter than the library that verifies it: one way to
 * write each token, so that a text is either this token or none, and no member twice.
 *
 * @returns a string that says what is wrong
 */
export function parseToken(text: string): ParsedToken | string {
  if (!shape.test(text)) return 'it is not three parts of base64url'
  const [header64 = '', claims64 = '', signature64 = ''] = text.split('.')
  if (![header64, claims64, signature64].every(isCanonical)) return 'a part is not canonical base64url'
  const header = parseObject(header64)
  if (typeof header === 'string') return `its header ${header}`
  const { alg, kid } = header
  if (typeof alg !== 'string') return 'its header has no "alg"'
  if (kid !== undefined && typeof kid !== 'string') return 'the "kid" in its header is not a string'
  const claims = parseObject(claims64)
  // That may still be a good signature, and whoever verifies it says what is wrong with the claims.
  if (claims === 'has a member twice') return 'its claims have a member twice'
  return { alg, kid, unverifiedIssuer: typeof claims === 'string' ? undefined : claims.iss }
}

/** The last character may hold bits that stand for nothing; they have to be 0. */
const isCanonical = (part: string) => Buffer.from(part, 'base64url').toString('base64url') === part

function parseObject(part: string): Readonly<Record<string, unknown>> | string {
  const json = Buffer.from(part, 'base64url').toString()
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return 'is not JSON'
  }
  if (!isRecord(value)) return 'is not a JSON object'
  return hasDuplicates(json) ? 'has a member twice' : value
}
