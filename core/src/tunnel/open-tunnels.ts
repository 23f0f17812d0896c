import { randomBytes } from 'node:crypto'
import { GatewayError } from '../contract/errors.ts'
import type { OpenTunnel } from './open-tunnel.ts'

/** A connection that stays open, as whoever runs the gateway sees it. */
export interface ConnectionInfo {
  /** Names it to {@link OpenTunnels.close}; unique in the process. */
  readonly id: string
  /** Of the request that opened it. */
  readonly requestId: string
  readonly protocol: 'websocket'
  readonly route: string
  /** Address of the client. */
  readonly client: string
  /** Origin of the target. */
  readonly target: string
  readonly ageMs: number
  /** From the client and to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** In both directions; 0 where nobody counts them. */
  readonly messages: number
}

/** The tunnels of a gateway, of whichever generation. */
export class OpenTunnels {
  readonly #open = new Map<OpenTunnel, string>()
  /** Of one worker among several, at the time or one after the other. */
  readonly #prefix = randomBytes(3).toString('hex')
  #opened = 0

  add(tunnel: OpenTunnel): void {
    this.#open.set(tunnel, `${this.#prefix}-${++this.#opened}`)
  }

  delete(tunnel: OpenTunnel): void {
    this.#open.delete(tunnel)
  }

  /** Oldest first. */
  list(): ConnectionInfo[] {
    return [...this.#open].map(([tunnel, id]) => {
      const { owner, protocol, bytesIn, bytesOut, messages } = tunnel
      return {
        id,
        requestId: owner.id,
        protocol,
        route: owner.route,
        client: owner.client.address,
        target: owner.target?.url ?? '',
        ageMs: Math.round(owner.runtime.deadlines.now() - owner.startedAt),
        bytesIn,
        bytesOut,
        messages,
      }
    })
  }

  /** False when there is none of that id. */
  close(id: string): boolean {
    for (const [tunnel, other] of this.#open) {
      if (other !== id) continue
      tunnel.leave(new GatewayError('GATEWAY_CONNECTION_CLOSED', 'an operator closed the connection'))
      return true
    }
    return false
  }

  /** Each gets the moment that a good end takes. */
  shutDown(): void {
    const error = new GatewayError('GATEWAY_SHUTTING_DOWN', 'the gateway was closed')
    for (const tunnel of [...this.#open.keys()]) tunnel.leave(error)
  }
}
