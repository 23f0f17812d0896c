import { once } from 'node:events'
import { connect as connectSocket, type NetConnectOpts, type Socket } from 'node:net'
import { onCleanup } from './cleanup.ts'
import { type ByteSource, type Message, readMessage } from './message.ts'

/** One end of a TCP connection that a test drives by hand. Text is latin1: one character a byte. */
export class Wire implements ByteSource {
  readonly socket: Socket
  /** Received and not yet taken. */
  received = ''
  /** Everything received since the start. */
  transcript = ''
  /** The other end sent its FIN, or the connection is closed. */
  ended = false
  closed = false
  /** Code of the socket's error, such as ECONNRESET. */
  errorCode: string | undefined
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.setNoDelay(true)
    socket.on('data', text => {
      this.received += text
      this.transcript += text
      this.#wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code
    })
    socket.on('close', () => {
      this.ended = true
      this.closed = true
      this.#wake()
    })
  }

  send(data: string | Uint8Array): void {
    if (typeof data === 'string') this.socket.write(data, 'latin1')
    else this.socket.write(data)
  }

  async through(end: string): Promise<string | undefined> {
    await this.#until(() => this.received.includes(end))
    const at = this.received.indexOf(end)
    return at === -1 ? undefined : this.#take(at + end.length)
  }

  async exactly(count: number): Promise<string | undefined> {
    await this.#until(() => this.received.length >= count)
    return this.received.length < count ? undefined : this.#take(count)
  }

  async rest(): Promise<string> {
    await this.#until(() => false)
    return this.#take(this.received.length)
  }

  /** The next request. Rejects when the connection ends before one. */
  async request(): Promise<Message> {
    const message = await readMessage(this)
    if (message === undefined) throw new Error(`no request: ${JSON.stringify(this.received)}`)
    return message
  }

  /** The next response, a 1xx one included. Rejects when the connection ends before one. */
  async response(method?: string): Promise<Message> {
    const message = await readMessage(this, method)
    if (message === undefined) throw new Error(`no response: ${JSON.stringify(this.received)} (${this.errorCode})`)
    return message
  }

  /** The connection is closed both ways. */
  async gone(): Promise<void> {
    // Not events.once, which rejects when the connection was reset.
    if (!this.closed) await new Promise<void>(resolve => this.socket.once('close', () => resolve()))
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.ended) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  #take(count: number): string {
    const text = this.received.slice(0, count)
    this.received = this.received.slice(count)
    return text
  }
}

/** Opens a connection that is closed after the test. */
export async function connect(to: number | NetConnectOpts): Promise<Wire> {
  const socket = connectSocket(typeof to === 'number' ? { port: to, host: '127.0.0.1' } : to)
  const wire = new Wire(socket)
  onCleanup('clients', async () => {
    socket.destroy()
    await wire.gone()
  })
  if (socket.connecting) await once(socket, 'connect')
  return wire
}

/** Sends bytes on a connection of their own; gives back everything that comes until the other side closes. */
export async function rawRequest(port: number, bytes: string): Promise<string> {
  const wire = await connect(port)
  wire.send(bytes)
  return wire.rest()
}

/** `METHOD /target`, lines and body, sent on a connection of its own. Host and Connection: close are added. */
export async function exchange(
  port: number,
  request: string,
  lines: readonly string[] = [],
  body = '',
): Promise<Message> {
  const wire = await connect(port)
  wire.send(requestText(request, ['Connection: close', ...lines], body))
  return wire.response(request.split(' ')[0])
}

/** A request as text. Host is added unless `lines` has one, and Content-Length for a body that nothing else frames. */
export function requestText(request: string, lines: readonly string[] = [], body = ''): string {
  const has = (name: RegExp) => lines.some(line => name.test(line))
  const all = [
    ...(has(/^host:/i) ? [] : ['Host: gateway.test']),
    ...lines,
    ...(body === '' || has(/^(content-length|transfer-encoding):/i) ? [] : [`Content-Length: ${body.length}`]),
  ]
  return `${request} HTTP/1.1\r\n${all.map(line => `${line}\r\n`).join('')}\r\n${body}`
}

/** `name: value` lines and a body as a response with Content-Length. */
export function responseText(status: number, lines: readonly string[] = [], body = ''): string {
  return `HTTP/1.1 ${status} Any\r\n${[...lines, `Content-Length: ${body.length}`].map(line => `${line}\r\n`).join('')}\r\n${body}`
}
