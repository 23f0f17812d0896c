import { type Context, problem, type Reply } from '@gateway/core'
import type { Lack } from './requirements.ts'
import type { Method, Refusal } from './verdict.ts'

/** Seconds after which a client may try again when whoever has to be asked did not answer. */
const retryAfter = '5'

/** What is answered to those who are not let pass. It tells how to authenticate, and nothing about the inside. */
export class Replies {
  readonly #realm: string
  readonly #challenges: readonly string[]

  constructor(realm: string, methods: readonly Method[]) {
    this.#realm = realm
    this.#challenges = [...new Set(methods.map(method => this.#challenge(method)))]
  }

  /** No credentials of any kind: all ways to authenticate, without an error (RFC 6750 section 3.1). */
  required(ctx: Context): Reply {
    return unauthorized(ctx, 'AUTH_REQUIRED', this.#challenges)
  }

  refused(ctx: Context, method: Method, { status, challenge, reply }: Refusal): Reply {
    if (reply !== undefined) return reply
    if (status === 403) return forbidden(ctx)
    if (status === 503) {
      const headers = { 'Retry-After': retryAfter }
      return problem(ctx, { status, code: 'AUTH_UNAVAILABLE', title: 'Service unavailable', headers })
    }
    const own = this.#challenge(method, method.bearer && 'error="invalid_token"')
    return unauthorized(ctx, 'AUTH_INVALID', [challenge ?? own])
  }

  lacking(ctx: Context, method: Method, { scope }: Lack): Reply {
    if (scope === undefined || !method.bearer) return forbidden(ctx)
    return forbidden(ctx, this.#challenge(method, `error="insufficient_scope", scope="${scope}"`))
  }

  #challenge({ name, scheme }: Method, more?: string): string {
    // RFC 7617 section 2.1.
    const charset = name === 'basic' ? ', charset="UTF-8"' : ''
    return `${scheme} realm="${this.#realm}"${charset}${more === undefined ? '' : `, ${more}`}`
  }
}

function unauthorized(ctx: Context, code: string, challenges: readonly string[]): Reply {
  return problem(ctx, { status: 401, code, title: 'Unauthorized', headers: { 'WWW-Authenticate': challenges } })
}

function forbidden(ctx: Context, challenge?: string): Reply {
  const headers = challenge === undefined ? undefined : { 'WWW-Authenticate': challenge }
  return problem(ctx, { status: 403, code: 'AUTH_FORBIDDEN', title: 'Forbidden', headers })
}
