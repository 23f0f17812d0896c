import { hash } from 'node:crypto'
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { BoundedCache } from '../bounded-cache.ts'
import { claimAt, wordsOf } from '../claim-at.ts'
import type { Identity } from '../contract.ts'
import type { IssuerOptions } from '../options-jwt.ts'
import { Refusal, type Verdict } from '../verdict.ts'
import type { KeyRing } from './key-ring.ts'
import type { VerificationKey } from './keys.ts'
import type { ParsedToken } from './parse-token.ts'

interface Verified {
  readonly identity: Identity
  /** The keys that there were: with other keys it is verified again. */
  readonly keys: readonly VerificationKey[]
  /** Milliseconds since the epoch, the clock tolerance included. */
  readonly goodUntil: number
}

/** A token without a `kid` may have to be tried with each key of its algorithm; this many, so that it costs little. */
const mostTries = 8

/** Verifies the tokens of one issuer and remembers those that were good. */
export class TokenIssuer {
  readonly #options: IssuerOptions
  readonly #keys: KeyRing
  readonly #now: () => number
  readonly #algorithms: readonly string[]
  readonly #verified: BoundedCache<Verified>

  constructor(options: IssuerOptions, algorithms: readonly string[], keys: KeyRing, now: () => number) {
    this.#options = options
    this.#keys = keys
    this.#now = now
    this.#algorithms = algorithms
    this.#verified = new BoundedCache(options.cacheSize)
  }

  /** Whether tokens that name this issuer are for this one to verify. */
  issues(issuer: unknown): boolean {
    const { issuer: mine } = this.#options
    return mine === undefined || (typeof issuer === 'string' && mine.includes(issuer))
  }

  /** The identity behind a token seen before: one digest, no promise. */
  recall(digest: string): Identity | undefined {
    const hit = this.#verified.get(digest)
    if (hit === undefined) return undefined
    if (hit.keys === this.#keys.keys && this.#now() < hit.goodUntil) return hit.identity
    this.#verified.delete(digest)
    return undefined
  }

  async verify(token: string, parsed: ParsedToken, digest: string): Promise<Verdict> {
    const { alg } = parsed
    if (!this.#algorithms.includes(alg)) return new Refusal(401, `its algorithm ${JSON.stringify(alg)} is not allowed`)
    let keys = this.#keys.keys
    let verdict = await this.#tryKeys(token, parsed, keys)
    if (verdict === undefined) {
      await this.#keys.renew()
      const before = keys
      keys = this.#keys.keys
      if (keys !== before) verdict = await this.#tryKeys(token, parsed, keys)
    }
    if (verdict === undefined) {
      return this.#keys.ready
        ? new Refusal(401, 'no key fits its signature')
        : new Refusal(503, 'there are no keys to verify it with')
    }
    if (verdict instanceof Refusal) return verdict
    const identity = this.#identityOf(verdict)
    if (identity instanceof Refusal) return identity
    this.#verified.set(digest, { identity, keys, goodUntil: this.#goodUntil(verdict) })
    return identity
  }

  /** Undefined: none of the keys made the signature. */
  async #tryKeys(
    token: string,
    { alg, kid }: ParsedToken,
    keys: readonly VerificationKey[],
  ): Promise<JWTPayload | Refusal | undefined> {
    const fitting = keys.filter(key => key.algorithms.includes(alg))
    const named = fitting.filter(({ id }) => id !== undefined && id === kid)
    const candidates = named.length > 0 ? named : fitting.filter(({ id }) => kid === undefined || id === undefined)
    for (const { key } of candidates.slice(0, mostTries)) {
      try {
        const { payload } = await jwtVerify(token, key, this.#rules())
        return payload
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue
        return new Refusal(401, error instanceof Error ? error.message : String(error))
      }
    }
    return undefined
  }

  #rules(): JWTVerifyOptions {
    const { issuer, audience, clockTolerance, requiredClaims, requireExpiry, maxAge, type } = this.#options
    return {
      algorithms: [...this.#algorithms],
      currentDate: new Date(this.#now()),
      clockTolerance: clockTolerance / 1000,
      requiredClaims: requireExpiry ? ['exp', ...requiredClaims] : requiredClaims,
      ...(issuer && { issuer }),
      ...(audience && { audience }),
      ...(maxAge !== undefined && { maxTokenAge: maxAge / 1000 }),
      ...(type !== undefined && { typ: type }),
    }
  }

  #goodUntil({ exp = Number.POSITIVE_INFINITY, iat }: JWTPayload): number {
    const { maxAge, clockTolerance } = this.#options
    const end = exp * 1000
    const tooOld = maxAge === undefined || iat === undefined ? Number.POSITIVE_INFINITY : iat * 1000 + maxAge
    return Math.min(end, tooOld) + clockTolerance
  }

  #identityOf(claims: JWTPayload): Identity | Refusal {
    const { subjectClaim, scopeClaim, rolesClaim } = this.#options
    const id = claimAt(claims, subjectClaim)
    if (typeof id !== 'string' || id === '') return new Refusal(401, `its claim "${subjectClaim}" is no text`)
    return {
      id,
      method: 'jwt',
      scopes: wordsOf(claimAt(claims, scopeClaim)),
      roles: wordsOf(claimAt(claims, rolesClaim)),
      claims,
      expiresAt: claims.exp === undefined ? undefined : claims.exp * 1000,
    }
  }
}

/** What a token is known by: never the token itself, which would be worth stealing from memory. */
export const digestOf = (text: string): string => hash('sha256', text, 'base64')
