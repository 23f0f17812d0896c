import { randomBytes } from 'node:crypto'
import { clientNetwork } from '@gateway/core'
import { BoundedCache } from '../bounded-cache.ts'
import { credentialsIn } from '../credentials.ts'
import { type ScryptQueue, sha256Hex } from '../hashes.ts'
import { admitted, type KnownHolder, knownHolder } from '../holder-identity.ts'
import type { AuthOptions } from '../options.ts'
import { type Method, type MethodHost, Refusal, type Verdict } from '../verdict.ts'

type BasicOptions = NonNullable<AuthOptions['basic']>

const mostCharacters = 1_024

/** User name and password (RFC 7617), in UTF-8. */
export function basicMethod(host: MethodHost, { users }: BasicOptions, scrypts: ScryptQueue): Method {
  const known = new Map(Object.entries(users).map(([name, user]) => [name, knownHolder(name, user, 'basic')]))
  const [anybody] = known.values()
  // A password is guessed from a fast hash; with a salt of this process's own, not from tables.
  const salt = randomBytes(16).toString('base64')
  const verified = new BoundedCache<KnownHolder>(1_000)

  return {
    name: 'basic',
    scheme: 'Basic',
    find: credentialsIn({ header: 'Authorization', scheme: 'Basic' }),
    verify(credentials, ctx) {
      const pair = decode(credentials)
      if (pair === undefined) return new Refusal(401, 'it is not base64 of name, colon and password in UTF-8')
      const [name, password] = pair
      const user = known.get(name)
      const digest = sha256Hex(salt + credentials)
      if (user !== undefined && verified.get(digest) === user) return admitted(user, host.clock.now())
      return verifySlowly(password, digest, user, clientNetwork(ctx.client.address))
    },
  }

  async function verifySlowly(
    password: string,
    digest: string,
    user: KnownHolder | undefined,
    client: string,
  ): Promise<Verdict> {
    // As long for a name that nobody has, so that the time does not tell who there is.
    const { hash } = user ?? anybody ?? {}
    const good = hash?.kind === 'scrypt' && (await scrypts.verify(password, hash, client))
    if (good === undefined) return new Refusal(503, 'too many hashes are being worked out')
    if (!good || user === undefined) return new Refusal(401, 'there is no such user, or the password is another')
    verified.set(digest, user)
    return admitted(user, host.clock.now())
  }
}

function decode(base64: string): [name: string, password: string] | undefined {
  if (base64.length > mostCharacters || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
  const colon = text.indexOf(':')
  // RFC 7617 section 2 has no control characters.
  if (colon === -1 || /\p{Cc}/u.test(text)) return undefined
  return [text.slice(0, colon), text.slice(colon + 1)]
}
