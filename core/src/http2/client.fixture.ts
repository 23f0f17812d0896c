import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { GatewayError } from '../contract/errors.ts'
import { deadlines } from '../http1/deadlines.ts'
import { Fields } from '../http1/fields.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import { Http2Pool, type Http2PoolOptions } from './client.ts'

export interface Upstream extends AsyncDisposable {
  readonly origin: string
  readonly sessions: ServerHttp2Session[]
}

/** A node:http2 server. */
export async function upstream(
  onStream: (stream: ServerHttp2Stream, list: readonly string[]) => void,
  options: ServerOptions = {},
): Promise<Upstream> {
  const sessions: ServerHttp2Session[] = []
  const server: Http2Server = createServer(options)
  server.on('session', session => {
    sessions.push(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, list) => {
    stream.on('error', () => {})
    onStream(stream, list)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const session of sessions) session.destroy()
      await closed
    },
  }
}

/** A pool that is destroyed in the end, and then must hold nothing. */
export function pool(origin: string, options: Partial<Http2PoolOptions> = {}): Http2Pool & AsyncDisposable {
  const before = deadlines.size
  const made = new Http2Pool(origin, options)
  return Object.assign(made, {
    async [Symbol.asyncDispose]() {
      made.destroy()
      await made.close()
      // What was under way hears of it a little later.
      for (let turn = 0; turn < 100 && deadlines.size > before; turn++)
        await new Promise(resolve => setImmediate(resolve))
      if (made.inFlight > 0) throw new Error(`${made.inFlight} requests are left`)
      if (deadlines.size > before) throw new Error(`${deadlines.size - before} deadlines are left`)
    },
  })
}

export const noTimeouts: AttemptTimeouts = { connect: 0, head: 0, idle: 0 }

/** What a request heard, and when it was over. */
export class Recorder implements ClientStreamHandler {
  readonly events: string[] = []
  status = 0
  fields = new Fields()
  bodyLength = 0
  body = ''
  received = 0
  trailers: Fields | undefined
  error: GatewayError | undefined
  drains = 0
  /** Pauses after each piece while false. */
  reading = true
  stream: ClientStream | undefined
  readonly #over = Promise.withResolvers<void>()
  readonly #headed = Promise.withResolvers<void>()

  get over(): Promise<void> {
    return this.#over.promise
  }

  get headed(): Promise<void> {
    return this.#headed.promise
  }

  onConnected(): void {
    this.events.push('connected')
  }

  onInformational(status: number): void {
    this.events.push(String(status))
  }

  onHead(status: number, _reason: string, fields: Fields, bodyLength: number): void {
    this.events.push('head')
    this.status = status
    this.fields = fields
    this.bodyLength = bodyLength
    this.#headed.resolve()
  }

  onData(chunk: Uint8Array): boolean {
    this.received += chunk.length
    if (this.received < 100_000) this.body += Buffer.from(chunk).toString('latin1')
    return this.reading
  }

  onEnd(trailers: Fields | undefined): void {
    this.events.push('end')
    this.trailers = trailers
    this.#over.resolve()
  }

  onError(error: GatewayError): void {
    this.events.push('error')
    this.error = error
    this.#headed.resolve()
    this.#over.resolve()
  }

  onDrain(): void {
    this.drains++
  }

  onUpgrade(): void {
    this.events.push('upgrade')
  }
}

export function send(
  to: Http2Pool,
  request: Partial<Omit<ClientRequest, 'fields'>> & { fields?: readonly string[] } = {},
  timeouts: AttemptTimeouts = noTimeouts,
): Recorder {
  const recorder = new Recorder()
  const { fields = ['Host', 'upstream.test'], ...rest } = request
  recorder.stream = to.request(
    { method: 'GET', target: '/', bodyLength: 0, ...rest, fields: Fields.from(fields) },
    timeouts,
    recorder,
  )
  return recorder
}
