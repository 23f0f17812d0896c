import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { GatewayError } from '../contract/errors.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import { connect, createEndpoint, type Endpoint } from '../upstream/connect.ts'
import type { PoolOptions, PoolStats } from '../upstream/pool.ts'
import { WaitingLine } from '../upstream/waiting-line.ts'
import { requestList } from './client-head.ts'
import { type SessionOwner, UpstreamSession } from './client-session.ts'
import { Http2ClientStream, type StreamQueue } from './client-stream.ts'

export interface Http2PoolOptions extends PoolOptions {
  /**
   * Milliseconds without a frame from an upstream that has requests to answer, before a PING asks whether it lives. 0 means
   * never. Default 30,000.
   */
  readonly pingInterval: number
  /** Milliseconds for the answer to a PING, before the connection is given up. Default 10,000. */
  readonly pingTimeout: number
}

/** As with HTTP/1.1, though one connection mostly does: an upstream may allow few streams. */
const poolDefaults: Http2PoolOptions = {
  maxConnections: 512,
  maxQueued: 1_024,
  idleTimeout: 55_000,
  maxLifetime: 600_000,
  pingInterval: 30_000,
  pingTimeout: 10_000,
  tls: undefined,
  lookup: undefined,
  lookupInterval: 15_000,
}

/** Streams that a connection is expected to take, before any has told. */
const usualStreams = 100
/** Sendings of one request that an upstream refuses to look at. */
const maxTries = 3

/**
 * HTTP/2 connections to one origin, and the requests that wait for a place on one: over TLS by ALPN, else by prior
 * knowledge. Requests that the upstream has not looked at (REFUSED_STREAM, GOAWAY) are sent again here; other retries are
 * not its business.
 */
export class Http2Pool implements SessionOwner, StreamQueue {
  readonly origin: string
  readonly endpoint: Endpoint
  readonly #options: Http2PoolOptions
  readonly #authority: string
  /** In order of opening: the first that has room takes a request, so that those which the load does not need run dry. */
  readonly #sessions = new Set<UpstreamSession>()
  /** Sessions that end with the streams they have. */
  readonly #leaving = new Set<UpstreamSession>()
  /** Connected, and their SETTINGS awaited. */
  readonly #shaking = new Set<UpstreamSession>()
  /** What gives each connection attempt up. */
  readonly #connecting = new Set<() => void>()
  readonly #queue = new WaitingLine<Http2ClientStream>()
  #streamsExpected = usualStreams
  #closing = false
  #destroyed = false
  #onEmpty: (() => void)[] = []

