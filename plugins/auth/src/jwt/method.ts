import { credentialsIn, type Places } from '../credentials.ts'
import type { IssuerOptions } from '../options-jwt.ts'
import { shareName } from '../share-name.ts'
import { type Method, type MethodHost, Refusal } from '../verdict.ts'
import { digestOf, TokenIssuer } from './issuer.ts'
import { KeyRing, type KeySource } from './key-ring.ts'
import { asymmetricAlgorithms } from './keys.ts'
import { looksLikeJwt, parseToken } from './parse-token.ts'
import { RemoteKeys, type RemoteKeysOptions } from './remote-keys.ts'
import { fileKeys, hmacKeys, inlineKeys } from './sources.ts'

export interface BearerOptions {
  readonly places: Places
  /** In characters. */
  readonly maxSize: number
  /** Others take bearer tokens as well, so that the form of one tells whose it is. */
  readonly jwtOnly: boolean
  readonly jwtToo: boolean
}

/** JSON Web Tokens (RFC 7519) of one issuer or of several, told apart by their `iss`. */
export function jwtMethod(host: MethodHost, configured: readonly IssuerOptions[], bearer: BearerOptions): Method {
  const { maxSize, jwtOnly } = bearer
  const read = credentialsIn(bearer.places)
  const issuers = configured.map(options => sharedIssuer(host, options))
  return {
    name: 'jwt',
    scheme: bearer.places.scheme || 'Bearer',
    bearer: true,
    find(ctx) {
      const token = read(ctx)
      return token === undefined || (jwtOnly && !looksLikeJwt(token)) ? undefined : token
    },
    verify(token) {
      if (token.length > maxSize) return new Refusal(401, `it has ${token.length} characters, ${maxSize} are allowed`)
      const digest = digestOf(token)
      for (const issuer of issuers) {
        const identity = issuer.recall(digest)
        if (identity !== undefined) return identity
      }
      const parsed = parseToken(token)
      if (typeof parsed === 'string') return new Refusal(401, parsed)
      const issuer = issuers.find(one => one.issues(parsed.unverifiedIssuer))
      return issuer?.verify(token, parsed, digest) ?? new Refusal(401, 'its issuer is none of those configured')
    },
  }
}

/** Remembered tokens and fetched keys outlive a reload that did not change what they depend on. */
function sharedIssuer(host: MethodHost, options: IssuerOptions): TokenIssuer {
  const { now } = host.clock
  const remote = remoteKeys(options).map(each =>
    host.share({
      name: shareName(host, 'keys', each),
      create: () => new RemoteKeys(each, now, host.log),
      close: keys => keys.close(),
    }),
  )
  const { ring, issuer } = host.share({
    name: shareName(host, 'tokens', options),
    create() {
      const sources: KeySource[] = [...remote]
      const { secret: secrets, secretEncoding: encoding, allowShortSecret: allowShort, keys, keyFiles = [] } = options
      if (secrets !== undefined) sources.push(hmacKeys({ secrets, encoding, allowShort }, host.log))
      if (keys !== undefined) sources.push(inlineKeys(keys))
      for (const path of keyFiles) sources.push(fileKeys(path, host.log))
      const ring = new KeyRing(sources)
      return { ring, issuer: new TokenIssuer(options, algorithmsOf(options), ring, now) }
    },
  })
  if (remote.length > 0 || options.keyFiles !== undefined) {
    void ring.check()
    host.clock.every(1_000, () => ring.check())
  }
  return issuer
}

function remoteKeys(options: IssuerOptions): RemoteKeysOptions[] {
  const { jwks = [], discovery, issuer: issuers, allowHttp } = options
  const { cacheFor: cacheMs, staleFor: staleMs, cooldown: cooldownMs, timeout: timeoutMs } = options
  const common = { cacheMs, staleMs, cooldownMs, timeoutMs, allowHttp }
  const metadata = `${issuers?.[0]?.replace(/\/$/, '')}/.well-known/openid-configuration`
  return [
    ...jwks.map(url => ({ url, ...common })),
    ...(discovery === undefined ? [] : [{ url: discovery === true ? metadata : discovery, issuers, ...common }]),
  ]
}

/** Asymmetric ones only where there are such keys, and HMAC by default only where there is a secret. */
function algorithmsOf({ algorithms, secret, keys, keyFiles, jwks, discovery }: IssuerOptions): readonly string[] {
  if (algorithms !== undefined) return algorithms
  const asymmetric = keys ?? keyFiles ?? jwks ?? discovery
  return [...(secret === undefined ? [] : ['HS256']), ...(asymmetric === undefined ? [] : asymmetricAlgorithms)]
}
