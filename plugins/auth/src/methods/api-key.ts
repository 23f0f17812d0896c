import { clientNetwork } from '@gateway/core'
import { BoundedCache } from '../bounded-cache.ts'
import { credentialsIn } from '../credentials.ts'
import { isSha256Of, type ScryptQueue, sha256Hex } from '../hashes.ts'
import { admitted, type KnownHolder, knownHolder } from '../holder-identity.ts'
import { type AuthOptions, type Holder, holdersSchema } from '../options.ts'
import { type Method, type MethodHost, Refusal, type Verdict } from '../verdict.ts'
import { WatchedFile } from '../watched-file.ts'

type ApiKeyOptions = NonNullable<AuthOptions['apiKeys']>

/** Keys ready to be looked up: those with a fast hash by that hash, the others by the name with which they begin. */
interface KeyTable {
  readonly byDigest: ReadonlyMap<string, KnownHolder>
  readonly byName: ReadonlyMap<string, KnownHolder>
}

const mostCharacters = 1_024

/** Keys that clients were given. One with a scrypt hash begins with its name and a dot, which says what to compare it with. */
export function apiKeyMethod(host: MethodHost, options: ApiKeyOptions, scrypts: ScryptQueue): Method {
  const { header, scheme, cookie, query, scopes, keys, file: path } = options
  const inHeader = credentialsIn({ header: header === false ? undefined : header })
  const elsewhere = credentialsIn({ ...(scheme !== undefined && { header: 'Authorization', scheme }), cookie, query })
  const inline = tableOf(keys, scopes)
  const file = path === undefined ? undefined : new WatchedFile(path, text => parseFile(text, keys, scopes), host.log)
  if (file !== undefined) host.clock.every(1_000, () => file.check())
  /** Keys with a scrypt hash that were good, by digest. */
  const verified = new BoundedCache<KnownHolder>(1_000)

  return {
    name: 'apiKey',
    scheme: scheme ?? 'ApiKey',
    find: ctx => inHeader(ctx) ?? elsewhere(ctx),
    verify(key, ctx) {
      if (key.length > mostCharacters) return new Refusal(401, 'it is too long for a key')
      const { byDigest, byName } = file?.value ?? inline
      const digest = sha256Hex(key)
      const holder = byDigest.get(digest)
      if (holder?.hash.kind === 'sha256' && isSha256Of(key, holder.hash.digest))
        return admitted(holder, host.clock.now())
      const named = byName.get(key.slice(0, Math.max(0, key.indexOf('.'))))
      if (named === undefined) return new Refusal(401, 'there is no such key')
      if (verified.get(digest) === named) return admitted(named, host.clock.now())
      return verifySlowly(key, digest, named, clientNetwork(ctx.client.address))
    },
  }

  async function verifySlowly(key: string, digest: string, holder: KnownHolder, client: string): Promise<Verdict> {
    const good = holder.hash.kind === 'scrypt' && (await scrypts.verify(key, holder.hash, client))
    if (good === undefined) return new Refusal(503, 'too many hashes are being worked out')
    if (!good) return new Refusal(401, 'the key is not the one of that name')
    verified.set(digest, holder)
    return admitted(holder, host.clock.now())
  }
}

function parseFile(text: string, inline: Readonly<Record<string, Holder>>, scopes: readonly string[]): KeyTable {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new TypeError('it is not JSON')
  }
  const { data, error } = holdersSchema.safeParse(value)
  if (data === undefined) {
    const faults = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new TypeError(faults?.join('; '))
  }
  const twice = Object.keys(data).find(name => Object.hasOwn(inline, name))
  if (twice !== undefined) throw new TypeError(`the key "${twice}" stands in the config as well`)
  return tableOf({ ...inline, ...data }, scopes)
}

function tableOf(keys: Readonly<Record<string, Holder>>, scopes: readonly string[]): KeyTable {
  const byDigest = new Map<string, KnownHolder>()
  const byName = new Map<string, KnownHolder>()
  for (const [name, key] of Object.entries(keys)) {
    const holder = knownHolder(name, key, 'apiKey', scopes)
    if (holder.hash.kind === 'scrypt') {
      if (name.includes('.')) throw new TypeError(`the name of the key "${name}" cannot hold a dot: its hash is scrypt`)
      byName.set(name, holder)
      continue
    }
    const digest = holder.hash.digest.toString('hex')
    if (byDigest.has(digest)) throw new TypeError(`the key "${name}" has the hash of another one`)
    byDigest.set(digest, holder)
  }
  return { byDigest, byName }
}
