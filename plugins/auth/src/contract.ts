import { defineSlot } from '@gateway/core'

/** Who calls, as the credentials of a request prove it. */
export interface Identity {
  /** Stable and unique within its method: a token's `sub`, an API key's id, a certificate's subject, a user name. */
  readonly id: string
  /** How it was proved. */
  readonly method: 'jwt' | 'apiKey' | 'basic' | 'introspection' | 'certificate' | 'forward'
  /** What the credentials allow, as OAuth 2.0 names it (RFC 6749 section 3.3). */
  readonly scopes: readonly string[]
  /** Roles, with those that they inherit. */
  readonly roles: readonly string[]
  /** What else is known: a token's claims, an API key's metadata. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Milliseconds since the epoch at which the credentials end; undefined when they do not. */
  readonly expiresAt: number | undefined
}

/** Written by the plugin `auth` on each request that it let pass with credentials; unset on an anonymous one. */
export const identity = defineSlot<Identity>()('auth.identity')
