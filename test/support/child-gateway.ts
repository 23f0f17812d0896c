import { onCleanup } from './cleanup.ts'
import { type ForkedGateway, forkGateway } from './fork-gateway.ts'
import type { LooseConfig } from './gateway.ts'

export interface ChildGateway extends ForkedGateway {
  readonly port: number
}

/** {@link forkGateway} with one listener, on 127.0.0.1; ended after the test. */
export async function startChildGateway(config: LooseConfig): Promise<ChildGateway> {
  const listen = { port: 0, host: '127.0.0.1', ...(config.listen as object | undefined) }
  const gateway = await forkGateway({ ...config, listen })
  onCleanup('gateways', gateway.kill)
  return { ...gateway, port: gateway.ports[0] ?? 0 }
}
