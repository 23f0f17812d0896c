import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
} from 'node:http2'
import type { Socket } from 'node:net'
import { GatewayError } from '../contract/errors.ts'
import { type DeadlineOwner, deadlines } from '../http1/deadlines.ts'
import type { StreamSession } from './client-stream.ts'
import { ignore } from './reset.ts'
import { connectionWindow, maxSentHeadBytes } from './server-limits.ts'

/** Who holds a session. */
export interface SessionOwner {
  /** There is room for a stream: the upstream's settings have come or changed, or a stream has ended. */
  onRoom(session: UpstreamSession): void
  /** It takes no more streams; those it has go on. */
  onLeaving(session: UpstreamSession): void
  /** Once: it is over. `failure` when it never spoke HTTP/2, and so never had room. */
  onGone(session: UpstreamSession, failure: Error | undefined): void
}

/** Times are in milliseconds. */
export interface SessionOptions {
  readonly origin: string
  /** For the upstream's first SETTINGS, 0 means none. */
  readonly handshake: number
  /** Without a stream, before it is closed; 0 means never. */
  readonly idleTimeout: number
  /** With streams and not a frame from the upstream, before it is asked by PING whether it lives; 0 means never. */
  readonly pingInterval: number
  /** For the answer to a PING. */
  readonly pingTimeout: number
}

/** For the upstream to close its side after the last stream. */
const closingMs = 5_000
/**
 * Each further PING without a sign of life but its answer waits so much longer: gRPC servers close a connection that pings
 * more than a few times within five minutes.
 */
const pingPatience = 4
/** A request that had no answer in its time is no reason to ask when others have had theirs. */
const doubtMs = 5_000
/** However many an upstream allows. */
const maxStreams = 1_000
/** More than a client is granted: an upstream is the operator's own, and some send long policies and many cookies. */
const maxResponseFields = 256
const maxResponseHeadBytes = 65_536 + 32 * maxResponseFields
/** Of the response for each stream; a reader that waits makes us hold as much. */
const streamWindow = 131_072

// A type of its own, since @types/node knows strictSingleValueFields of servers only.
const sessionOptions: ClientSessionOptions & { strictSingleValueFields: boolean } = {
  settings: { enablePush: false, initialWindowSize: streamWindow, maxHeaderListSize: maxResponseHeadBytes },
  maxHeaderListPairs: maxResponseFields,
  maxSendHeaderBlockLength: maxSentHeadBytes,
  // In megabytes: what all streams may have queued to send.
  maxSessionMemory: 400,
  strictSingleValueFields: false,
  strictFieldWhitespaceValidation: false,
}

/** One connection to an upstream and the streams on it. Nothing is sent on it before the upstream's settings have come. */
export class UpstreamSession implements StreamSession, DeadlineOwner {
  deadline = 0
  deadlineIndex = -1
  served = 0
  failure: Error | undefined
  /** No stream begins on it after this moment of `performance.now()`. */
  readonly expiresAt: number
  readonly #socket: Socket
  readonly #owner: SessionOwner
  readonly #options: SessionOptions
  readonly #h2: ClientHttp2Session
  #open = 0
  /** Streams that the upstream allows; 0 before its settings. */
  #limit = 0
  /** The upstream takes extended CONNECT (RFC 8441 section 3). */
  tunnels = false
  #ready = false
  #leaving = false
  #gone = false
  /** Last stream that the upstream has looked at, from its GOAWAY. */
  #lastStream = Infinity
  #heardAt: number
  #pinging = false
  #patience = 1

