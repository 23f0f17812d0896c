import type { RbacOptions } from './options.ts'

/** Whether a permission that somebody asks for, `resource:action`, is granted. */
type Grant = (resource: string, action: string) => boolean

const actions: Readonly<Record<string, string>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
}

/** What a method does to a resource: read, create, update, delete; others in small letters. */
export const actionOf = (method: string): string => actions[method] ?? method.toLowerCase()

/** Roles, what they inherit, what they permit, and who has them (NIST RBAC1). Allowing only: what no role grants is refused. */
export class Roles {
  readonly #inherited = new Map<string, readonly string[]>()
  readonly #grants = new Map<string, readonly Grant[]>()
  readonly #bindings: ReadonlyMap<string, readonly string[]>

  /** @throws TypeError for a role that is not there, and for a circle */
  constructor({ roles, bindings }: RbacOptions) {
    const known = new Map(Object.entries(roles))
    const expand = (name: string, above: readonly string[]): readonly string[] => {
      const role = known.get(name)
      if (role === undefined) throw new TypeError(`rbac: ${above.at(-1)} names the role "${name}", which is not there`)
      const path = [...above, `"${name}"`]
      if (above.includes(`"${name}"`)) throw new TypeError(`rbac: roles inherit in a circle: ${path.join(' -> ')}`)
      return [...new Set([name, ...role.inherits.flatMap(inherited => expand(inherited, path))])]
    }
    for (const [name, { permissions }] of known) {
      this.#inherited.set(name, expand(name, []))
      this.#grants.set(name, permissions.map(compileGrant))
    }
    for (const [who, names] of Object.entries(bindings))
      for (const name of names) expand(name, [`bindings of "${who}"`])
    this.#bindings = new Map(Object.entries(bindings))
  }

  /** The roles that credentials brought and those bound to who it is, with all that they inherit. */
  of(id: string, own: readonly string[]): readonly string[] {
    const bound = this.#bindings.get(id) ?? []
    return [...new Set([...own, ...bound].flatMap(name => this.#inherited.get(name) ?? [name]))]
  }

  /** For roles with those that they inherit. */
  permit(roles: readonly string[], resource: string, action: string): boolean {
    return roles.some(role => this.#grants.get(role)?.some(grant => grant(resource, action)))
  }
}

function compileGrant(permission: string): Grant {
  const [resource, action] = splitPermission(permission)
  const isAction = action === '*' ? () => true : (asked: string) => asked === action
  if (!resource.endsWith('*')) return (asked, what) => asked === resource && isAction(what)
  const start = resource.slice(0, -1)
  return (asked, what) => asked.startsWith(start) && isAction(what)
}

/** At the last colon, since a path may hold some. */
export function splitPermission(permission: string): [resource: string, action: string] {
  const colon = permission.lastIndexOf(':')
  return [permission.slice(0, colon), permission.slice(colon + 1)]
}
