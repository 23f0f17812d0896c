import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { deadlines } from '../http1/deadlines.ts'
import { Fields } from '../http1/fields.ts'
import type { HttpConnection } from '../http1/server-connection.ts'
import type { ServerStream } from '../http1/wire.ts'
import { RawPeer } from './raw-peer.fixture.ts'
import { serveHttp2 } from './server.ts'
import type { ServeHttp2Options } from './server-limits.ts'

/** The wire layer and nothing behind it. Disposing checks that nothing is left of it. */
export interface Http2Server extends AsyncDisposable {
  readonly port: number
  readonly connections: HttpConnection[]
  readonly sockets: Socket[]
  readonly faults: unknown[]
  /** Connections whose `onClose` was called. */
  closed(): number
  client(): Promise<ClientHttp2Session>
  raw(acknowledges?: boolean): Promise<RawPeer>
}

export async function serve(
  onRequest: (stream: ServerStream) => void,
  options: Partial<ServeHttp2Options> = {},
): Promise<Http2Server> {
  const connections: HttpConnection[] = []
  const sockets: Socket[] = []
  const clients: { destroy(): void }[] = []
  const faults: unknown[] = []
  let closed = 0
  const before = deadlines.size
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    const own: ServeHttp2Options = {
      onClientError: error => ({ fields: Fields.from(['X-Code', error.code]), body: Buffer.from(error.code) }),
      onFault: error => faults.push(error),
      onClose: () => closed++,
      ...options,
    }
    connections.push(serveHttp2(socket, own, onRequest))
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
    async client() {
      const session = connect(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      clients.push(session)
      await once(session, 'remoteSettings')
      return session
    },
    async raw(acknowledges) {
      const peer = await RawPeer.connect(port, acknowledges)
      clients.push(peer.socket)
      return peer
    },
    async [Symbol.asyncDispose]() {
      const end = once(server, 'close')
      server.close()
      for (const client of clients) client.destroy()
      await end
      // The server counts a socket out before the socket's own listeners hear of it.
      for (let turn = 0; turn < 100 && closed < sockets.length; turn++)
        await new Promise(resolve => setImmediate(resolve))
      if (closed !== sockets.length) throw new Error(`onClose was called ${closed} times for ${sockets.length} sockets`)
      if (deadlines.size > before) throw new Error(`${deadlines.size - before} deadlines are left`)
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly raw: readonly string[]
  readonly body: string
  readonly trailers: Record<string, unknown> | undefined
  /** Status and fields of each 1xx response. */
  readonly informational: readonly Record<string, unknown>[]
}

/** Sends a request and waits for the whole response. Rejects when the stream ends with an error or is reset. */
export function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body?: string | Uint8Array,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return answerOf(stream)
}

export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: Record<string, unknown> = {}
  let raw: readonly string[] = []
  let trailers: Record<string, unknown> | undefined
  const informational: Record<string, unknown>[] = []
  const pieces: Buffer[] = []
  stream.on('response', (fields, _flags, list) => {
    headers = { ...fields }
    raw = list
  })
  stream.on('headers', fields => informational.push({ ...fields }))
  stream.on('trailers', fields => {
    trailers = { ...fields }
  })
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => {
      if (stream.rstCode === 0) resolve()
      else reject(Object.assign(new Error(`reset with ${stream.rstCode}`), { code: stream.rstCode }))
    })
  })
  const body = Buffer.concat(pieces).toString('latin1')
  return { status: Number(headers[':status']), headers, raw, body, trailers, informational }
}
