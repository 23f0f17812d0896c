import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ListenerModel } from '../config/model.ts'
import type { Log } from '../contract/host.ts'
import { GatewayError } from '../contract/errors.ts'
import { problemReply } from '../exchange/problem.ts'
import { requestId } from '../exchange/request-id.ts'
import { localResponse } from '../exchange/response.ts'
import type { Entry } from '../exchange/route.ts'
import { type HttpConnection, serveConnection } from '../http1/server-connection.ts'
import { defaultServerOptions, type ServerOptions } from '../http1/server-options.ts'
import type { ServerStream } from '../http1/wire.ts'
import { compileTrust } from './trust.ts'

export interface ListenerAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}

/** What a listener hands on, and whom it asks about a new connection. */
export interface ListenerEvents {
  request(entry: Entry, stream: ServerStream): void
  /** False drops the connection. */
  connection(address: string, localPort: number): boolean
}

/**
 * A port that accepts connections. Its settings can be replaced while it runs; they hold for connections accepted from
 * then on, and trust, paths and body size for requests that come from then on.
 */
export class Listener {
  readonly #server: Server
  readonly #log: Log
  readonly #events: ListenerEvents
  readonly #connections = new Map<Socket, HttpConnection>()
  readonly #perClient = new Map<string, number>()
  #model: ListenerModel
  #entry: Entry
  #options: ServerOptions

  constructor(model: ListenerModel, events: ListenerEvents, log: Log) {
    this.#log = log
    this.#events = events
    this.#model = model
    this.#entry = entryOf(model)
    this.#options = this.#optionsOf(model)
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, socket => this.#accept(socket))
  }

  get model(): ListenerModel {
    return this.#model
  }

  get connections(): number {
    return this.#connections.size
  }

  get address(): ListenerAddress {
    const { address, port } = this.#server.address() as AddressInfo
    const reachable = address === '::' || address === '0.0.0.0' ? 'localhost' : address.includes(':') ? `[${address}]` : address
    return { host: address, port, url: `http://${reachable}:${port}` }
  }

  /** Rejects with a sentence that names the port when it cannot be had. */
  async listen(): Promise<ListenerAddress> {
    const { host, port } = this.#model
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ port, ...(host === undefined ? {} : { host }), backlog: 1024 }, resolve)
    try {
      await promise
    } catch (error) {
      throw new GatewayError('GATEWAY_LISTEN_FAILED', listenFailure(error, host, port), { source: 'config', cause: error })
    }
    this.#server.removeListener('error', reject)
    this.#server.on('error', error => this.#log.error('listener failed', { port, err: error }))
    return this.address
  }

  update(model: ListenerModel): void {
    this.#model = model
    this.#entry = entryOf(model)
    this.#options = this.#optionsOf(model)
  }

  /** Stops accepting; idle connections close now, the others after their exchange, at the latest after `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const connection of this.#connections.values()) connection.drain()
    const timer = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.destroy()
    }, timeoutMs)
    await closed
    clearTimeout(timer)
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress
    const { connections, connectionsPerClient } = this.#model.limits
    if (address === undefined) return void socket.destroy()
    const own = this.#perClient.get(address) ?? 0
    const full = connections > 0 && this.#connections.size >= connections
    const greedy = connectionsPerClient > 0 && own >= connectionsPerClient
    if (full || greedy || !this.#events.connection(address, socket.localPort ?? 0)) {
      if (full || greedy) this.#log.debug('connection refused', { client: address, limit: full ? 'connections' : 'connectionsPerClient' })
      return void socket.destroy()
    }
    this.#perClient.set(address, own + 1)
    const onClose = () => {
      this.#connections.delete(socket)
      const left = (this.#perClient.get(address) ?? 1) - 1
      if (left === 0) this.#perClient.delete(address)
      else this.#perClient.set(address, left)
    }
    this.#connections.set(socket, serveConnection(socket, { ...this.#options, onClose }, this.#onRequest))
  }

  readonly #onRequest = (stream: ServerStream): void => this.#events.request(this.#entry, stream)

  #optionsOf({ limits }: ListenerModel): ServerOptions {
    return {
      ...defaultServerOptions,
      maxHeadBytes: limits.headSize,
      maxFields: limits.headFields,
      headTimeout: limits.headTimeout,
      bodyIdleTimeout: limits.bodyIdleTimeout,
      writeIdleTimeout: limits.writeIdleTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
      maxRequestsPerConnection: limits.requestsPerConnection,
      onClientError: (error, peer) => {
        const id = requestId(undefined)
        this.#log.debug(error.message, { requestId: id, code: error.code, status: error.status, client: peer.address })
        const { headers, body } = localResponse(problemReply(error, { id, route: undefined }))
        headers.set('X-Request-ID', id)
        return { fields: headers, body: body instanceof Uint8Array ? body : new Uint8Array() }
      },
      onFault: error => this.#log.error('an exchange failed', { err: error }),
    }
  }
}

function entryOf(model: ListenerModel): Entry {
  return { paths: model.paths, bodySize: model.limits.bodySize, trusts: compileTrust(model.trust) }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another process',
  EACCES: 'needs more rights than this process has',
  EADDRNOTAVAIL: 'is not an address of this machine',
}

function listenFailure(error: unknown, host: string | undefined, port: number): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error))
  return `cannot listen on ${host ?? '*'}:${port}: it ${reason}`
}
