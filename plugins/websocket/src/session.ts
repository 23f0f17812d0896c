import type { Context } from '@gateway/core'
import { closeCode } from './close-frame.ts'
import type { ConnectionClock } from './connection-clock.ts'
import type { Settings } from './options.ts'

/** One connection at work, whichever way its bytes are relayed. */
export interface Session {
  /** When the last byte came from either side. */
  readonly lastByte: number
  /** Tells both sides, as soon as a frame is at its end, and then closes. Once; later calls do nothing. */
  close(code: number, reason: string): void
  /** Closes without a word. */
  destroy(): void
  /** It has ended: nothing of it is to stay. */
  over(): void
}

/** For the other sides to answer a Close before the connection is cut, in milliseconds. */
const closingMs = 2_000

/** The times and signals that end a connection. */
export class Watch {
  readonly #session: Session
  readonly #clock: ConnectionClock
  readonly #signal: AbortSignal
  readonly #onAbort = () => this.#aborted()

  /** `expiresInMs`: what is left of the credentials that it ends with. */
  constructor(
    session: Session,
    ctx: Context,
    settings: Settings,
    expiresInMs: number | undefined,
    clock: ConnectionClock,
  ) {
    this.#session = session
    this.#clock = clock
    const { idleTimeout, maxAge } = settings
    if (maxAge > 0) clock.after(maxAge, () => this.#close(closeCode.goingAway, 'maximum age'))
    if (idleTimeout > 0) this.#watchIdle(idleTimeout)
    if (expiresInMs !== undefined) clock.after(expiresInMs, () => this.#close(closeCode.policy, 'credentials ended'))
    this.#signal = ctx.signal
    this.#signal.addEventListener('abort', this.#onAbort)
  }

  /** The connection has ended. */
  stop(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#clock.stop()
    this.#session.over()
  }

  #watchIdle(idleTimeout: number): void {
    const silent = this.#clock.now() - this.#session.lastByte
    if (silent >= idleTimeout) this.#close(closeCode.goingAway, 'idle')
    else this.#clock.after(idleTimeout - silent, () => this.#watchIdle(idleTimeout))
  }

  #close(code: number, reason: string): void {
    this.#session.close(code, reason)
    this.#clock.after(closingMs, () => this.#session.destroy())
  }

  /** The gateway closes, or an operator closed the connection: the kernel cuts it a second later. */
  #aborted(): void {
    const code: unknown = this.#signal.reason?.code
    if (code === 'GATEWAY_SHUTTING_DOWN' || code === 'GATEWAY_CONNECTION_CLOSED') {
      this.#session.close(closeCode.goingAway, 'closed by the gateway')
    }
  }
}
