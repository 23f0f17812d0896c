import type { Context } from '@gateway/core'
import { closeCode } from './close-frame.ts'
import type { Settings } from './options.ts'

/** One connection at work, whichever way its bytes are relayed. */
export interface Session {
  /** `performance.now()` of the last byte from either side. */
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
/** Beyond it a timer of Node fires at once. */
const longestTimer = 2 ** 31 - 1

/** The times and signals that end a connection. */
export class Watch {
  readonly #session: Session
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #signal: AbortSignal
  readonly #onAbort = () => this.#aborted()

  constructor(session: Session, ctx: Context, settings: Settings, expiresAt: number | undefined, now: number) {
    this.#session = session
    const { idleTimeout, maxAge } = settings
    if (maxAge > 0) this.#after(maxAge, () => this.#close(closeCode.goingAway, 'maximum age'))
    if (idleTimeout > 0) this.#watchIdle(idleTimeout)
    if (expiresAt !== undefined) this.#after(expiresAt - now, () => this.#close(closeCode.policy, 'credentials ended'))
    this.#signal = ctx.signal
    this.#signal.addEventListener('abort', this.#onAbort)
  }

  /** The connection has ended. */
  stop(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#session.over()
  }

  #watchIdle(idleTimeout: number): void {
    const silent = performance.now() - this.#session.lastByte
    if (silent >= idleTimeout) this.#close(closeCode.goingAway, 'idle')
    else this.#after(idleTimeout - silent, () => this.#watchIdle(idleTimeout))
  }

  #close(code: number, reason: string): void {
    this.#session.close(code, reason)
    this.#after(closingMs, () => this.#session.destroy())
  }

  #after(milliseconds: number, run: () => void): void {
    const wait = Math.min(Math.max(milliseconds, 0), longestTimer)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (wait < milliseconds) this.#after(milliseconds - wait, run)
      else run()
    }, wait)
    timer.unref()
    this.#timers.add(timer)
  }

  /** The gateway closes, or an operator closed the connection: the kernel cuts it a second later. */
  #aborted(): void {
    const code: unknown = this.#signal.reason?.code
    if (code === 'GATEWAY_SHUTTING_DOWN' || code === 'GATEWAY_CONNECTION_CLOSED') {
      this.#session.close(closeCode.goingAway, 'closed by the gateway')
    }
  }
}
