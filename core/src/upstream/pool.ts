import type { LookupFunction, Socket } from 'node:net'
import { GatewayError } from '../contract/errors.ts'
import { ClientConnection, type ConnectionOwner } from '../http1/client-connection.ts'
import { RequestStream, type StreamQueue } from '../http1/client-stream.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import { connect, createEndpoint, type Endpoint, type UpstreamTls } from './connect.ts'
import { WaitingLine } from './waiting-line.ts'

export interface PoolOptions {
  /**
   * Connections at most, those being opened included. Default 4,096. A streamed exchange holds its connection for as long as
   * its client is slow, so there have to be several times as many as one client may have of its own
   * (`limits.connectionsPerClient`), or a few slow ones would take the upstream from all others.
   */
  readonly maxConnections: number
  /** Requests that may wait beyond those a connection is being opened for. Default 1,024. */
  readonly maxQueued: number
  /**
   * Milliseconds a connection may lie idle; 0 means for ever. Default 55,000, below the 60 s and more at which servers
   * usually close. An upstream that says less (`Keep-Alive: timeout=5`) is believed, less a second for the way.
   */
  readonly idleTimeout: number
  /**
   * Milliseconds after which a connection takes no further request, give or take a tenth so that they do not all go at
   * once; 0 means never. Default 600,000.
   */
  readonly maxLifetime: number
  /** For https origins. */
  readonly tls: UpstreamTls | undefined
  /** Resolves the host's name in place of the system's resolver. */
  readonly lookup: LookupFunction | undefined
  /**
   * Milliseconds between two look-ups of the host's name while there is traffic. Connections to an address that it has not
   * had for one to two of these are closed, busy ones after their exchange. 0 means never. Default 15,000.
   */
  readonly lookupInterval: number
}

export interface PoolStats {
  /** Connections that stand: idle and busy ones. Upgraded ones have left the pool. */
  readonly open: number
  readonly idle: number
  /** Connections with an exchange on them. */
  readonly busy: number
  /** Connections being opened. */
  readonly connecting: number
  /** Requests that wait for a connection, being opened or in use. */
  readonly queued: number
}

const poolDefaults: PoolOptions = {
  maxConnections: 4_096,
  maxQueued: 1_024,
  idleTimeout: 55_000,
  maxLifetime: 600_000,
  tls: undefined,
  lookup: undefined,
  lookupInterval: 15_000,
}

/** Keep-alive connections to one origin, and the requests that wait for one. Retries are not its business. */
export class Pool implements ConnectionOwner, StreamQueue {
  readonly origin: string
  readonly endpoint: Endpoint
  readonly #options: PoolOptions
  readonly #connections = new Set<ClientConnection>()
  /**
   * Used as a stack. The connection used last is the least likely to have gone stale, and the ones that the load does
   * not need sink to the bottom and time out, so that the pool shrinks to its need.
   */
  readonly #idle: ClientConnection[] = []
  /** What gives each connection attempt up. */
  readonly #connecting = new Set<() => void>()
  readonly #queue = new WaitingLine<RequestStream>()
  /** Connections that were handed over after an upgrade and still stand. */
  #upgraded = 0
  #closing = false
  #destroyed = false
  #onEmpty: (() => void)[] = []

