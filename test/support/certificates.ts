import { type Authority, authorityIn } from './authority.ts'
import { makeFolder } from './folder.ts'

export type { Authority, Issued, Request } from './authority.ts'

/** A certificate authority of its own; what it issues is removed as {@link makeFolder} says. */
export const createAuthority = (name?: string): Promise<Authority> => authorityIn(makeFolder(), name)
