import type { Group } from '../build/group.ts'
import { valueAt } from '../read/node.ts'
import { either, flag, type GivenKeys, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { readField, readKeys } from '../table/read-field.ts'
import type { RulePart } from './rule-part.ts'

/** Kinds of credentials as the plugin calls its methods. */
const kinds = { jwt: 'jwt', bearer: 'jwt', oauth2: 'jwt', apikey: 'apiKey', none: undefined } as const
const kind = text({ says: 'The only kind of credentials that it takes.', oneOf: Object.keys(kinds) as Kind[] })
type Kind = keyof typeof kinds

const required = flag({ says: 'Whether it asks for credentials.' })
const scopes = texts({ says: 'Scopes that callers have to have, all of them.', lone: true })

const keys = {
  authRequired: required,
  authType: kind,
  auth: either({
    scalar: required,
    mapping: table({ required, enabled: required, type: kind, scopes, requiredScopes: scopes }),
  }),
  requiredScopes: scopes,
  middleware: table({
    auth: table({
      required,
      scopes,
      requiredScopes: scopes,
      oauth2: table({ required, enabled: required, scopes, requireScopes: scopes, requiredScopes: scopes }),
    }),
  }),
} as const

/** What a rule asks of its callers. */
export interface AuthOfRule {
  readonly required: Given<boolean> | undefined
  readonly methods: Given<readonly string[]> | undefined
  readonly scopes: Given<readonly string[]> | undefined
}

const noted = new WeakMap<Group, AuthOfRule>()

/** For the section auth, which knows how credentials are looked at. */
export function authOf(rule: Group): AuthOfRule | undefined {
  return noted.get(rule)
}

export const authOfRule: RulePart = {
  keys,
  map(node, reading, rule) {
    const given = readKeys(keys, node, reading)
    const ofMetadata = readField(scopes, valueAt(valueAt(node, 'metadata'), 'requiredScopes'), reading)
    const asked = readRule(given, ofMetadata)
    if (Object.values(asked).some(value => value !== undefined)) noted.set(rule, asked)
  },
}

function readRule(given: GivenKeys<typeof keys>, ofMetadata: Given<readonly string[]> | undefined): AuthOfRule {
  const { authRequired, authType, auth, requiredScopes, middleware } = given
  const own = auth === undefined || 'value' in auth ? undefined : auth
  const flagOfAuth = auth !== undefined && 'value' in auth ? auth : undefined
  const more = middleware?.auth
  const type = authType ?? own?.type
  const method = type && kinds[type.value]
  const lists = [
    own?.scopes,
    own?.requiredScopes,
    requiredScopes,
    more?.scopes,
    more?.requiredScopes,
    more?.oauth2?.scopes,
    more?.oauth2?.requireScopes,
    more?.oauth2?.requiredScopes,
    ofMetadata,
  ].filter(list => list !== undefined)
  const all = [...new Set(lists.flatMap(({ value }) => value))]
  const said =
    authRequired ??
    flagOfAuth ??
    own?.required ??
    own?.enabled ??
    more?.required ??
    more?.oauth2?.required ??
    more?.oauth2?.enabled
  const none = type?.value === 'none' ? type.map(() => false) : undefined
  // Who says which scopes or which kind, and no more, asks for credentials.
  const implied = all.length > 0 ? lists[0]?.map(() => true) : own?.type?.map(() => true)
  return {
    required: none ?? said ?? implied,
    methods: method && type.map(() => [method]),
    scopes: all.length > 0 ? lists[0]?.map(() => all) : undefined,
  }
}
