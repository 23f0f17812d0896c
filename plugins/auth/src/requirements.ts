import type { Context, Log } from '@gateway/core'
import { claimAt } from './claim-at.ts'
import type { Identity } from './contract.ts'
import type { RouteRules } from './options.ts'
import { actionOf, type Roles, splitPermission } from './roles.ts'

/** What somebody lacks. */
export interface Lack {
  readonly reason: string
  /** The scopes that the route asks for, when it is one of them. */
  readonly scope?: string
}

/** What somebody lacks, or undefined. */
export type Requirement = (identity: Identity, ctx: Context) => Lack | undefined

/** What a route asks of who calls, in the order scopes, roles, permissions, claims, the request itself. */
export function requirementsOf(
  { scopes = [], roles: anyRole, permissions = [], claims = {} }: RouteRules,
  roles: Roles | undefined,
  requests: false | 'enforce' | 'report',
  log: Log,
): Requirement[] {
  const requirements: Requirement[] = []
  if (scopes.length > 0) {
    const lack: Lack = { reason: 'a scope is missing', scope: scopes.join(' ') }
    requirements.push(identity => (scopes.every(scope => identity.scopes.includes(scope)) ? undefined : lack))
  }
  if (anyRole !== undefined) {
    const lack: Lack = { reason: 'it has none of the roles' }
    requirements.push(identity => (anyRole.some(role => identity.roles.includes(role)) ? undefined : lack))
  }
  for (const permission of permissions) {
    const [resource, action] = splitPermission(permission)
    const lack: Lack = { reason: `no role permits ${permission}` }
    requirements.push(identity => (roles?.permit(identity.roles, resource, action) ? undefined : lack))
  }
  for (const [path, wanted] of Object.entries(claims)) {
    const lack: Lack = { reason: `the claim ${path} is not as it has to be` }
    requirements.push(identity => (holds(claimAt(identity.claims, path), wanted) ? undefined : lack))
  }
  if (roles !== undefined && requests !== false) requirements.push(requestPermitted(roles, requests, log))
  return requirements
}

type Wanted = NonNullable<RouteRules['claims']>[string]

/** A claim that is a list has to hold the value. */
function holds(claim: unknown, wanted: Wanted): boolean {
  if (wanted === true) return claim !== undefined && claim !== null && claim !== false
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted]
  const given: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return given.some(value => values.includes(value))
}

function requestPermitted(roles: Roles, mode: 'enforce' | 'report', log: Log): Requirement {
  return (identity, { id, path, method }) => {
    if (roles.permit(identity.roles, path, actionOf(method))) return undefined
    const reason = `no role permits ${path}:${actionOf(method)}`
    if (mode === 'enforce') return { reason }
    log.info('would be refused', { requestId: id, identity: identity.id, reason })
    return undefined
  }
}
