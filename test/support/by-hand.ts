import { proxyTo, type RunningGateway, startGateway } from './gateway.ts'
import { type RawUpstream, rawUpstream } from './upstream.ts'
import { connect, type Wire } from './wire.ts'

export interface ByHand {
  readonly upstream: RawUpstream
  readonly gateway: RunningGateway
  readonly client: Wire
}

/** A gateway in front of an upstream that the test plays itself, and a client's connection to it. */
export async function byHand(more: Parameters<typeof proxyTo>[1] = {}): Promise<ByHand> {
  const upstream = await rawUpstream(() => {})
  const gateway = await startGateway(proxyTo(upstream.origin, more))
  return { upstream, gateway, client: await connect(gateway.port) }
}
