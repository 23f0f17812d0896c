import type { Builder } from '../build/builder.ts'
import type { Draft } from '../build/draft.ts'
import { literalStart } from '../rules/scope.ts'
import {
  anything,
  flag,
  type GivenOf,
  integer,
  list,
  mapOf,
  node,
  seconds,
  table,
  text,
  texts,
} from '../table/field.ts'
import type { Given } from '../table/given.ts'

const decisions = { noEffect: 'decisions are as quick as what would be remembered of them', quiet: true }

const role = table({
  name: text({ noEffect: 'its key names it', quiet: true }),
  description: text({ noEffect: 'nothing reads it', quiet: true }),
  metadata: anything({ noEffect: 'nothing reads it', quiet: true }),
  permissions: texts({ says: 'What it permits: `resource:action`, such as `/orders/*:read`.' }),
  inherits: texts({ says: 'Roles of the same policy whose permissions it has, too.' }),
})

const policy = table({
  name: text({
    says: 'What it is called; a later one takes the place of one that is called so as well.',
    required: true,
  }),
  description: text({ noEffect: 'nothing reads it', quiet: true }),
  roles: mapOf(role, { says: 'By name.' }),
  bindings: mapOf(texts(), { says: 'Who has which roles.' }),
})
type Policy = GivenOf<typeof policy>

export const rbacTable = table({
  enabled: flag({ says: 'Whether callers need permission.', default: false }),
  enforcementMode: text({ says: 'permissive only logs.', default: 'enforce', oneOf: ['enforce', 'permissive', ''] }),
  defaultAllow: flag({ says: 'Whether what no role permits is permitted.', default: false }),
  subjectKey: text({ noEffect: 'who calls is told by auth', quiet: true }),
  skipPaths: texts({ says: 'Beginnings of paths that need no permission.' }),
  cacheSize: integer(decisions),
  cacheTTL: seconds(decisions),
  policyRefreshInterval: seconds({ noEffect: 'policies are this file, which is read when it changes', quiet: true }),
  policies: list(policy, { says: 'Roles and who has them.' }),
})
export type GivenRbac = GivenOf<typeof rbacTable>

/** `rbac` of the plugin auth: all policies in one. Roles of one name in several policies stay apart. */
export function mapRbac(given: GivenRbac, options: Draft, gateway: Builder): void {
  const policies = [...new Map((given.policies ?? []).map(policy => [policy.name?.value, policy])).values()]
  const counts = Map.groupBy(
    policies.flatMap(({ roles }) => [...(roles?.keys() ?? [])]),
    name => name,
  )
  const rbac = options.in('rbac', given[node])
  rbac.set('roles', {})
  const bindings = new Map<string, string[]>()
  for (const policy of policies) {
    const nameOf = (role: string) => ((counts.get(role)?.length ?? 0) > 1 ? `${policy.name?.value}/${role}` : role)
    mapPolicy(policy, { nameOf, rbac, bindings }, gateway)
  }
  for (const [who, roles] of bindings) rbac.in('bindings').setKey(who, [...new Set(roles)])
  // A role only allows: with that, nothing would be refused.
  if (given.defaultAllow?.value === true) {
    return gateway.problems.warning(
      given.defaultAllow,
      'permits what no role does: nobody is refused for want of a role',
    )
  }
  rbac.set(
    'requests',
    given.enforcementMode?.value === 'permissive' ? given.enforcementMode.map(() => 'report') : 'enforce',
  )
}

function mapPolicy(
  { roles, bindings: given }: Policy,
  to: { nameOf(role: string): string; readonly rbac: Draft; readonly bindings: Map<string, string[]> },
  gateway: Builder,
): void {
  const known = (names: Given<readonly string[]> | undefined) =>
    (names?.value ?? []).flatMap(name => {
      if (roles?.has(name)) return to.nameOf(name)
      if (names) gateway.problems.warning(names, `names the role "${name}", which is not in this policy`)
      return []
    })
  for (const [name, { permissions, inherits }] of roles ?? []) {
    const all = permissions?.value.flatMap(permission => permissionsOf(permission, permissions, gateway)) ?? []
    const inherited = known(inherits)
    to.rbac.in('roles').setKey(to.nameOf(name), {
      permissions: permissions?.map(() => all),
      inherits: inherited.length > 0 ? inherits?.map(() => inherited) : undefined,
    })
  }
  for (const [who, names] of given ?? []) to.bindings.set(who, [...(to.bindings.get(who) ?? []), ...known(names)])
}

/**
 * A resource is a path here. One that is a word is what the file's rules show of it: paths with that word as a segment, and
 * those of the service of that name.
 */
function permissionsOf(permission: string, at: Given<unknown>, gateway: Builder): readonly string[] {
  const colon = permission.lastIndexOf(':')
  const [resource, action] = [permission.slice(0, colon), permission.slice(colon + 1)]
  if (colon < 1 || resource === '*' || resource.startsWith('/')) return [permission]
  const paths = [...gateway.rules.values()].flatMap(rule => {
    const ofService = rule.asked.service === resource
    return [...rule.routes.values()].flatMap(path => (ofService ? resourceOf(path) : below(path, resource)))
  })
  if (paths.length > 0) return [...new Set(paths)].map(path => `${path}:${action}`)
  gateway.problems.warning(at, `holds "${permission}", and no rule has a service or a path "${resource}"`, {
    hint: `a resource is a path: "/${resource}*:${action}"`,
  })
  return [permission]
}

/** Exactly what a pattern takes. One with a parameter cannot be said. */
function resourceOf(path: string): readonly string[] {
  const start = literalStart(path)
  if (start === path) return [path]
  return path.slice(start.length) === '*' ? [`${start}*`] : []
}

/** What stands under a word among the literal segments of a path. */
function below(path: string, word: string): readonly string[] {
  const segments = literalStart(path).split('/')
  const index = segments.indexOf(word)
  if (index < 1) return []
  const base = segments.slice(0, index + 1).join('/')
  return [base, `${base}/*`]
}
