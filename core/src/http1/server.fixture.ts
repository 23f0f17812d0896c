import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Fields } from './fields.ts'
import { type HttpConnection, type ServeOptions, serveConnection } from './server-connection.ts'
import type { BodySink, ServerStream } from './wire.ts'

/** A server of one wire layer and nothing behind it, for tests. */
export interface WireServer extends AsyncDisposable {
  readonly port: number
  readonly connections: HttpConnection[]
  /** The server's end of each. */
  readonly sockets: Socket[]
  readonly faults: unknown[]
  /** Connections whose `onClose` was called. */
  closed(): number
  /** Settles when another connection has closed. */
  nextClose(): Promise<void>
  client(): Promise<RawClient>
}

export async function serve(
  onRequest: (stream: ServerStream) => void,
  options: Partial<ServeOptions> = {},
): Promise<WireServer> {
  const connections: HttpConnection[] = []
  const sockets: Socket[] = []
  const clients: RawClient[] = []
  const faults: unknown[] = []
  let closed = 0
  let waiting = Promise.withResolvers<void>()
  const server: Server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    const connection = serveConnection(
      socket,
      {
        onClientError: error => ({ fields: new Fields(), body: Buffer.from(error.code) }),
        onFault: error => faults.push(error),
        onClose() {
          closed++
          waiting.resolve()
          waiting = Promise.withResolvers<void>()
        },
        ...options,
      },
      onRequest,
    )
    connections.push(connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    connections,
    sockets,
    faults,
    closed: () => closed,
    nextClose: () => waiting.promise,
    async client() {
      const client = await RawClient.open(port)
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.socket.destroy()
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A client that says exactly what it is told, and keeps what it hears as latin1 text. */
export class RawClient {
  readonly socket: Socket
  text = ''
  #ended = false
  #closed = false
  #error: unknown
  #changed = Promise.withResolvers<void>()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => this.#note(() => (this.text += chunk.toString('latin1'))))
    socket.on('end', () => this.#note(() => (this.#ended = true)))
    socket.on('error', error => this.#note(() => (this.#error = error)))
    socket.on('close', () => this.#note(() => (this.#closed = true)))
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  get error(): unknown {
    return this.#error
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Waits until the text heard so far matches, or holds the string so many times; rejects when the connection ends before. */
  async until(pattern: RegExp | string, times = 1): Promise<string> {
    const matches = () =>
      typeof pattern === 'string' ? this.text.split(pattern).length > times : pattern.test(this.text)
    while (!matches()) {
      if (this.#ended || this.#closed) throw new Error(`ended after ${JSON.stringify(this.text.slice(-2000))}`)
      await this.#changed.promise
    }
    return this.text
  }

  /** Waits for the server's FIN, or the connection's end, and gives all that was heard. */
  async end(): Promise<string> {
    while (!this.#ended && !this.#closed) await this.#changed.promise
    return this.text
  }

  async close(): Promise<void> {
    while (!this.#closed) await this.#changed.promise
  }

  /** Forgets what was heard so far. */
  take(): string {
    const { text } = this
    this.text = ''
    return text
  }

  #note(change: () => void): void {
    change()
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}

/** Answers with a text, whatever the request. */
export function answer(stream: ServerStream, text: string, status = 200, length = text.length): void {
  stream.sendHead(status, '', new Fields(), length)
  if (text !== '') stream.sendData(Buffer.from(text))
  stream.sendEnd(undefined)
}

/** Reads the whole body, then calls back. */
export function collect(stream: ServerStream, done: (body: Buffer, trailers: Fields | undefined) => void): void {
  const pieces: Uint8Array[] = []
  const sink: BodySink = {
    onData: chunk => pieces.push(chunk) > 0,
    onEnd: trailers => done(Buffer.concat(pieces), trailers),
    onError() {},
  }
  stream.readBody(sink)
}
