import type { Builder } from '../build/builder.ts'
import { secretText } from '../build/secret-text.ts'
import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, mapOf, node, seconds, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { inSecondsOrDefault } from './units.ts'

const algorithms = ['RS256', 'RS384', 'RS512', 'HS256', 'HS384', 'HS512', 'PS256', 'PS384', 'PS512'] as const
const others = ['ES256', 'ES384', 'ES512', 'EdDSA'] as const

export const jwtTable = table({
  enabled: flag({ says: 'Whether JSON Web Tokens are taken.', default: false }),
  issuer: text({ says: 'The `iss` of tokens.' }),
  audience: texts({ says: 'One of these has to be in `aud`.', lone: true }),
  signingMethod: text({
    says: 'How tokens are signed, and the only way.',
    default: 'RS256',
    oneOf: [...algorithms, ...others],
  }),
  publicKey: text({ says: 'The key that tokens are verified by, PEM; goes before jwksEndpoint.' }),
  publicKeyFile: text({ says: 'Path of that key.' }),
  secret: text({ says: 'The secret of HS256, HS384 and HS512.' }),
  jwksEndpoint: text({ says: 'URL of a JWK Set.' }),
  jwksCacheDuration: seconds({ says: 'How long fetched keys are good; 0: the default.', min: 0, default: 3600 }),
  claimsMapping: mapOf(text(), { noEffect: 'all claims are there by their own names', quiet: true }),
  scopeClaim: text({ says: 'The claim with the scopes.', default: 'scope' }),
  subjectClaim: text({ says: 'The claim that says who.', default: 'sub' }),
  headerName: text({ says: 'The field with the token.', default: 'Authorization' }),
  tokenHeader: text({ says: 'Another name of headerName.' }),
  bearerPrefix: text({ says: 'The word before the token.', default: 'Bearer' }),
  cookieName: text({ says: 'A cookie with the token, where the field is not there.' }),
  tokenCookie: text({ says: 'Another name of cookieName.' }),
  tokenQuery: text({ says: 'A parameter with the token, where the others are not there.' }),
})
export type GivenJwt = GivenOf<typeof jwtTable>

/** An issuer of the plugin auth. */
export function issuerOf(jwt: GivenJwt, gateway: Builder): Input {
  const { signingMethod, publicKey, publicKeyFile, secret, jwksEndpoint } = jwt
  const method = signingMethod?.value ?? 'RS256'
  const bySecret = method.startsWith('HS')
  const hasKey = publicKey !== undefined || publicKeyFile !== undefined
  if (bySecret ? secret === undefined : !hasKey && jwksEndpoint === undefined) {
    const wanted = bySecret ? '"secret"' : '"publicKey" nor "jwksEndpoint"'
    gateway.problems.error(jwt[node], `verifies ${method} and has no ${wanted}`, { code: 'CONFIG_MISSING_KEY' })
  }
  const remote = !bySecret && !hasKey ? jwksEndpoint : undefined
  return {
    algorithms: signingMethod?.map(name => [name]) ?? [method],
    issuer: jwt.issuer?.value ? jwt.issuer : undefined,
    audience: jwt.audience?.value.length ? jwt.audience : undefined,
    ...(bySecret ? ofSecret(secret, method, gateway) : { keys: publicKey, keyFiles: publicKeyFile }),
    jwks: remote,
    allowHttp: isPlain(remote, gateway) ? true : undefined,
    cacheFor: remote && inSecondsOrDefault(jwt.jwksCacheDuration),
    scopeClaim: jwt.scopeClaim?.value ? jwt.scopeClaim : undefined,
    subjectClaim: jwt.subjectClaim?.value ? jwt.subjectClaim : undefined,
    requireExpiry: false,
  }
}

/** The Go program takes secrets of any length. */
function ofSecret(secret: Given<string> | undefined, method: string, { problems }: Builder): { [key: string]: Input } {
  const bytes = Number(method.slice(2)) / 8
  const short = secret !== undefined && Buffer.byteLength(secret.value) < bytes
  if (short) problems.warning(secret, `is shorter than the ${bytes} bytes that ${method} should have (RFC 7518)`)
  return { secret: secretText(secret), allowShortSecret: short ? true : undefined }
}

/** Keys that come over plain http can be exchanged on the way. */
export function isPlain(url: Given<string> | undefined, { problems }: Builder): boolean {
  const { protocol, hostname } = URL.parse(url?.value ?? '') ?? {}
  if (url === undefined || protocol !== 'http:' || /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname ?? ''))
    return false
  problems.warning(url, 'is plain http: who is on the way can exchange the keys; use https')
  return true
}

/** Where tokens are, `token` of the plugin auth. */
export function placeOf(jwt: GivenJwt): { [key: string]: Input } {
  return {
    header: jwt.headerName ?? jwt.tokenHeader,
    scheme: jwt.bearerPrefix?.map(prefix => prefix.trim()),
    cookie: jwt.cookieName?.value ? jwt.cookieName : jwt.tokenCookie,
    query: jwt.tokenQuery?.value ? jwt.tokenQuery : undefined,
  }
}
