import { readFileSync } from 'node:fs'
import type { Log } from '../contract/host.ts'
import { type ControlSocket, serveControl } from '../control/serve-control.ts'
import type { LoadedConfig } from '../loader/load.ts'
import { contentHash } from '../loader/load-bundle.ts'
import { type Controlled, controlTable } from './control-table.ts'

/** Opens the control socket. A gateway serves without one as well, so a failure is a warning. */
export async function openControl(controlled: Controlled, log: Log): Promise<ControlSocket | undefined> {
  try {
    return await serveControl(controlTable(controlled))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warn(`no control socket for "gateway status" and its like (start --no-control wants none): ${reason}`)
    return undefined
  }
}

/** Whether each file still holds what was loaded. */
export function isUnchanged(hashes: LoadedConfig['hashes']): boolean {
  return [...hashes].every(([file, hash]) => hash === hashOf(file))
}

function hashOf(file: string): string | undefined {
  try {
    return contentHash(readFileSync(file))
  } catch {
    return undefined
  }
}
