import type { Identity } from './contract.ts'
import { type CredentialHash, parseHash } from './hashes.ts'
import type { Holder } from './options.ts'
import { Refusal, type Verdict } from './verdict.ts'

/** A credential that a config or a file names, made ready. */
export interface KnownHolder {
  readonly hash: CredentialHash
  readonly identity: Identity
  readonly disabled: boolean
}

export function knownHolder(
  name: string,
  { hash: text, subject = name, scopes, roles, expiresAt, disabled, metadata }: Holder,
  method: 'apiKey' | 'basic',
  everybodysScopes: readonly string[] = [],
): KnownHolder {
  const hash = parseHash(text)
  if (hash === undefined) throw new TypeError(`${name}: not a hash`)
  const identity: Identity = {
    id: subject,
    method,
    scopes: [...new Set([...everybodysScopes, ...scopes])],
    roles,
    claims: { ...metadata, sub: subject, ...(method === 'apiKey' && { keyId: name }) },
    expiresAt,
  }
  return { hash, identity, disabled }
}

/** Once the credential itself is known to be good. */
export function admitted({ disabled, identity }: KnownHolder, now: number): Verdict {
  if (disabled) return new Refusal(401, `${identity.method} of ${identity.id} is disabled`)
  if (identity.expiresAt !== undefined && now >= identity.expiresAt) {
    return new Refusal(401, `${identity.method} of ${identity.id} has expired`)
  }
  return identity
}