  /** @param socket connected, and agreed on HTTP/2 if it is TLS */
  constructor(socket: Socket, owner: SessionOwner, options: SessionOptions, expiresAt: number) {
    this.#socket = socket
    this.#owner = owner
    this.#options = options
    this.expiresAt = expiresAt
    this.#heardAt = performance.now()
    // No URL is needed but for defaults that are never used: every request names scheme and authority.
    const h2 = connect('http://upstream.invalid', { ...sessionOptions, createConnection: () => socket })
    this.#h2 = h2
    h2.setLocalWindowSize(connectionWindow)
    h2.on('remoteSettings', ({ maxConcurrentStreams, enableConnectProtocol }) => {
      this.tunnels = enableConnectProtocol === true
      this.#limit = Math.min(maxConcurrentStreams ?? maxStreams, maxStreams)
      const first = !this.#ready
      this.#ready = true
      if (first) this.#rest(performance.now())
      if (this.hasRoom) owner.onRoom(this)
    })
    h2.on('goaway', (code, lastStream) => {
      // Two of them, the first with the highest number there is, are a graceful shutdown.
      this.#lastStream = Math.min(this.#lastStream, lastStream)
      if (code !== constants.NGHTTP2_NO_ERROR) this.failure ??= new Error(`the upstream closed with GOAWAY ${code}`)
      this.#leave()
      // node:http2 (26.10) would keep it for as long as the upstream does, and a pool that closes would wait for it.
      if (this.#open === 0) this.destroy(new Error('the upstream closed the connection'))
    })
    h2.on('error', error => this.#onGone(error))
    h2.on('close', () => this.#onGone(undefined))
    socket.on('error', error => {
      this.failure ??= error
    })
    // Before node:http2 is told, so that its streams learn the reason.
    socket.prependListener('close', () => {
      this.failure ??= new Error('the connection was closed')
    })
    socket.on('end', () => socket.destroy())
    deadlines.add(this)
    this.#wait(options.handshake)
  }

  /** Of the upstream. */
  get address(): string | undefined {
    return this.#socket.remoteAddress
  }

  /** Streams on it. */
  get streams(): number {
    return this.#open
  }

  /** Streams that the upstream allows, 0 before it has said so. */
  get limit(): number {
    return this.#limit
  }

  get hasRoom(): boolean {
    return this.#open < this.#limit && !this.#leaving && !this.#h2.closed && !this.#h2.destroyed
  }

  open(list: readonly string[], options: { endStream: boolean; waitForTrailers: boolean }): ClientHttp2Stream {
    const h2 = this.#h2.request(list, options)
    if (this.#open === 0) {
      this.#socket.ref()
      this.#heardAt = performance.now()
      if (!this.#pinging) this.#wait(this.#options.pingInterval)
    }
    this.#open++
    h2.on('error', ignore)
    h2.on('close', () => this.#streamClosed())
    return h2
  }

  refuses(id: number): boolean {
    return id > this.#lastStream
  }

  heard(now: number): void {
    this.#heardAt = now
    this.#patience = 1
  }

  suspect(): void {
    if (!this.#pinging && performance.now() - this.#heardAt > doubtMs) this.#ping()
  }

  /** Takes no more streams, and closes once those it has are done. */
  close(): void {
    this.#leave()
    this.#h2.close()
    if (this.#open === 0) this.#wait(closingMs)
  }

  /** Closes at once. */
  destroy(failure: Error): void {
    this.failure ??= failure
    this.#h2.destroy()
    this.#socket.destroy()
    this.#onGone(undefined)
  }

  onDeadline(): void {
    const now = performance.now()
    const { origin, handshake } = this.#options
    const late = `${origin}: no HTTP/2 SETTINGS within ${handshake} ms`
    if (!this.#ready) this.destroy(new GatewayError('GATEWAY_UPSTREAM_CONNECT_TIMEOUT', late))
    else if (this.#pinging) this.destroy(new Error('the upstream does not answer a PING'))
    else if (this.#leaving && this.#open === 0) this.destroy(new Error('the connection was closed'))
    else if (this.#open === 0) this.close()
    else this.#lookForLife(now)
  }

  #lookForLife(now: number): void {
    const due = this.#heardAt + this.#options.pingInterval * this.#patience
    if (now < due) this.deadline = due
    else this.#ping()
  }

  #ping(): void {
    if (this.#gone || this.#h2.destroyed || this.#h2.closed) return
    this.#pinging = true
    this.#wait(this.#options.pingTimeout)
    this.#h2.ping(error => {
      this.#pinging = false
      if (error !== null || this.#gone) return
      this.#heardAt = performance.now()
      this.#patience *= pingPatience
      if (this.#open === 0) this.#rest(this.#heardAt)
      else this.#wait(this.#options.pingInterval * this.#patience)
    })
  }

  #streamClosed(): void {
    this.#open--
    this.served++
    if (this.#gone) return
    if (this.#open === 0) this.#rest(performance.now())
    if (this.hasRoom) this.#owner.onRoom(this)
  }

  /** Without a stream it holds no process, and not for ever. */
  #rest(now: number): void {
    if (this.#pinging) return
    if (this.#leaving) return this.#wait(closingMs)
    this.#socket.unref()
    const until = Math.min(now + (this.#options.idleTimeout || Infinity), this.expiresAt)
    this.deadline = until === Infinity ? 0 : until
  }

  #leave(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#owner.onLeaving(this)
  }

  #onGone(error: Error | undefined): void {
    if (this.#gone) return
    this.#gone = true
    this.failure ??= error
    this.deadline = 0
    deadlines.remove(this)
    this.#owner.onGone(this, this.#ready ? undefined : this.failure)
  }

  #wait(milliseconds: number): void {
    this.deadline = milliseconds === 0 ? 0 : performance.now() + milliseconds
  }
}
