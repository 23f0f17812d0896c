import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { BodyCheck, pieceOf } from './pattern.ts'

export interface SoakUpstream {
  readonly http1: string
  readonly http2: string
  close(): Promise<void>
}

/**
 * Honest, over HTTP/1.1 and HTTP/2. `GET /id/size/how` gives body `id`, `POST /id/size/how` wants it. How: `length`,
 * `chunked`, or `slow`: late, and with pauses in between.
 */
export async function startSoakUpstream(): Promise<SoakUpstream> {
  // Who closes a connection under a POST costs it; the upstream that does so is another one.
  const keepAliveTimeout = 60_000
  const servers: Server[] = [createHttpServer({ keepAliveTimeout }, serve), createHttp2Server(serve)]
  const sockets = new Set<{ destroy(): void }>()
  const origins: string[] = []
  for (const server of servers) {
    server.on('connection', socket => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    origins.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }
  const [http1 = '', http2 = ''] = origins
  return {
    http1,
    http2,
    async close() {
      const closed = Promise.all(servers.map(server => once(server, 'close')))
      for (const server of servers) server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

function serve(request: Request, response: Response): void {
  // Clients leave; what matters is what the gateway makes of it.
  request.on('error', () => {})
  response.on('error', () => {})
  const answered = request.method === 'GET' ? answer(request, response) : take(request, response)
  answered.catch(() => {})
}

async function answer(request: Request, response: Response): Promise<void> {
  const [id, size, slow, framing] = read(request.url ?? '')
  if (slow) await wait(id % 100)
  // Without a length Node's HTTP/2 server may reset a stream whose last byte used the window up (26.10): cut short.
  if (framing === 'length' || request.httpVersion === '2.0') response.setHeader('Content-Length', size)
  await writeBody(response, id, size, slow)
}

async function take(request: Request, response: Response): Promise<void> {
  const [id, size, slow] = read(request.url ?? '')
  const { received, wrong } = await readBody(request, id, slow)
  response.statusCode = received === size && !wrong ? 200 : 422
  response.end(`${received}`)
}

function read(url: string): readonly [id: number, size: number, slow: boolean, framing: string] {
  const [, id, size, how = ''] = url.split('/')
  return [Number(id), Number(size), how === 'slow', how]
}

/** Writes body `id` as fast as it is taken, or slowly. Rejects when the other end leaves. */
export async function writeBody(to: Writable | Response, id: number, size: number, slow: boolean): Promise<void> {
  const gone = new AbortController()
  const onClose = () => gone.abort()
  to.once('close', onClose)
  for (let at = 0; at < size; ) {
    const piece = pieceOf(id, at, size - at)
    at += piece.length
    // Writable and the response of HTTP/2 differ in what else write() takes.
    const more: boolean = (to as Writable).write(piece)
    if (!more) await once(to, 'drain', { signal: gone.signal })
    if (slow) await wait(5)
  }
  to.end()
  to.off('close', onClose)
}

/** Reads body `id` to its end as it comes, or slowly. Rejects when it is cut off. */
export async function readBody(from: Readable, id: number, slow: boolean): Promise<BodyCheck> {
  const check = new BodyCheck(id)
  for await (const chunk of from as AsyncIterable<Uint8Array>) {
    check.push(chunk)
    if (slow) await wait(2)
  }
  return check
}
