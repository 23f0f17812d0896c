import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { takeRequest, Violation, values } from '../support/strict.ts'

/** What an upstream does to one request. */
export interface UpstreamScript {
  /** Answers when the head is here, or when the body is; or takes no byte of the body at all. */
  readonly answers: 'to the head' | 'to the whole' | 'without reading'
  readonly informational: boolean
  readonly framing: 'length' | 'chunked' | 'close'
  readonly size: number
  /** How much of the response it writes, from 0 to 1. */
  readonly stops: number
  readonly pieces: number
  /** And then. */
  readonly ends: 'end' | 'reset' | 'nothing'
}

/** The body of each message in an exchange is made of its own character, so that a mix-up shows. */
export const bodyFor = (id: number, size: number): string => String.fromCharCode(97 + (id % 26)).repeat(size)

/** Answers the request that bears `X-Script: n` as script n says, and checks that whole requests are what was sent. */
export class AbortUpstream {
  /** What must not have been seen. */
  complaints: string[] = []
  readonly #scripts = new Map<number, UpstreamScript>()
  #next = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, socket => this.#serve(socket))
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Gives the script its number. None is used twice: bytes of an exchange given up long ago may still be read here. */
  add(script: UpstreamScript): number {
    const id = this.#next++
    this.#scripts.set(id, script)
    this.#scripts.delete(id - 1_000)
    return id
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

  #serve(socket: Socket): void {
    let text = ''
    let answered = false
    this.#sockets.add(socket)
    socket.setEncoding('latin1')
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', piece => {
      text += piece
      try {
        for (;;) {
          const end = text.indexOf('\r\n\r\n')
          if (end === -1) return
          const id = Number(values(text.slice(0, end).split('\r\n'), 'x-script')[0])
          const script = this.#scripts.get(id)
          if (script === undefined) throw new Violation(`no script ${id}`)
          const request = takeRequest(text, 0)
          if (!answered && (request !== undefined || script.answers !== 'to the whole')) {
            answered = true
            if (script.answers === 'without reading') socket.pause()
            void answer(socket, script, id)
          }
          if (request === undefined) return
          const { body } = request.message
          if (body !== bodyFor(id, body.length)) throw new Violation(`request ${id} has a body of another`)
          text = text.slice(request.end)
          answered = false
        }
      } catch (error) {
        if (!(error instanceof Violation)) throw error
        this.complaints.push(error.message)
        socket.destroy()
      }
    })
  }
}

async function answer(socket: Socket, script: UpstreamScript, id: number): Promise<void> {
  const bytes = responseBytes(script, id)
  const whole = script.stops === 1
  const sent = bytes.slice(0, Math.floor(bytes.length * script.stops))
  const size = Math.max(1, Math.ceil(sent.length / script.pieces))
  for (let at = 0; at < sent.length; at += size) {
    if (at > 0) await turn()
    if (!socket.destroyed) socket.write(sent.slice(at, at + size), 'latin1')
  }
  await turn()
  // The connection may be used again by now.
  if (whole) socket.resume()
  if (script.ends === 'end' || (whole && script.framing === 'close')) socket.end()
  if (script.ends === 'reset' && !socket.destroyed) socket.resetAndDestroy()
}

function responseBytes({ informational, framing, size }: UpstreamScript, id: number): string {
  const body = bodyFor(id, size)
  const hints = informational ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' : ''
  const head = `${hints}HTTP/1.1 200 OK\r\nX-Script: ${id}\r\n`
  if (framing === 'length') return `${head}Content-Length: ${size}\r\n\r\n${body}`
  if (framing === 'close') return `${head}\r\n${body}`
  return `${head}Transfer-Encoding: chunked\r\n\r\n${size === 0 ? '' : `${size.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`
}
