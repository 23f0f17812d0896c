import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { type ParsedRequest, takeRequest, Violation } from './strict.ts'

/** What the backend does with a request: the pieces it writes, a turn of the event loop apart, and then. */
export interface Answer {
  readonly pieces: readonly string[]
  readonly after: 'keep' | 'close' | 'reset'
}

export interface Recorded {
  readonly request: ParsedRequest
  /** Number of the connection it came on, from 1. */
  readonly connection: number
}

const ok: Answer = { pieces: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'], after: 'keep' }
const okHead: Answer = { pieces: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'], after: 'keep' }

/** Records what it is sent, byte for byte, and reads it with the strict reader alone. */
export class RecordingBackend {
  /** Whole requests, in order of arrival. */
  requests: Recorded[] = []
  /** Requests cut off before their end. */
  partial: string[] = []
  violations: string[] = []
  /** Replaces the 200 that everything is answered with; undefined gives that. */
  answer: ((request: ParsedRequest) => Answer | undefined) | undefined
  /** Answers whatever has come of a request as soon as its head is here. */
  early: ((head: string) => Answer | undefined) | undefined
  /** Bytes, ever. */
  received = 0
  /** Answers that are still being written. */
  #answering = 0
  /** Connections on which a part of a request stands. */
  #begun = 0
  #connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor() {
    this.#server = createServer(socket => this.#serve(socket))
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Something has come that is not a whole request yet, or its answer has not gone out. */
  get busy(): boolean {
    return this.#answering + this.#begun > 0
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  forget(): void {
    this.requests = []
    this.partial = []
    this.violations = []
    this.answer = undefined
    this.early = undefined
  }

  #serve(socket: Socket): void {
    const connection = ++this.#connections
    let text = ''
    let answered = false
    const keep = (rest: string) => {
      this.#begun += Number(rest !== '') - Number(text !== '')
      text = rest
    }
    const over = () => {
      if (text !== '') this.partial.push(text)
      keep('')
    }
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('end', over)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      over()
    })
    socket.on('data', piece => {
      this.received += piece.length
      keep(text + piece)
      const head = answered ? -1 : text.indexOf('\r\n\r\n')
      const early = head === -1 ? undefined : this.early?.(text.slice(0, head))
      if (early !== undefined) {
        answered = true
        void this.#write(socket, early)
      }
      try {
        for (let taken = takeRequest(text, 0); taken !== undefined; taken = takeRequest(text, 0)) {
          keep(text.slice(taken.end))
          const request = taken.message
          this.requests.push({ request, connection })
          if (answered) answered = false
          else void this.#write(socket, this.answer?.(request) ?? (request.line.startsWith('HEAD ') ? okHead : ok))
        }
      } catch (error) {
        if (!(error instanceof Violation)) throw error
        this.violations.push(`${error.message} in ${JSON.stringify(text.slice(0, 500))}`)
        keep('')
        socket.destroy()
      }
    })
  }

  async #write(socket: Socket, { pieces, after }: Answer): Promise<void> {
    this.#answering++
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await turn()
      if (!socket.destroyed) socket.write(piece, 'latin1')
    }
    if (after !== 'keep') await turn()
    if (after === 'close') socket.end()
    if (after === 'reset' && !socket.destroyed) socket.resetAndDestroy()
    this.#answering--
  }
}