  /** @throws TypeError for an origin that {@link createEndpoint} does not take. */
  constructor(origin: string, options: Partial<PoolOptions> = {}) {
    this.origin = origin
    this.#options = { ...poolDefaults, ...options }
    this.endpoint = createEndpoint(origin, this.#options)
    const { names } = this.endpoint
    if (names === undefined) return
    names.onChecked = stands => {
      for (const connection of [...this.#connections]) if (!stands(connection.address)) this.#retire(connection)
    }
  }

  get stats(): PoolStats {
    const open = this.#connections.size
    const idle = this.#idle.length
    return { open, idle, busy: open - idle, connecting: this.#connecting.size, queued: this.#queue.size }
  }

  /** Requests not yet finished, those that wait included, and upgraded connections. */
  get inFlight(): number {
    return this.#connections.size - this.#idle.length + this.#queue.size + this.#upgraded
  }

  /**
   * Sends a request. When a connection is idle its head is written, and `onConnected` called, before this returns;
   * nothing else is ever called that soon.
   *
   * Errors, through the handler: GATEWAY_POOL_EXHAUSTED when the queue is full or its wait was too long,
   * GATEWAY_UPSTREAM_CONNECT, GATEWAY_UPSTREAM_CONNECT_TIMEOUT, GATEWAY_SHUTTING_DOWN after `destroy()`, and those of the
   * connection.
   *
   * @throws TypeError when method or target would break out of the request line.
   */
  request(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler): ClientStream {
    const stream = new RequestStream(request, timeouts, handler, this)
    const now = performance.now()
    this.endpoint.names?.check(now)
    const connection = request.fresh === true ? undefined : this.#takeIdle(now)
    if (connection !== undefined) stream.connect(connection, now)
    else this.#enqueue(stream, now)
    return stream
  }

  /**
   * Closes idle connections now and the others after their exchange. Requests that wait are still served, and so are
   * late ones, each on a connection that is closed after it. Resolves once nothing is left.
   */
  close(): Promise<void> {
    this.#closing = true
    for (const connection of this.#idle.splice(0)) connection.close()
    return new Promise(resolve => {
      this.#onEmpty.push(resolve)
      this.#settle()
    })
  }

  /** Closes everything; requests under way fail with GATEWAY_SHUTTING_DOWN. */
  destroy(): void {
    this.#closing = true
    this.#destroyed = true
    const error = new GatewayError('GATEWAY_SHUTTING_DOWN', `${this.origin}: the pool was destroyed`)
    this.#queue.failAll(error)
    for (const connection of [...this.#connections]) connection.destroy(error)
    this.#settle()
  }

  /** For connections: the exchange is over and the connection good for another. */
  onIdle(connection: ClientConnection): void {
    this.#offer(connection, performance.now())
  }

  /** For connections. */
  onUpgraded(socket: Socket): void {
    this.#upgraded++
    socket.once('close', () => this.#upgraded--)
  }

  /** For connections: closed, or upgraded. */
  onGone(connection: ClientConnection): void {
    this.#connections.delete(connection)
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#dialForQueue()
    this.#settle()
  }

  /** For streams. */
  leave(stream: RequestStream): void {
    this.#queue.leave(stream)
    this.#settle()
  }

  /** For streams. */
  onWaitedTooLong(stream: RequestStream): void {
    const waited = `${this.origin}: no connection within ${stream.timeouts.connect} ms`
    const error =
      this.#connecting.size > 0
        ? new GatewayError('GATEWAY_UPSTREAM_CONNECT_TIMEOUT', waited)
        : new GatewayError('GATEWAY_POOL_EXHAUSTED', `${waited}, all ${this.#connections.size} in use`)
    this.#queue.fail(stream, error)
    this.#settle()
  }

  #takeIdle(now: number): ClientConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      // The timer is coarse, and after a blocked or suspended process late.
      if (!connection.expired(now)) return connection
      connection.close()
    }
    return undefined
  }

  #enqueue(stream: RequestStream, now: number): void {
    const { maxConnections, maxQueued } = this.#options
    if (this.#destroyed) {
      this.#failSoon(stream, 'GATEWAY_SHUTTING_DOWN', 'the pool was destroyed')
      return
    }
    const full = this.#connections.size + this.#connecting.size >= maxConnections
    if (full && this.#queue.size - this.#connecting.size >= maxQueued) {
      this.#failSoon(
        stream,
        'GATEWAY_POOL_EXHAUSTED',
        `all ${maxConnections} connections are in use, ${maxQueued} wait`,
      )
      return
    }
    this.#queue.join(stream, now)
    this.#dialForQueue()
  }

  /** Opens connections until there is one for everybody who waits. */
  #dialForQueue(): void {
    const { maxConnections } = this.#options
    for (const stream of this.#queue) {
      const connecting = this.#connecting.size
      if (connecting >= this.#queue.size || connecting + this.#connections.size >= maxConnections) return
      this.#dial(stream.timeouts.connect)
    }
  }

  #dial(timeout: number): void {
    const giveUp = connect(this.endpoint, timeout, {
      onSocket: socket => {
        this.#connecting.delete(giveUp)
        this.#add(socket)
      },
      onConnectError: error => {
        this.#connecting.delete(giveUp)
        this.#onDialFailed(error)
      },
    })
    this.#connecting.add(giveUp)
  }

  #onDialFailed(error: GatewayError): void {
    if (error.code === 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT') {
      this.#queue.failOverdue(error)
    } else {
      // No attempt belongs to a request: whoever stands first takes what comes first, also a failure, unless there are
      // attempts enough left for all.
      const { first } = this.#queue
      if (first !== undefined && this.#queue.size > this.#connecting.size) this.#queue.fail(first, error)
    }
    this.#dialForQueue()
    this.#settle()
  }

  #add(socket: Socket): void {
    const now = performance.now()
    const { maxLifetime } = this.#options
    const expiresAt = maxLifetime === 0 ? Infinity : now + maxLifetime * (0.9 + 0.2 * Math.random())
    const connection = new ClientConnection(socket, this.origin, expiresAt, this)
    this.#connections.add(connection)
    this.#offer(connection, now)
  }

  #offer(connection: ClientConnection, now: number): void {
    if (now >= connection.expiresAt) {
      connection.close()
      return
    }
    const { first } = this.#queue
    if (first !== undefined) {
      this.leave(first)
      first.connect(connection, now)
    } else if (this.#closing) {
      connection.close()
    } else {
      connection.park(now, this.#options.idleTimeout)
      this.#idle.push(connection)
    }
  }

  #retire(connection: ClientConnection): void {
    if (this.#idle.includes(connection)) connection.close()
    else connection.expiresAt = 0
  }

  #failSoon(stream: RequestStream, code: 'GATEWAY_POOL_EXHAUSTED' | 'GATEWAY_SHUTTING_DOWN', reason: string): void {
    const error = new GatewayError(code, `${this.origin}: ${reason}`)
    process.nextTick(() => stream.fail(error))
  }

  /** A pool that closes waits for nobody but its requests. */
  #settle(): void {
    if (!this.#closing) return
    if (this.#queue.size === 0) {
      for (const giveUp of this.#connecting) giveUp()
      this.#connecting.clear()
    }
    if (this.#connections.size + this.#connecting.size + this.#queue.size > 0) return
    for (const resolve of this.#onEmpty.splice(0)) resolve()
  }
}
