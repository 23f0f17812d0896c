import { askJson } from '../ask.ts'
import { BoundedCache } from '../bounded-cache.ts'
import { claimAt, wordsOf } from '../claim-at.ts'
import { credentialsIn } from '../credentials.ts'
import { digestOf } from '../jwt/issuer.ts'
import type { BearerOptions } from '../jwt/method.ts'
import { looksLikeJwt } from '../jwt/parse-token.ts'
import type { IntrospectionOptions } from '../options.ts'
import { shareName } from '../share-name.ts'
import { type Method, type MethodHost, Refusal, type Verdict } from '../verdict.ts'

interface Known {
  readonly verdict: Verdict
  readonly goodUntil: number
}

/** Questions under way at one time; beyond, requests are turned away rather than piled up. */
const mostQuestions = 256

/** Bearer tokens that only their issuer can read: it is asked (RFC 7662), and its answer is remembered for a while. */
export function introspectionMethod(host: MethodHost, options: IntrospectionOptions, bearer: BearerOptions): Method {
  const introspector = host.share({
    name: shareName(host, 'introspection', options),
    create: () => new Introspector(options, host.clock.now),
    close: shared => shared.close(),
  })
  const { maxSize, places, jwtToo } = bearer
  const read = credentialsIn(places)
  return {
    name: 'introspection',
    scheme: places.scheme || 'Bearer',
    bearer: true,
    find(ctx) {
      const token = read(ctx)
      return token === undefined || (jwtToo && looksLikeJwt(token)) ? undefined : token
    },
    verify: token =>
      token.length > maxSize || /[^\x21-\x7e]/.test(token)
        ? new Refusal(401, 'it is too long or not a token')
        : introspector.verify(token),
  }
}

class Introspector {
  readonly #options: IntrospectionOptions
  readonly #now: () => number
  readonly #known: BoundedCache<Known>
  readonly #asking = new Map<string, Promise<Verdict>>()
  readonly #closing = new AbortController()

  constructor(options: IntrospectionOptions, now: () => number) {
    this.#options = options
    this.#now = now
    this.#known = new BoundedCache(options.cacheSize)
  }

  verify(token: string): Verdict | Promise<Verdict> {
    const digest = digestOf(token)
    const hit = this.#known.get(digest)
    if (hit !== undefined && this.#now() < hit.goodUntil) return hit.verdict
    const underWay = this.#asking.get(digest)
    if (underWay !== undefined) return underWay
    if (this.#asking.size >= mostQuestions) return new Refusal(503, 'too many tokens are being asked about')
    const asking = this.#ask(token, digest).finally(() => this.#asking.delete(digest))
    this.#asking.set(digest, asking)
    return asking
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'))
    await Promise.all(this.#asking.values())
  }

  async #ask(token: string, digest: string): Promise<Verdict> {
    const { url, clientId, clientSecret, timeout, cacheFor, inactiveFor } = this.#options
    // RFC 6749 section 2.3.1: both are form-encoded first.
    const client = [clientId, clientSecret.value]
      .map(part => new URLSearchParams([['', part]]).toString().slice(1))
      .join(':')
    let answer: Readonly<Record<string, unknown>>
    try {
      answer = await askJson({
        url,
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(client).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
        timeoutMs: timeout,
        signal: this.#closing.signal,
      })
    } catch (error) {
      return new Refusal(503, error instanceof Error ? error.message : String(error))
    }
    const verdict = this.#judge(answer)
    const now = this.#now()
    const goodUntil =
      verdict instanceof Refusal ? now + inactiveFor : Math.min(now + cacheFor, verdict.expiresAt ?? Infinity)
    this.#known.set(digest, { verdict, goodUntil })
    return verdict
  }

  #judge(answer: Readonly<Record<string, unknown>>): Verdict {
    const { issuer, audience, subjectClaim, scopeClaim, rolesClaim } = this.#options
    const { active, exp, nbf, iss, aud, username, client_id: clientId } = answer
    if (active !== true) return new Refusal(401, 'its issuer says that it is not active')
    const now = this.#now()
    if (exp !== undefined && (typeof exp !== 'number' || exp * 1000 <= now)) return new Refusal(401, 'it has expired')
    if (nbf !== undefined && (typeof nbf !== 'number' || nbf * 1000 > now))
      return new Refusal(401, 'it is not valid yet')
    if (issuer !== undefined && iss !== issuer) return new Refusal(401, 'it is from another issuer')
    const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
    if (audience?.some(name => audiences.includes(name)) === false) return new Refusal(401, 'it is for somebody else')
    // RFC 7662 requires none of them; a token of a client's own has no user.
    const id = claimAt(answer, subjectClaim) ?? username ?? clientId
    if (typeof id !== 'string' || id === '') return new Refusal(401, 'its issuer does not say whose it is')
    return {
      id,
      method: 'introspection',
      scopes: wordsOf(claimAt(answer, scopeClaim)),
      roles: wordsOf(claimAt(answer, rolesClaim)),
      claims: { ...answer, sub: id },
      expiresAt: exp === undefined ? undefined : exp * 1000,
    }
  }
}
