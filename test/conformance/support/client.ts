import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

/** How long nothing may happen before a case counts as hung. Nothing here waits that long unless it fails. */
const patienceMs = 5_000

/** One connection to the gateway, driven by hand. Text is latin1. */
export class RawClient {
  readonly socket: Socket
  transcript = ''
  ended = false
  #wake: () => void = () => {}

  readonly #tcp: Socket

  /** `secure` puts TLS on the connection. */
  constructor(port: number, secure: (tcp: Socket) => Socket = tcp => tcp) {
    this.#tcp = connect({ port, host: '127.0.0.1' })
    this.#tcp.setNoDelay(true)
    const socket = secure(this.#tcp)
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', piece => {
      this.transcript += piece
      this.#wake()
    })
    socket.on('error', () => {})
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.ended = true
        this.#wake()
      })
    }
  }

  /** RST in place of FIN. */
  reset(): void {
    if (!this.#tcp.destroyed) this.#tcp.resetAndDestroy()
    this.socket.destroy()
  }

  /** Writes pieces apart, so that the gateway reads each by itself. */
  async send(pieces: readonly string[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      // One turn in which the gateway accepts or reads, one in which it has done so.
      if (index > 0) await turn()
      if (index === 1) await turn()
      if (this.socket.destroyed) return
      this.socket.write(piece, 'latin1')
    }
  }

  /** @throws when nothing of the sort happens for long. */
  async until(condition: () => boolean): Promise<void> {
    const started = performance.now()
    while (!condition()) {
      const left = patienceMs - (performance.now() - started)
      if (left <= 0) throw new Error(`the client waits in vain, having seen ${JSON.stringify(this.transcript)}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = setTimeout(resolve, left)
      await promise
      clearTimeout(timer)
    }
  }

  /** Everything that came until the gateway closed. The connection is closed then. */
  async all(): Promise<string> {
    try {
      await this.until(() => this.ended)
    } finally {
      this.socket.destroy()
    }
    return this.transcript
  }
}
