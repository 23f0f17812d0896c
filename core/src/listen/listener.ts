import { hkdfSync } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ListenerModel, ListenerTlsModel } from '../config/model.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Log } from '../contract/host.ts'
import { problemReply } from '../exchange/problem.ts'
import { requestId } from '../exchange/request-id.ts'
import { localResponse } from '../exchange/response.ts'
import type { Entry } from '../exchange/route.ts'
import type { ConnectionCounts } from '../group/connection-counts.ts'
import { alone, type WorkerGroup } from '../group/worker-group.ts'
import { plainAddress } from '../http1/peer.ts'
import { defaultServerOptions } from '../http1/server-options.ts'
import type { ServerStream } from '../http1/wire.ts'
import type { Http2ServerOptions } from '../http2/server-limits.ts'
import { clientNetwork } from './client-network.ts'
import { Connection, type ConnectionOwner, type ConnectionSettings } from './connection.ts'
import { offered } from './protocol.ts'
import { createTlsAcceptor } from './tls.ts'
import { addressTest } from './trust.ts'

export interface ListenerAddress {
  readonly name: string | undefined
  readonly host: string
  readonly port: number
  readonly url: string
}

/** What a listener hands on, and whom it asks about a new connection. */
export interface ListenerEvents {
  request(entry: Entry, stream: ServerStream): void
  /** False drops the connection. With TLS it is asked after the handshake. */
  connection(address: string, localPort: number, serverName: string | undefined): boolean
}

/** Where a listener stands. */
export interface ListenerPlace {
  /** The same in every worker. */
  readonly name: string
  readonly group: WorkerGroup
  /** Instead of the model's, where another worker has it already. */
  readonly port: number | undefined
  /** Whoever listens on the port now belongs to this gateway. */
  readonly own: boolean
}

/** What a model says, made ready. */
interface Settings {
  readonly model: ListenerModel
  readonly entry: Entry
  readonly connection: ConnectionSettings
}

/** What it says of every request that comes in. */
export function entryOf({ name = '', paths, limits, trust }: ListenerModel): Entry {
  return { listener: name, paths, bodySize: limits.bodySize, trusts: addressTest(trust) }
}

/**
 * A port that accepts connections. Its settings can be replaced while it runs; they hold for connections accepted from
 * then on, and trust, paths and body size for requests that come from then on.
 */
export class Listener implements ConnectionOwner {
  readonly #server: Server
  readonly #log: Log
  readonly #events: ListenerEvents
  readonly #connections = new Set<Connection>()
  readonly #place: ListenerPlace
  readonly #counts: ConnectionCounts
  /** The same for all its life and in every worker, so that TLS sessions are resumed across reloads and by any of them. */
  readonly #ticketKeys: Buffer
  #settings: Settings
  #accepted = 0
  #leaving = false

  constructor(
    model: ListenerModel,
    events: ListenerEvents,
    log: Log,
    place: ListenerPlace = { name: '', group: alone(), port: undefined, own: false },
  ) {
    this.#place = place
    const { group, name } = place
    this.#counts = group.counts(name)
    this.#ticketKeys = Buffer.from(hkdfSync('sha256', group.secret, '', `TLS tickets of ${name}`, 48))
    this.#log = log
    this.#events = events
    this.#settings = this.#settingsOf(model, undefined)
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, socket => this.#accept(socket))
  }

  get model(): ListenerModel {
    return this.#settings.model
  }

  get listening(): boolean {
    return this.#server.listening
  }

  get connections(): number {
    return this.#connections.size
  }

  get address(): ListenerAddress {
    const { address, port } = this.#server.address() as AddressInfo
    const scheme = this.model.tls === undefined ? 'http' : 'https'
    const reachable =
      address === '::' || address === '0.0.0.0' ? 'localhost' : address.includes(':') ? `[${address}]` : address
    return { name: this.model.name, host: address, port, url: `${scheme}://${reachable}:${port}` }
  }

  /** Rejects with a sentence that names the port when it cannot be had. */
  async listen(): Promise<ListenerAddress> {
    const { host } = this.model
    const { group, own } = this.#place
    const port = this.#place.port ?? this.model.port
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const where = { port, ...(host === undefined ? {} : { host }) }
    try {
      if (group.reusePort && !own && port !== 0) await expectFree(where)
      this.#server.once('error', reject)
      this.#server.listen({ ...where, backlog: 1024, reusePort: group.reusePort }, resolve)
      await promise
    } catch (error) {
      this.#counts.close()
      throw new GatewayError('GATEWAY_LISTEN_FAILED', listenFailure(error, host, port), {
        source: 'config',
        cause: error,
      })
    }
    this.#server.removeListener('error', reject)
    this.#server.on('error', error => this.#log.error('listener failed', { port, err: error }))
    return this.address
  }

