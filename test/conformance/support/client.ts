import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

export interface RawClientOptions {
  /** Puts TLS on the connection. */
  readonly secure?: (tcp: Socket) => Socket
  /** How long nothing may happen before a case counts as hung. Nothing waits that long unless it fails. Default 5,000. */
  readonly patienceMs?: number
}

/** One connection to the gateway, driven by hand. Text is latin1. */
export class RawClient {
  readonly socket: Socket
  transcript = ''
  ended = false
  #wake: () => void = () => {}

  readonly #tcp: Socket
  readonly #patienceMs: number

  constructor(port: number, { secure = tcp => tcp, patienceMs = 5_000 }: RawClientOptions = {}) {
    this.#patienceMs = patienceMs
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

  /** @throws when nothing of the sort happens for long; the connection is closed then. */
  async until(condition: () => boolean): Promise<void> {
    const started = performance.now()
    while (!condition()) {
      const left = this.#patienceMs - (performance.now() - started)
      if (left <= 0) {
        this.socket.destroy()
        throw new Error(`the client waits in vain, having seen ${JSON.stringify(this.transcript)}`)
      }
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
