import type { Identity } from './contract.ts'
import { fieldsFor } from './forward-headers.ts'
import type { AuthOptions } from './options.ts'
import type { Roles } from './roles.ts'

/** What is worked out once for each identity. */
export interface Caller {
  /** With its roles. */
  readonly identity: Identity
  /** For the upstream: name, value, name, value. */
  readonly fields: readonly string[]
}

/** What follows from identities, kept as long as they are: a token that is remembered costs nothing here again. */
export class Callers {
  readonly #roles: Roles | undefined
  readonly #forwardHeaders: AuthOptions['forwardHeaders']
  readonly #known = new WeakMap<Identity, Caller>()

  constructor(roles: Roles | undefined, forwardHeaders: AuthOptions['forwardHeaders']) {
    this.#roles = roles
    this.#forwardHeaders = forwardHeaders
  }

  of(proved: Identity): Caller {
    const known = this.#known.get(proved)
    if (known !== undefined) return known
    const roles = this.#roles?.of(proved.id, proved.roles)
    const identity = roles === undefined ? proved : { ...proved, roles }
    const caller = { identity, fields: fieldsFor(this.#forwardHeaders, identity) }
    this.#known.set(proved, caller)
    return caller
  }
}
