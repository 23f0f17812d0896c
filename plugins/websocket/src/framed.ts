import type { Context, Log, Tunnel } from '@gateway/core'
import { closeCode } from './close-frame.ts'
import type { ConnectionClock } from './connection-clock.ts'
import type { Deflate } from './deflate.ts'
import { type Closed, End, type RawMessage } from './end.ts'
import type { Frames, Message } from './options.ts'
import type { Session } from './session.ts'

/** For the answer to a Close, in milliseconds. */
const closingMs = 2_000

/**
 * Two WebSocket connections with whole messages between them. Pings are answered here, each side is asked whether it
 * lives, and a Close is passed on with its code. One message is under way in a direction at a time: its sender is read
 * again once the other side's connection has taken it.
 */
export class Framed implements Session {
  readonly #tunnel: Tunnel
  readonly #ctx: Context
  readonly #frames: Frames
  readonly #log: Log
  readonly #client: End
  readonly #upstream: End
  readonly #clock: ConnectionClock
  #closing = false
  #allowance: number
  #allowanceAt: number

  constructor(tunnel: Tunnel, ctx: Context, frames: Frames, deflate: Deflate, clock: ConnectionClock, log: Log) {
    this.#tunnel = tunnel
    this.#clock = clock
    this.#ctx = ctx
    this.#frames = frames
    this.#log = log
    this.#allowance = frames.messagesPerSecond ?? 0
    this.#allowanceAt = clock.now()
    tunnel.take()
    const { maxMessageSize } = frames
    const { now } = clock
    this.#client = new End({
      stream: tunnel.client,
      isServer: true,
      deflate: deflate.client,
      maxMessageSize,
      now,
      onBytes: count => {
        tunnel.bytesIn += count
      },
    })
    this.#upstream = new End({
      stream: tunnel.upstream,
      isServer: false,
      deflate: deflate.upstream,
      maxMessageSize,
      now,
      onBytes: count => {
        tunnel.bytesOut += count
      },
    })
    void this.#pump(this.#client, this.#upstream)
    void this.#pump(this.#upstream, this.#client)
    if (frames.pingInterval > 0) clock.after(frames.pingInterval, () => this.#ping(frames))
  }

  get lastByte(): number {
    return Math.max(this.#client.heardAt, this.#upstream.heardAt)
  }

  close(code: number, reason: string): void {
    this.#closeBoth({ code, reason: Buffer.from(reason) }, { code, reason: Buffer.from(reason) })
  }

  destroy(): void {
    // The kernel takes the other one along.
    this.#tunnel.client.destroy()
  }

  over(): void {
    this.#client.release()
    this.#upstream.release()
  }

  async #pump(from: End, to: End): Promise<void> {
    try {
      for await (const message of from.messages()) {
        if (this.#closing) continue
        if (from === this.#client && !this.#admits()) {
          from.violation = { code: closeCode.policy, reason: 'too many messages' }
          break
        }
        await this.#pass(message, from, to)
      }
    } catch {
      // The connection is gone, and the kernel has said why.
    }
    this.#ended(from, to)
  }

  async #pass({ data, binary }: RawMessage, from: End, to: End): Promise<void> {
    this.#tunnel.messages++
    const { onMessage } = this.#frames
    if (onMessage === undefined) return to.send(data, binary)
    let given: Awaited<ReturnType<typeof onMessage>>
    try {
      const message: Message = binary
        ? { from: from.name, binary, data }
        : { from: from.name, binary, data: data.toString() }
      given = await onMessage(message, this.#ctx)
    } catch (err) {
      this.#log.error('onMessage failed', { requestId: this.#ctx.id, route: this.#ctx.route, err })
      return this.close(closeCode.internal, '')
    }
    if (given === false) return
    if (given === undefined) return to.send(data, binary)
    return to.send(given, typeof given !== 'string')
  }

  /** A bucket that holds a second's worth. */
  #admits(): boolean {
    const { messagesPerSecond } = this.#frames
    if (messagesPerSecond === undefined) return true
    const now = this.#clock.now()
    const earned = ((now - this.#allowanceAt) / 1000) * messagesPerSecond
    this.#allowance = Math.min(messagesPerSecond, this.#allowance + earned)
    this.#allowanceAt = now
    if (this.#allowance < 1) return false
    this.#allowance--
    return true
  }

  /** Nothing more is read from this side. */
  #ended(from: End, to: End): void {
    const { violation, closed } = from
    from.over = true
    from.stream.resume()
    const gone = from === this.#client ? closeCode.goingAway : closeCode.badGateway
    if (violation !== undefined) {
      this.#closeBoth({ code: gone, reason: none }, { code: violation.code, reason: Buffer.from(violation.reason) }, to)
    } else if (closed !== undefined) {
      this.#wait()
      to.close(closed)
      // Its answer goes back with its own code; #ended of the other side sees to that, or the time that is set for it.
      if (to.closed !== undefined) from.close(to.closed)
      if (from.closeSent) from.stream.end()
      if (to.closed !== undefined) to.stream.end()
    } else if (from === this.#upstream && !this.#closing) {
      // It is not there to be told.
      from.closeSent = true
      this.#closeBoth({ code: gone, reason: Buffer.from('the upstream broke off') }, { code: gone, reason: none }, to)
    } else {
      // As the client went, so the upstream sees it go.
      from.stream.end()
      to.stream.end()
    }
  }

  /** `first` goes to `to`, else to both. */
  #closeBoth(first: Closed, second: Closed, to: End = this.#client): void {
    const other = to === this.#client ? this.#upstream : this.#client
    this.#wait()
    to.close(first)
    other.close(second)
    for (const end of [to, other]) if (end.over) end.stream.end()
  }

  /** The connection ends now, or when its time is over. */
  #wait(): void {
    if (this.#closing) return
    this.#closing = true
    this.#clock.after(closingMs, () => {
      for (const end of [this.#client, this.#upstream]) {
        end.close(end.closed ?? { code: closeCode.goingAway, reason: none })
        end.stream.end()
      }
      this.#clock.after(closingMs, () => this.destroy())
    })
  }

  /** Who gives no sign of life until the time is over counts as dead, unless it is we who do not read. */
  #ping({ pingInterval, pongTimeout }: Pick<Frames, 'pingInterval' | 'pongTimeout'>): void {
    const now = this.#clock.now()
    for (const end of [this.#client, this.#upstream]) end.ping()
    this.#clock.after(pongTimeout, () => {
      for (const end of [this.#client, this.#upstream]) if (end.heardAt < now && !end.waited) this.#lost(end)
    })
    this.#clock.after(pingInterval, () => this.#ping({ pingInterval, pongTimeout }))
  }

  #lost(end: End): void {
    const [other, code] =
      end === this.#client
        ? ([this.#upstream, closeCode.goingAway] as const)
        : ([this.#client, closeCode.badGateway] as const)
    this.#wait()
    other.close({ code, reason: Buffer.from('the other side does not answer') })
    end.stream.destroy()
  }
}

const none = Buffer.alloc(0)
