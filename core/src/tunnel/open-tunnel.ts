import { addAbortSignal, type Duplex, Readable } from 'node:stream'
import type { BodyFilter, FieldList } from '../contract/context.ts'
import { GatewayError, type GatewayErrorCode } from '../contract/errors.ts'
import type { Tunnel } from '../contract/hooks.ts'
import type { DeadlineOwner, Deadlines } from '../http1/deadlines.ts'
import type { ConnectionOwner, OpenConnection } from './open-connections.ts'

/** After one side has sent its last byte: how long the other may be silent, in milliseconds. */
const halfClosedMs = 30_000
/** For what is still to be written, and for the peer to close, once there is nothing to wait for but that. */
const closingMs = 1_000

/** One of the two connections of a tunnel. */
interface Side {
  readonly stream: Duplex
  readonly failure: GatewayErrorCode
  readonly name: string
  /** Its last byte has been read, or it is lost. */
  over: boolean
  closed: boolean
}

/** The request that became a tunnel. */
export interface TunnelOwner extends ConnectionOwner {
  bytesIn: number
  bytesOut: number
  abortSignal(error: GatewayError): void
}

export interface TunnelEvents {
  /** What ends it against its will is to be logged; at most once. */
  failed(cause: unknown): GatewayError
  /** Once: both sides are closed. */
  ended(error: GatewayError | undefined): void
}

/** Two connections with bytes between them. It is over when both are closed. */
export class OpenTunnel implements Tunnel, OpenConnection, DeadlineOwner {
  readonly protocol = 'websocket'
  readonly owner: TunnelOwner
  readonly headers: FieldList
  fromClient: BodyFilter | undefined
  fromUpstream: BodyFilter | undefined
  messages = 0
  deadline = 0
  deadlineIndex = -1
  readonly #client: Side
  readonly #upstream: Side
  #taken = false
  #relaying = false
  #error: GatewayError | undefined
  readonly #events: TunnelEvents
  readonly #deadlines: Deadlines

  constructor(owner: TunnelOwner, client: Duplex, upstream: Duplex, headers: FieldList, events: TunnelEvents) {
    this.owner = owner
    this.#deadlines = owner.runtime.deadlines
    this.#events = events
    this.headers = headers
    this.#client = side(client, 'GATEWAY_CLIENT_CLOSED', 'the client')
    this.#upstream = side(upstream, 'GATEWAY_UPSTREAM_CLOSED', owner.target?.url ?? 'the upstream')
    this.#watch(this.#client, this.#upstream)
    this.#watch(this.#upstream, this.#client)
    this.#deadlines.add(this)
  }

  get bytesIn(): number {
    return this.owner.bytesIn
  }

  set bytesIn(bytes: number) {
    this.owner.bytesIn = bytes
  }

  get bytesOut(): number {
    return this.owner.bytesOut
  }

  set bytesOut(bytes: number) {
    this.owner.bytesOut = bytes
  }

  get client(): Duplex {
    return this.#client.stream
  }

  get upstream(): Duplex {
    return this.#upstream.stream
  }

  take(): void {
    if (this.#taken) throw new TypeError('the tunnel is taken already')
    if (this.#relaying) throw new TypeError('the tunnel is taken in onTunnel or not at all')
    this.#taken = true
  }

  /** Every onTunnel hook has had its say. */
  start(): void {
    this.#relaying = true
    if (this.#taken) return
    this.#relay(this.#client, this.#upstream)
    this.#relay(this.#upstream, this.#client)
  }

  /** Asks whoever relays to end it well, and sees to it that it ends. */
  leave(error: GatewayError): void {
    this.#error ??= error
    this.owner.abortSignal(error)
    this.deadline = this.#deadlines.now() + closingMs
  }

  /** Ends it now. */
  fail(cause: unknown): void {
    this.#error ??= this.#events.failed(cause)
    this.owner.abortSignal(this.#error)
    destroy(this.client)
    destroy(this.upstream)
  }

  onDeadline(): void {
    const { name, failure } = this.#client.over ? this.#upstream : this.#client
    this.#error ??= new GatewayError(failure, `${name} did not close in time`)
    destroy(this.client)
    destroy(this.upstream)
  }

  #watch(own: Side, other: Side): void {
    const { stream } = own
    // Reads on into its buffer, so that a reset shows while a hook is waited for.
    stream.read(0)
    stream.on('error', cause => this.#broke(own, cause))
    stream.on('close', () => {
      own.closed = true
      if (!own.over) this.#broke(own, undefined)
      if (other.closed) return this.#finish()
      // Nobody will hear what it still says; what is on its way to it may arrive.
      const more = other.stream.writableLength > 0 && this.#error === undefined
      this.deadline = this.#deadlines.now() + (more ? halfClosedMs : closingMs)
      if (this.#taken) return
      other.stream.resume()
      other.stream.end()
    })
  }

  /** A connection that ends without its end having been sent. */
  #broke(own: Side, cause: Error | undefined): void {
    if (own.over) return
    const error = new GatewayError(own.failure, `${own.name} broke the connection off`, { cause })
    this.#error ??= this.#events.failed(error)
    this.owner.abortSignal(error)
    if (own === this.#upstream && !this.#taken && this.#relaying) return this.#passEnd(own, this.#client)
    own.over = true
    // What the client had to say may still arrive; what it broke off must not look complete.
    if (own === this.#client && !this.#taken) destroy(this.upstream)
  }

  #relay(from: Side, to: Side): void {
    const { owner } = this
    const outward = from === this.#upstream
    const source = from.stream
    const sink = to.stream
    source.on('data', (chunk: Buffer) => {
      if (outward) owner.bytesOut += chunk.length
      else owner.bytesIn += chunk.length
      // Half closed, silence is timed.
      if (this.#error === undefined && to.over && !to.closed) this.deadline = this.#deadlines.now() + halfClosedMs
      const passed = this.#filtered(outward ? this.fromUpstream : this.fromClient, chunk)
      // As `writable` has it, for a fifth of its cost.
      if (passed === undefined || passed.byteLength === 0 || sink.writableEnded || sink.destroyed) return
      // As above; `Socket` would stop reading at once.
      if (!sink.write(passed)) Readable.prototype.pause.call(source)
    })
    sink.on('drain', () => source.resume())
    source.on('end', () => {
      if (!from.over) this.#passEnd(from, to)
    })
    source.resume()
  }

  /** Called at most once a direction. */
  #passEnd(from: Side, to: Side): void {
    from.over = true
    const rest = this.#lastWord(from === this.#upstream ? this.fromUpstream : this.fromClient)
    if (to.stream.writable) to.stream.end(rest)
    if (this.deadline === 0) this.deadline = this.#deadlines.now() + halfClosedMs
  }

  #filtered(filter: BodyFilter | undefined, chunk: Buffer): Uint8Array | undefined {
    if (filter === undefined) return chunk
    try {
      return filter.push(chunk)
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  #lastWord(filter: BodyFilter | undefined): Uint8Array | undefined {
    try {
      return filter?.end?.()
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  #finish(): void {
    this.deadline = 0
    this.#deadlines.remove(this)
    this.#events.ended(this.#error)
  }
}

function side(stream: Duplex, failure: GatewayErrorCode, name: string): Side {
  return { stream, failure, name, over: false, closed: false }
}

const aborted = AbortSignal.abort()

/** By an abort, which HTTP/2 tells as CANCEL: what RFC 8441 section 5 has for a connection that is reset. */
function destroy(stream: Duplex): void {
  if (!stream.destroyed) addAbortSignal(aborted, stream)
}
