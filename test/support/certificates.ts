import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Authority, authorityIn } from './authority.ts'

export type { Authority, Issued, Request } from './authority.ts'

/** A certificate authority of its own; what it issues is removed after the file's tests. */
export async function createAuthority(name?: string): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-ca-'))
  afterAll(() => rm(folder, { recursive: true }))
  return authorityIn(folder, name)
}
