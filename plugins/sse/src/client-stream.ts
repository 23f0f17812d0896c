import { Readable } from 'node:stream'

const heartbeat = Buffer.from(':\n\n')

/** Bytes held for a client before its source has to wait. */
const highWaterMark = 64 * 1024

/** What one client gets: whole events, and comments while there are none. */
export class ClientStream extends Readable {
  /** It takes bytes again. */
  onWanted: () => void = () => {}
  /** Nothing can be sent any more, or need be. Once. */
  onGone: () => void = () => {}
  readonly #heart: NodeJS.Timeout | undefined
  #finished = false

  /** `heartbeatMs` 0: none. */
  constructor(heartbeatMs: number, maxBuffer: number = highWaterMark) {
    super({ highWaterMark: maxBuffer })
    if (heartbeatMs > 0) this.#heart = setInterval(() => this.#beat(), heartbeatMs).unref()
    // Whoever sends it hears of an error.
    this.on('error', () => {})
  }

  /** False: the source should wait for onWanted. */
  send(bytes: Uint8Array): boolean {
    if (this.destroyed || this.#finished) return true
    this.#heart?.refresh()
    return this.push(bytes)
  }

  /** Ends it. `retryMs`: when the client is to come back. */
  finish(retryMs?: number): void {
    if (this.destroyed || this.#finished) return
    this.#finished = true
    clearInterval(this.#heart)
    if (retryMs !== undefined) this.push(`retry: ${retryMs}\n\n`)
    this.push(null)
  }

  #beat(): void {
    // One that reads nothing is served by what waits for it already.
    if (this.readableLength === 0) this.push(heartbeat)
  }

  override _read(): void {
    this.onWanted()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#heart)
    this.onGone()
    done(error)
  }
}