  /** Makes a new model ready; what it returns puts it in force, and cannot fail. No connection is closed. */
  prepare(model: ListenerModel): () => void {
    const settings = this.#settingsOf(model, this.#settings)
    return () => {
      this.#settings = settings
    }
  }

  /**
   * Stops accepting; idle connections close now, the others after their exchange, at the latest after `timeoutMs`, but for
   * those that carry a tunnel: they close when it ends. With patience idle ones get to send one request more, whose answer closes them.
   */
  async close(timeoutMs: number, patience?: 'patient'): Promise<void> {
    if (patience !== undefined) await this.#acceptQueued()
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.drain(patience)
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.expire()
    }, timeoutMs)
    await closed
    clearTimeout(timer)
    this.#counts.close()
  }

  /**
   * Closing one of several sockets on a port resets the connections that wait in its queue: Linux does not hand them to
   * the others, unless net.ipv4.tcp_migrate_req is 1. So it goes on accepting until a turn of the loop finds none.
   */
  async #acceptQueued(): Promise<void> {
    this.#leaving = true
    for (let turn = 0, before = -1; turn < 1_000 && before !== this.#accepted; turn++) {
      before = this.#accepted
      // Two, since the first may come before this turn has polled.
      await nextTurn()
      await nextTurn()
    }
  }

  #accept(socket: Socket): void {
    this.#accepted++
    const address = plainAddress(socket.remoteAddress)
    const { model, entry, connection: settings } = this.#settings
    const { connections: limit } = model.limits
    const refusal =
      model.proxyProtocol && !entry.trusts(address)
        ? 'it is no proxy that the PROXY protocol is taken from'
        : address !== '' && !this.#counts.enter(limit)
          ? 'there are too many connections'
          : undefined
    if (refusal !== undefined) this.failed(refusal, address)
    if (refusal !== undefined || address === '') return void socket.destroy()
    const connection = new Connection(socket, settings, this)
    this.#connections.add(connection)
    connection.start()
    if (this.#leaving) connection.drain('patient')
  }

  // What its connections ask and tell.

  count(address: string): (() => void) | undefined {
    const { model, entry } = this.#settings
    // A proxy stands for many clients.
    const limit = entry.trusts(address) ? 0 : model.limits.connectionsPerClient
    const countOut = this.#counts.add(clientNetwork(address), limit)
    if (countOut === undefined) this.failed('there are too many connections of this client', address)
    return countOut
  }

  admit(address: string, localPort: number, serverName: string | undefined): boolean {
    return this.#events.connection(address, localPort, serverName)
  }

  failed(reason: string, address: string | undefined): void {
    this.#log.debug('connection failed', { client: address, port: this.model.port, reason })
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    this.#counts.leave()
    connection.countOut?.()
  }

  readonly request = (stream: ServerStream): void => this.#events.request(this.#settings.entry, stream)

  #settingsOf(model: ListenerModel, before: Settings | undefined): Settings {
    const { proxyProtocol, http2 } = model
    // Contexts are dear to make, and most reloads leave the certificates alone.
    const same = isDeepStrictEqual([model.tls, http2], [before?.model.tls, before?.connection.http2])
    const onRefusal = (reason: string) => this.failed(reason, undefined)
    const create = (tls: ListenerTlsModel) => createTlsAcceptor(tls, offered(http2), this.#ticketKeys, onRefusal)
    const tls = same ? before?.connection.tls : model.tls && create(model.tls)
    return { model, entry: entryOf(model), connection: { options: this.#optionsOf(model), proxyProtocol, tls, http2 } }
  }

  #optionsOf({ limits }: ListenerModel): Http2ServerOptions {
    return {
      ...defaultServerOptions,
      maxHeadBytes: limits.headSize,
      maxFields: limits.headFields,
      headTimeout: limits.headTimeout,
      bodyIdleTimeout: limits.bodyIdleTimeout,
      writeIdleTimeout: limits.writeIdleTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
      maxRequestsPerConnection: limits.requestsPerConnection,
      maxPendingBytes: limits.pendingBytes,
      ...limits.http2,
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

/**
 * With SO_REUSEPORT another process of the same user could listen on the port as well, and each would get some of the
 * connections. An exclusive socket is refused wherever anybody listens.
 */
async function expectFree(where: { port: number; host?: string }): Promise<void> {
  const probe = createServer(socket => socket.destroy())
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  probe.once('error', reject)
  probe.listen(where, resolve)
  await promise
  await new Promise(closed => probe.close(closed))
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
