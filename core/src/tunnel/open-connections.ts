import { randomBytes } from 'node:crypto'
import type { LastingStream } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import type { ConnectionCount } from '../contract/host.ts'
import type { Deadlines } from '../http1/deadlines.ts'

/** A connection that stays open, as whoever runs the gateway sees it. */
export interface ConnectionInfo {
  /** Names it to {@link OpenConnections.close}; unique in the process. */
  readonly id: string
  /** Of the request that opened it. */
  readonly requestId: string
  /** `websocket`, `sse`, or what another plugin calls it. */
  readonly protocol: string
  readonly route: string
  /** Address of the client. */
  readonly client: string
  /** Origin of the target; empty where it has none of its own. */
  readonly target: string
  readonly ageMs: number
  /** From the client and to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** In both directions; 0 where nobody counts them. */
  readonly messages: number
}

/** The request that opened a connection. */
export interface ConnectionOwner {
  readonly id: string
  readonly route: string
  readonly client: { readonly address: string }
  readonly target: { readonly url: string } | undefined
  readonly runtime: { readonly deadlines: Deadlines }
  /** On the clock of these. */
  readonly startedAt: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface OpenConnection {
  readonly owner: ConnectionOwner
  readonly protocol: string
  readonly messages: number
  /** It is to end, soon and well. */
  leave(error: GatewayError): void
}

/** The connections of a gateway that stay open, of whichever generation. */
export class OpenConnections {
  readonly #open = new Map<OpenConnection, string>()
  readonly #counts = new Map<string, { route: string; protocol: string; open: number; opened: number }>()
  /** Of one worker among several, at the time or one after the other. */
  readonly #prefix = randomBytes(3).toString('hex')
  #opened = 0

  add(connection: OpenConnection): void {
    this.#open.set(connection, `${this.#prefix}-${++this.#opened}`)
    const { owner, protocol } = connection
    const { route } = owner
    const key = `${protocol} ${route}`
    const count = this.#counts.get(key) ?? { route, protocol, open: 0, opened: 0 }
    this.#counts.set(key, count)
    count.open++
    count.opened++
  }

  delete(connection: OpenConnection): void {
    if (!this.#open.delete(connection)) return
    const count = this.#counts.get(`${connection.protocol} ${connection.owner.route}`)
    if (count !== undefined) count.open--
  }

  /** One that a plugin keeps going. What it returns takes it off; `failed` hears what the plugin throws. */
  addStream(owner: ConnectionOwner, stream: LastingStream, failed: (error: unknown) => void): () => void {
    const connection: OpenConnection = {
      owner,
      protocol: stream.protocol,
      get messages() {
        return stream.messages
      },
      leave(error) {
        try {
          stream.leave(error)
        } catch (err) {
          failed(err)
        }
      },
    }
    this.add(connection)
    return () => this.delete(connection)
  }

  counts(): ConnectionCount[] {
    return Array.from(this.#counts.values(), count => ({ ...count }))
  }

  /** Oldest first. */
  list(): ConnectionInfo[] {
    return [...this.#open].map(([{ owner, protocol, messages }, id]) => ({
      id,
      requestId: owner.id,
      protocol,
      route: owner.route,
      client: owner.client.address,
      target: owner.target?.url ?? '',
      ageMs: Math.round(owner.runtime.deadlines.now() - owner.startedAt),
      bytesIn: owner.bytesIn,
      bytesOut: owner.bytesOut,
      messages,
    }))
  }

  /** False when there is none of that id. */
  close(id: string): boolean {
    for (const [connection, other] of this.#open) {
      if (other !== id) continue
      connection.leave(new GatewayError('GATEWAY_CONNECTION_CLOSED', 'an operator closed the connection'))
      return true
    }
    return false
  }

  /** Each gets the moment that a good end takes. */
  shutDown(): void {
    const error = new GatewayError('GATEWAY_SHUTTING_DOWN', 'the gateway was closed')
    for (const connection of [...this.#open.keys()]) connection.leave(error)
  }
}