  /** @throws TypeError for an origin that is none. */
  constructor(origin: string, options: Partial<Http2PoolOptions> = {}) {
    this.origin = origin
    this.#options = { ...poolDefaults, ...options }
    this.endpoint = createEndpoint(origin, { ...this.#options, alpn: 'h2' })
    this.#authority = origin.startsWith('unix:') ? 'localhost' : new URL(origin).host
    const { names } = this.endpoint
    if (names === undefined) return
    names.onChecked = stands => {
      for (const session of [...this.#sessions]) if (!stands(session.address)) session.close()
    }
  }

  /** `busy` and `idle` count connections, `queued` requests. */
  get stats(): PoolStats {
    const all = [...this.#sessions, ...this.#leaving]
    const busy = all.filter(session => session.streams > 0).length
    const connecting = this.#connecting.size + this.#shaking.size
    return { open: all.length, idle: all.length - busy, busy, connecting, queued: this.#queue.size }
  }

  /** Requests not yet finished, those that wait included. */
  get inFlight(): number {
    let streams = this.#queue.size
    for (const session of this.#sessions) streams += session.streams
    for (const session of this.#leaving) streams += session.streams
    return streams
  }

  /**
   * Sends a request. When a connection has room the request goes out, and `onConnected` is called, before this returns;
   * nothing else is ever called that soon.
   *
   * Errors, through the handler: those of the HTTP/1.1 pool. GATEWAY_UPSTREAM_CONNECT also when the upstream does not
   * speak HTTP/2, GATEWAY_UPSTREAM_INVALID for an upgrade that it does not offer (RFC 8441).
   *
   * @throws TypeError when method or target are none.
   */
  request(request: ClientRequest, timeouts: AttemptTimeouts, handler: ClientStreamHandler): ClientStream {
    const list = requestList(request, this.endpoint.secure, this.#authority)
    const stream = new Http2ClientStream(request, list, timeouts, handler, this)
    const now = performance.now()
    this.endpoint.names?.check(now)
    const session = this.#sessionWithRoom(now)
    if (session !== undefined) stream.connect(session, now)
    else this.#enqueue(stream, now)
    return stream
  }

  /** Sessions close with their last stream; requests that wait are still served. Resolves once nothing is left. */
  close(): Promise<void> {
    this.#closing = true
    return new Promise(resolve => {
      this.#onEmpty.push(resolve)
      this.#settle()
    })
  }

  /** Closes everything; requests under way fail. */
  destroy(): void {
    this.#closing = true
    this.#destroyed = true
    const error = new GatewayError('GATEWAY_SHUTTING_DOWN', `${this.origin}: the pool was destroyed`)
    this.#queue.failAll(error)
    for (const session of [...this.#sessions, ...this.#leaving, ...this.#shaking]) session.destroy(error)
    this.#settle()
  }

  // For sessions.

  onRoom(session: UpstreamSession): void {
    if (this.#shaking.delete(session)) {
      this.#sessions.add(session)
      this.#streamsExpected = Math.max(1, session.limit)
    }
    const now = performance.now()
    for (const stream of this.#queue) {
      if (!session.hasRoom || now >= session.expiresAt) break
      this.leave(stream)
      stream.connect(session, now)
    }
    this.#dialForQueue()
    this.#settle()
  }

  onLeaving(session: UpstreamSession): void {
    if (this.#sessions.delete(session)) this.#leaving.add(session)
    this.#dialForQueue()
  }

  onGone(session: UpstreamSession, failure: Error | undefined): void {
    this.#sessions.delete(session)
    this.#leaving.delete(session)
    if (this.#shaking.delete(session) && failure !== undefined && !this.#destroyed) {
      const reason = `${this.origin}: no HTTP/2 session: ${failure.message}; is the service's protocol 'http1'?`
      const unspoken = new GatewayError('GATEWAY_UPSTREAM_CONNECT', reason, { cause: failure })
      this.#onDialFailed(failure instanceof GatewayError ? failure : unspoken)
    }
    this.#dialForQueue()
    this.#settle()
  }

  // For streams.

  leave(stream: Http2ClientStream): void {
    this.#queue.leave(stream)
    this.#settle()
  }

  onWaitedTooLong(stream: Http2ClientStream): void {
    const waited = `${this.origin}: no connection within ${stream.timeouts.connect} ms`
    const error =
      this.#connecting.size + this.#shaking.size > 0
        ? new GatewayError('GATEWAY_UPSTREAM_CONNECT_TIMEOUT', waited)
        : new GatewayError('GATEWAY_POOL_EXHAUSTED', `${waited}, all streams of ${this.#sessions.size} are in use`)
    this.#queue.fail(stream, error)
    this.#settle()
  }

  onUnprocessed(stream: Http2ClientStream): boolean {
    if (stream.tries >= maxTries || this.#destroyed) return false
    const now = performance.now()
    const session = this.#sessionWithRoom(now)
    if (session === undefined) this.#enqueue(stream, now)
    else stream.connect(session, now)
    return true
  }

  #sessionWithRoom(now: number): UpstreamSession | undefined {
    for (const session of this.#sessions) {
      if (now >= session.expiresAt) session.close()
      else if (session.hasRoom) return session
    }
    return undefined
  }

  #enqueue(stream: Http2ClientStream, now: number): void {
    const { maxConnections, maxQueued } = this.#options
    if (this.#destroyed) return this.#failSoon(stream, 'GATEWAY_SHUTTING_DOWN', 'the pool was destroyed')
    const opening = this.#connecting.size + this.#shaking.size
    const full = this.#sessions.size + this.#leaving.size + opening >= maxConnections
    if (full && this.#queue.size - opening * this.#streamsExpected >= maxQueued) {
      const reason = `all streams of ${maxConnections} connections are in use, ${maxQueued} wait`
      return this.#failSoon(stream, 'GATEWAY_POOL_EXHAUSTED', reason)
    }
    this.#queue.join(stream, now)
    this.#dialForQueue()
  }

  /** Opens connections until there is, as far as one can tell, a place for everybody who waits. */
  #dialForQueue(): void {
    for (const stream of this.#queue) {
      const opening = this.#connecting.size + this.#shaking.size
      const open = this.#sessions.size + this.#leaving.size
      if (opening * this.#streamsExpected >= this.#queue.size || opening + open >= this.#options.maxConnections) return
      this.#dial(stream.timeouts.connect)
    }
  }

  #dial(timeout: number): void {
    const giveUp = connect(this.endpoint, timeout, {
      onSocket: socket => {
        this.#connecting.delete(giveUp)
        this.#shakeHands(socket, timeout)
      },
      onConnectError: error => {
        this.#connecting.delete(giveUp)
        this.#onDialFailed(error)
        this.#dialForQueue()
        this.#settle()
      },
    })
    this.#connecting.add(giveUp)
  }

  #shakeHands(socket: Socket, handshake: number): void {
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      socket.destroy()
      const reason = "the upstream did not agree on HTTP/2 (ALPN h2); is the service's protocol 'http1'?"
      this.#onDialFailed(new GatewayError('GATEWAY_UPSTREAM_CONNECT', `${this.origin}: ${reason}`))
      this.#settle()
      return
    }
    const { maxLifetime, idleTimeout, pingInterval, pingTimeout } = this.#options
    const expiresAt = maxLifetime === 0 ? Infinity : performance.now() + maxLifetime * (0.9 + 0.2 * Math.random())
    const options = { origin: this.origin, handshake, idleTimeout, pingInterval, pingTimeout }
    this.#shaking.add(new UpstreamSession(socket, this, options, expiresAt))
  }

  /** Everybody who waits has hoped for this attempt, unless another is under way or a place may get free. */
  #onDialFailed(error: GatewayError): void {
    if (this.#connecting.size + this.#shaking.size + this.#sessions.size > 0) return
    if (error.code === 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT') this.#queue.failOverdue(error)
    else this.#queue.failAll(error)
  }

  #failSoon(stream: Http2ClientStream, code: 'GATEWAY_POOL_EXHAUSTED' | 'GATEWAY_SHUTTING_DOWN', reason: string): void {
    const error = new GatewayError(code, `${this.origin}: ${reason}`)
    process.nextTick(() => stream.fail(error))
  }

  /** A pool that closes waits for nobody but its requests. */
  #settle(): void {
    if (!this.#closing) return
    if (this.#queue.size === 0) {
      for (const giveUp of this.#connecting) giveUp()
      this.#connecting.clear()
      for (const session of [...this.#sessions, ...this.#shaking]) session.close()
    }
    const left =
      this.#sessions.size + this.#leaving.size + this.#shaking.size + this.#connecting.size + this.#queue.size
    if (left > 0) return
    for (const resolve of this.#onEmpty.splice(0)) resolve()
  }
}
