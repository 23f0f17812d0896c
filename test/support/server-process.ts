import { onCleanup } from './cleanup.ts'
import { forkServer, type ServerProcess } from './fork-server.ts'

export type { ServerProcess }

/** {@link forkServer}, ended after the test. */
export async function startServerProcess(letter: string): Promise<ServerProcess> {
  const server = await forkServer(letter)
  onCleanup('upstreams', server.kill)
  return server
}
