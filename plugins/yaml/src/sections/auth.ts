import type { Builder } from '../build/builder.ts'
import type { Input } from '../ir/make-ir.ts'
import { authOf } from '../rules/auth.ts'
import { covers, divideRules, prefixScope, type Scope } from '../rules/scope.ts'
import { flag, type GivenOf, node, table, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { apiKeysOf, apiKeyTable } from './auth-api-key.ts'
import { issuerOf, jwtTable, placeOf } from './auth-jwt.ts'
import { type GivenOAuth, oauthIssuers, oauthPlace } from './auth-oauth.ts'
import type { GivenRbac } from './auth-rbac.ts'
import { mapRbac } from './auth-rbac.ts'

export const authTable = table({
  required: flag({ says: 'Whether rules that do not say ask for credentials.', default: false }),
  providers: texts({ says: 'The kinds of credentials that are taken: jwt, apikey; default: those that are enabled.' }),
  skipPaths: texts({ says: 'Beginnings of paths that ask for nothing.' }),
  requiredScopes: texts({ says: 'Scopes that callers have to have, all of them.' }),
  jwt: jwtTable,
  apikey: apiKeyTable,
})
export type GivenAuth = GivenOf<typeof authTable>

/** What says who may call. */
export interface Guards {
  readonly auth: GivenAuth | undefined
  readonly oauth: GivenOAuth | undefined
  readonly rbac: GivenRbac | undefined
}

/** Comes after the rules, whose own wishes it fulfils. */
export function mapAuth(guards: Guards, gateway: Builder): void {
  const { problems } = gateway
  const auth = guards.auth
  const oauth = guards.oauth?.enabled?.value === true ? guards.oauth : undefined
  const rbac = guards.rbac?.enabled?.value === true ? guards.rbac : undefined
  const { methods, at } = methodsOf(auth, oauth, gateway)
  if (Object.keys(methods).length === 0) {
    const wants = auth?.required?.value === true ? auth.required : rbac?.enabled
    if (wants !== undefined)
      problems.error(wants, 'asks who calls, and there is no way to say so: enable jwt or apikey')
    for (const rule of gateway.rules.values()) {
      const { required } = authOf(rule) ?? {}
      if (required?.value)
        problems.error(required, 'asks who calls, and there is no way to say so: give auth.jwt or auth.apikey')
    }
    return
  }
  const options = gateway.plugin('@gateway/auth', 'auth', at)
  for (const [key, value] of Object.entries(methods)) options.set(key, value)
  const strict = auth?.required?.value === true || oauth !== undefined || rbac !== undefined
  const scopes = [...(auth?.requiredScopes?.value ?? []), ...(oauth?.requireScopes?.value ?? [])]
  options.set('default.optional', strict ? undefined : 'lenient')
  options.set('default.scopes', scopes.length > 0 ? [...new Set(scopes)] : undefined)
  const skipped = scopesOf(auth?.skipPaths, gateway)
  if (rbac !== undefined) {
    mapRbac(rbac, options, gateway)
    const permitted = scopesOf(rbac.skipPaths, gateway)
    if (auth?.required?.value !== true && oauth === undefined) skipped.push(...permitted)
    else if (rbac.skipPaths && !permitted.every(({ text }) => skipped.some(scope => text.startsWith(scope.text)))) {
      const reason = 'who has to be known needs permission, too: name these paths in auth.skipPaths'
      problems.unsupported(rbac.skipPaths, reason)
    }
  }
  for (const scope of skipped) divideRules(gateway, scope)
  gateway.everyRoute((route, path, rule) => {
    const asked = authOf(rule)
    const isSkipped = skipped.some(scope => covers(scope, path))
    if (asked?.required?.value === false || (isSkipped && asked?.required === undefined))
      return route.set('auth', false)
    if (asked === undefined) return
    route.set('auth.optional', strict ? undefined : asked.required?.map(() => false))
    route.set('auth.methods', asked.methods)
    route.set(
      'auth.scopes',
      asked.scopes?.map(own => [...new Set([...scopes, ...own])]),
    )
    if (!route.has('auth') && asked.required !== undefined) route.set('auth', {})
  })
}

function scopesOf(paths: Given<readonly string[]> | undefined, { problems }: Builder): Scope[] {
  return (paths?.value ?? []).flatMap(path => {
    if (path.startsWith('/')) return prefixScope(path)
    // An empty one would let everybody in everywhere.
    if (paths) problems.error(paths, `holds "${path}", which must begin with a slash`)
    return []
  })
}

function methodsOf(
  auth: GivenAuth | undefined,
  oauth: GivenOAuth | undefined,
  gateway: Builder,
): { readonly methods: Readonly<Record<string, Input>>; readonly at: GivenAuth[typeof node] } {
  const named = auth?.providers?.value ?? []
  const takes = (kind: 'jwt' | 'apikey') =>
    auth?.[kind]?.enabled?.value === true && (named.length === 0 || named.includes(kind))
  for (const name of named) {
    if (name !== 'jwt' && name !== 'apikey')
      gateway.problems.warning(auth?.providers ?? gateway.root, `names "${name}", which is unknown: known: jwt, apikey`)
    else if (!takes(name) && auth?.providers)
      gateway.problems.warning(auth.providers, `names "${name}", which is not enabled`)
  }
  const jwt = takes('jwt') ? auth?.jwt : undefined
  const issuers = [...(jwt === undefined ? [] : [issuerOf(jwt, gateway)]), ...oauthIssuers(oauth, gateway)]
  const [first, ...more] = issuers
  const place = { ...oauthPlace(oauth), ...(jwt && placeOf(jwt)) }
  const methods = {
    jwt: more.length === 0 ? first : issuers,
    apiKeys: takes('apikey') && auth?.apikey ? apiKeysOf(auth.apikey, gateway) : undefined,
  }
  const given = Object.entries(methods).filter(([, value]) => value !== undefined)
  const hasPlace = first !== undefined && Object.values(place).some(value => value !== undefined)
  return {
    methods: Object.fromEntries([...given, ...(hasPlace && given.length > 0 ? [['token', place]] : [])]),
    at: auth?.[node] ?? oauth?.[node] ?? gateway.root,
  }
}
