import type { Builder } from '../build/builder.ts'
import { secretText } from '../build/secret-text.ts'
import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, list, mapOf, node, table, text, texts } from '../table/field.ts'
import { isPlain } from './auth-jwt.ts'

const login = { noEffect: 'tokens are verified here, nobody is led to a login' }

const provider = table({
  name: text({ says: 'What it is called.', required: true }),
  issuerUrl: text({ says: 'The `iss` of its tokens.' }),
  useDiscovery: flag({ says: "Whether its keys are found by OpenID's metadata.", default: false }),
  discoveryUrl: text({ says: 'Where the metadata is; default: where the issuer has it.' }),
  jwksEndpoint: text({ says: 'URL of its JWK Set.' }),
  clientId: text({ noEffect: 'tokens are verified by keys alone', quiet: true }),
  clientSecret: text({ says: 'Verifies HS256 tokens, where there is no JWK Set.' }),
  authorizationUrl: text({ ...login, quiet: true }),
  tokenUrl: text({ ...login, quiet: true }),
  userInfoUrl: text({ ...login, quiet: true }),
  validateIssuer: flag({ noEffect: 'an issuer that is given is always verified', quiet: true }),
  validateAudience: flag({ noEffect: 'an audience that is given is always verified', quiet: true }),
  audience: texts({ says: 'One of these has to be in `aud`.', lone: true }),
  scopes: texts({ ...login, quiet: true }),
  claimsMapping: mapOf(text(), { noEffect: 'all claims are there by their own names', quiet: true }),
})

export const oauthTable = table({
  enabled: flag({ says: 'Whether tokens of these providers are asked for.', default: false }),
  tokenHeader: text({ says: 'The field with the token.', default: 'Authorization' }),
  tokenQuery: text({ says: 'A parameter with the token, where the field is not there.' }),
  tokenCookie: text({ says: 'A cookie with the token, where the field is not there.' }),
  bearerPrefix: text({ says: 'The word before the token.', default: 'Bearer' }),
  requireScopes: texts({ says: 'Scopes that callers have to have, all of them.' }),
  requireAudience: texts({ says: 'One of these has to be in `aud`.' }),
  claimsKey: text({ noEffect: 'claims are in a slot', quiet: true }),
  providers: list(provider, { says: 'Whose tokens are taken.' }),
})
export type GivenOAuth = GivenOf<typeof oauthTable>

/** Issuers of the plugin auth. */
export function oauthIssuers(oauth: GivenOAuth | undefined, gateway: Builder): Input[] {
  if (oauth === undefined) return []
  if (oauth.providers === undefined || oauth.providers.length === 0)
    gateway.problems.error(oauth[node], 'is enabled and has no providers', { code: 'CONFIG_MISSING_KEY' })
  return (oauth.providers ?? []).map(given => {
    const { issuerUrl, useDiscovery, discoveryUrl, jwksEndpoint, clientSecret } = given
    const finds = useDiscovery?.value === true
    const hasKeys = finds ? issuerUrl !== undefined : (jwksEndpoint ?? clientSecret) !== undefined
    if (!hasKeys) {
      const message = 'has no keys to verify tokens with: give jwksEndpoint, or issuerUrl and useDiscovery'
      gateway.problems.error(given[node], message, { code: 'CONFIG_MISSING_KEY' })
    }
    const bySecret = !finds && jwksEndpoint === undefined
    const audience = given.audience?.value.length ? given.audience : oauth.requireAudience
    const asked = finds ? (discoveryUrl ?? issuerUrl) : jwksEndpoint
    return {
      issuer: issuerUrl,
      audience: audience?.value.length ? audience : undefined,
      discovery: finds ? (discoveryUrl ?? useDiscovery) : undefined,
      jwks: finds ? undefined : jwksEndpoint,
      secret: bySecret ? secretText(clientSecret) : undefined,
      allowShortSecret: bySecret && clientSecret && Buffer.byteLength(clientSecret.value) < 32 ? true : undefined,
      allowHttp: isPlain(asked, gateway) ? true : undefined,
      requireExpiry: false,
    }
  })
}

/** Where tokens are, `token` of the plugin auth. */
export function oauthPlace(oauth: GivenOAuth | undefined): { [key: string]: Input } {
  return {
    header: oauth?.tokenHeader?.value ? oauth.tokenHeader : undefined,
    scheme: oauth?.bearerPrefix?.map(prefix => prefix.trim()),
    cookie: oauth?.tokenCookie?.value ? oauth.tokenCookie : undefined,
    query: oauth?.tokenQuery?.value ? oauth.tokenQuery : undefined,
  }
}
