import { Readable } from 'node:stream'
import type { Clock } from './clock.ts'

const heartbeat = Buffer.from(':\n\n')

/** Bytes held for a client before its source has to wait. */
const highWaterMark = 64 * 1024

/** What one client gets: whole events, and comments while there are none. */
export class ClientStream extends Readable {
  /** It takes bytes again. */
  onWanted: () => void = () => {}
  /** Nothing can be sent any more, or need be. Once. */
  onGone: () => void = () => {}
  /** Given to it. */
  events = 0
  readonly #clock: Clock
  readonly #heartbeatMs: number
  #sentAt: number
  #callOff: () => void = () => {}
  #finished = false

  /** `heartbeatMs` 0: none. */
  constructor(clock: Clock, heartbeatMs: number, maxBuffer: number = highWaterMark) {
    super({ highWaterMark: maxBuffer })
    this.#clock = clock
    this.#heartbeatMs = heartbeatMs
    this.#sentAt = clock.now()
    if (heartbeatMs > 0) this.#listen(heartbeatMs)
    // Whoever sends it hears of an error.
    this.on('error', () => {})
  }

  /** False: the source should wait for onWanted. */
  send(bytes: Uint8Array, events: number): boolean {
    if (this.destroyed || this.#finished) return true
    this.events += events
    this.#sentAt = this.#clock.now()
    return this.push(bytes)
  }

  /** Ends it. `retryMs`: when the client is to come back. */
  finish(retryMs?: number): void {
    if (this.destroyed || this.#finished) return
    this.#finished = true
    this.#callOff()
    if (retryMs !== undefined) this.push(`retry: ${retryMs}\n\n`)
    this.push(null)
  }

  /** A timer for each silence, and none for each event. */
  #listen(ms: number): void {
    this.#callOff = this.#clock.after(ms, () => {
      const left = this.#heartbeatMs - (this.#clock.now() - this.#sentAt)
      if (left <= 0) this.#beat()
      this.#listen(left > 0 ? Math.min(left, this.#heartbeatMs) : this.#heartbeatMs)
    })
  }

  #beat(): void {
    this.#sentAt = this.#clock.now()
    // One that reads nothing is served by what waits for it already.
    if (this.readableLength === 0) this.push(heartbeat)
  }

  override _read(): void {
    this.onWanted()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#callOff()
    this.onGone()
    done(error)
  }
}
