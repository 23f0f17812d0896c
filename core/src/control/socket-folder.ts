import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * Where gateways of this user have their sockets, the better place first: the folder that the system keeps for the user
 * (XDG_RUNTIME_DIR), and one below the folder for temporary files, for services and shells that have no such.
 */
export function socketFolders(): string[] {
  const runtime = process.env.XDG_RUNTIME_DIR
  const own = runtime !== undefined && isAbsolute(runtime) && isOurs(runtime) ? [join(runtime, 'gateway')] : []
  return [...own, join(tmpdir(), `gateway-${ownUid()}`)]
}

/**
 * Makes the folder, unless it is there. Whoever can write to the folder for temporary files can put one of that name
 * there first, and would then decide who talks to the gateway: only a folder of this user, closed to others, will do.
 *
 * @throws Error that says what is wrong with what is there
 */
export function makeSocketFolder(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const fault = folderFault(folder)
  if (fault !== undefined) throw new Error(`${folder} ${fault}`)
}

/** Why sockets in this folder are not to be trusted; undefined when they are. Throws when there is no such folder. */
export function folderFault(folder: string): string | undefined {
  const found = lstatSync(folder)
  if (found.isSymbolicLink()) return 'is a symbolic link: remove it'
  if (!found.isDirectory()) return 'is no folder: remove it'
  if (found.uid !== ownUid()) return 'belongs to another user: ask them, or an administrator, to remove it'
  return (found.mode & 0o077) === 0 ? undefined : 'is open to other users: chmod 700 it'
}

/** Not `os.userInfo()`, which fails for a number without a name, as containers have them. */
const ownUid = () => process.getuid?.() ?? -1

function isOurs(folder: string): boolean {
  return lstatSync(folder, { throwIfNoEntry: false })?.uid === ownUid()
}
