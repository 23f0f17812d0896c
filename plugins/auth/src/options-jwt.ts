import { duration, secretText } from '@gateway/core'
import * as z from 'zod'
import { asymmetricAlgorithms, hmacAlgorithms } from './jwt/keys.ts'
import { isAllowed } from './jwt/remote-keys.ts'

export const endpoint = z
  .string()
  .refine(text => isAllowed(text, true), { error: 'must be an http or https URL without user and password' })

/** Nobody between here and there may read or change what is asked; this machine is exempt. */
export function onlyHttps(options: { readonly allowHttp: boolean }, urls: readonly (string | undefined)[]): boolean {
  return urls.every(url => url === undefined || isAllowed(url, options.allowHttp))
}
export const onlyHttpsError = 'must be https beyond this machine; allowHttp: true lifts that'

const some = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])
const list = <T>(value: T | readonly T[]): T[] => (Array.isArray(value) ? [...value] : [value as T])
const text = z.string().min(1)

const jwk = z.record(z.string(), z.unknown()).refine(key => key.kty !== 'oct', {
  error: 'is symmetric, and a config is no place for it: use secret, or keyFiles',
})

/** Whose tokens are good. */
export const issuerSchema = z
  .strictObject({
    /** Default: HS256 for `secret`, and each asymmetric one for the other keys. */
    algorithms: z
      .array(z.literal([...asymmetricAlgorithms, ...hmacAlgorithms]))
      .min(1)
      .optional(),
    /** For HMAC; several while they are rotated. */
    secret: some(secretText()).transform(list).optional(),
    /** How the secret's bytes are written. Default utf8. */
    secretEncoding: z.literal(['utf8', 'base64', 'base64url', 'hex']).default('utf8'),
    /** Lets an HMAC secret be shorter than its hash, against RFC 7518. Default false. */
    allowShortSecret: z.boolean().default(false),
    /** Public keys: PEM texts, JWKs or JWK Sets. */
    keys: some(z.union([text, jwk]))
      .transform(list<string | Readonly<Record<string, unknown>>>)
      .optional(),
    /** Files with public keys or JWKs, looked at every second. */
    keyFiles: some(text).transform(list).optional(),
    /** URLs of JWK Sets. */
    jwks: some(endpoint).transform(list).optional(),
    /** URL of an OpenID provider's metadata, which names its JWK Set; `true`: where the issuer has it. */
    discovery: z.union([z.literal(true), endpoint]).optional(),
    /** The `iss` that tokens must have. Default: any. */
    issuer: some(text).transform(list).optional(),
    /** One of these has to be in `aud`. Default: any. */
    audience: some(text).transform(list).optional(),
    /** By how much clocks may differ. Default 5s. */
    clockTolerance: duration().prefault('5s'),
    /** Claims that have to be there. */
    requiredClaims: z.array(text).default([]),
    /** Since `iat`. Default: as long as `exp` says. */
    maxAge: duration().optional(),
    /** A token without `exp` is refused. Default true. */
    requireExpiry: z.boolean().default(true),
    /** The `typ` that tokens must have, such as `at+jwt` (RFC 9068). Default: any. */
    type: text.optional(),
    /** The claim that says who. Default sub. */
    subjectClaim: text.default('sub'),
    /** The claim with the scopes, an array or words. Default scope. */
    scopeClaim: text.default('scope'),
    /** The claim with the roles, such as `realm_access.roles`. Default roles. */
    rolesClaim: text.default('roles'),
    /** How long fetched keys are good for; they are fetched anew before. Default 1h. */
    cacheFor: duration().prefault('1h'),
    /** How much longer they are used while their source is down. Default 1d. */
    staleFor: duration().prefault('1d'),
    /** The least between two fetches for the sake of an unknown `kid`. Default 30s. */
    cooldown: duration().prefault('30s'),
    /** For one fetch. Default 5s. */
    timeout: duration().prefault('5s'),
    /** Tokens remembered as good, each until it expires or the keys change. Default 10,000. */
    cacheSize: z.int().min(0).default(10_000),
    /** Keys may be fetched over plain http beyond this machine. Default false. */
    allowHttp: z.boolean().default(false),
  })
  .superRefine((options, context) => {
    // What is wrong with a part has left it untransformed.
    if (context.issues.length > 0) return
    const { secret, keys, keyFiles, jwks, discovery, issuer, algorithms } = options
    const asymmetric = keys ?? keyFiles ?? jwks ?? discovery
    const complain = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path })
    if (secret === undefined && asymmetric === undefined) {
      complain('has no key to verify tokens with: give secret, keys, keyFiles, jwks or discovery')
    }
    if (discovery !== undefined && issuer === undefined) complain('is needed for discovery', 'issuer')
    if (discovery === true && issuer !== undefined && (issuer.length !== 1 || !isAllowed(issuer[0] ?? '', true))) {
      complain('must be one URL for discovery: true', 'issuer')
    }
    const hmac = algorithms?.filter(name => name.startsWith('HS')) ?? []
    if (hmac.length > 0 && secret === undefined && keyFiles === undefined) {
      complain(`${hmac.join(', ')} needs secret, or keyFiles with symmetric keys`, 'algorithms')
    }
    if (algorithms !== undefined && hmac.length === 0 && secret !== undefined) {
      complain('has no HMAC algorithm for the secret', 'algorithms')
    }
    if (!onlyHttps(options, jwks ?? [])) complain(onlyHttpsError, 'jwks')
    if (!onlyHttps(options, [discovery === true ? issuer?.[0] : discovery])) complain(onlyHttpsError, 'discovery')
  })

export type IssuerOptions = z.output<typeof issuerSchema>
