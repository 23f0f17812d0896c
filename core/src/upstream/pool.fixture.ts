import { once } from 'node:events'
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { expect } from 'vitest'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { whereabouts } from '../../../test/support/listening.ts'
import { Wire } from '../../../test/support/wire.ts'
import type { GatewayError } from '../contract/errors.ts'
import { deadlines } from '../http1/deadlines.ts'
import { Fields } from '../http1/fields.ts'
import type { AttemptTimeouts, ClientRequest, ClientStream, ClientStreamHandler } from '../http1/wire.ts'
import { Pool, type PoolOptions } from './pool.ts'

/** The server's end of one connection, as a script sees it. */
export class ServerPeer extends Wire {
  /** Takes what was received up to and with `end`. */
  async until(end: string): Promise<string> {
    const text = await this.through(end)
    if (text !== undefined) return text
    throw new Error(`closed before ${JSON.stringify(end)}, after ${JSON.stringify(this.received)}`)
  }

  head(): Promise<string> {
    return this.until('\r\n\r\n')
  }

  /** Answers one request without a body. */
  async answer(response: string = ok('hello')): Promise<string> {
    const head = await this.head()
    this.send(response)
    return head
  }
}

export function ok(body: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`
}

export type Script = (peer: ServerPeer, number: number) => Promise<void> | void

export interface RawUpstream {
  readonly server: Server
  readonly origin: string
  readonly peers: ServerPeer[]
}

/** A server that does what a script says, connection by connection. */
export async function upstream(script: Script, listen: ListenOptions = {}, tls?: TlsOptions): Promise<RawUpstream> {
  const peers: ServerPeer[] = []
  const onSocket = (socket: Socket) => {
    const peer = new ServerPeer(socket)
    peers.push(peer)
    // A script that waits for more when the connection closes just ends.
    Promise.resolve(script(peer, peers.length)).catch(() => {})
  }
  const server = tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket)
  server.listen({ host: '127.0.0.1', port: 0, ...listen })
  await once(server, 'listening')
  onCleanup('upstreams', async () => {
    const closed = once(server, 'close')
    server.close()
    // The pools are gone by now, so every connection must be, or go by itself.
    for (const peer of peers) peer.socket.resume()
    await Promise.all(peers.map(peer => peer.gone()))
    await closed
  })
  return { server, origin: whereabouts(server).origin, peers }
}

/** Destroyed after the test, when nothing of it may be left. */
export function pool(origin: string, options: Partial<PoolOptions> = {}): Pool {
  const made = new Pool(origin, options)
  onCleanup('gateways', async () => {
    made.destroy()
    await made.close()
    expect(made.stats).toEqual({ open: 0, idle: 0, busy: 0, connecting: 0, queued: 0 })
  })
  onCleanup('checks', async () => expect(deadlines.size).toBe(0))
  return made
}

/** Records what a stream hears. */
export class Recorder implements ClientStreamHandler {
  /** Names of the calls, in order; runs of data count once. */
  readonly calls: string[] = []
  readonly informational: number[] = []
  status = 0
  reason = ''
  fields: Fields = new Fields()
  bodyLength: number | undefined
  body = ''
  bytes = 0
  trailers: Fields | undefined
  error: GatewayError | undefined
  connectMs: number | undefined
  socket: Duplex | undefined
  first = ''
  /** What onData returns. */
  flowing = true
  /** Off for large bodies. */
  keepsBody = true
  /** Called after each record. */
  on: (call: string) => void = () => {}
  #waiting: { call: string; resolve: () => void }[] = []

  /** Resolves at the next call of that name, or at once if it was there. */
  heard(call: string): Promise<void> {
    if (this.calls.includes(call)) return Promise.resolve()
    return this.next(call)
  }
  next(call: string): Promise<void> {
    return new Promise(resolve => this.#waiting.push({ call, resolve }))
  }
  /** Until end or error or upgrade. */
  async over(): Promise<this> {
    await Promise.race([this.heard('end'), this.heard('error'), this.heard('upgrade')])
    return this
  }

  onConnected(connectMs: number): void {
    this.connectMs = connectMs
    this.#record('connected')
  }
  onInformational(status: number): void {
    this.informational.push(status)
    this.#record('informational')
  }
  onHead(status: number, reason: string, fields: Fields, bodyLength: number): void {
    Object.assign(this, { status, reason, fields, bodyLength })
    this.#record('head')
  }
  onUpgrade(status: number, fields: Fields, socket: Duplex, first: Uint8Array): void {
    Object.assign(this, { status, fields, socket, first: Buffer.from(first).toString('latin1') })
    this.#record('upgrade')
  }
  onDrain(): void {
    this.#record('drain')
  }
  onData(chunk: Uint8Array): boolean {
    this.bytes += chunk.length
    if (this.keepsBody) this.body += Buffer.from(chunk).toString('latin1')
    this.#record('data')
    return this.flowing
  }
  onEnd(trailers: Fields | undefined): void {
    this.trailers = trailers
    this.#record('end')
  }
  onError(error: GatewayError): void {
    this.error = error
    this.#record('error')
  }

  #record(call: string): void {
    if (call !== 'data' || this.calls.at(-1) !== 'data') this.calls.push(call)
    this.on(call)
    const due = this.#waiting.filter(waiting => waiting.call === call)
    this.#waiting = this.#waiting.filter(waiting => waiting.call !== call)
    for (const { resolve } of due) resolve()
  }
}

export const noTimeouts: AttemptTimeouts = { connect: 0, head: 0, idle: 0 }

export function get(target = '/', more: Partial<ClientRequest> = {}): ClientRequest {
  return { method: 'GET', target, fields: Fields.from(['Host', 'example.test']), bodyLength: 0, ...more }
}

export function post(bodyLength: number, more: Partial<ClientRequest> = {}): ClientRequest {
  return get('/', { method: 'POST', bodyLength, ...more })
}

export interface Sent {
  readonly stream: ClientStream
  readonly response: Recorder
}

export function send(to: Pool, request = get(), timeouts: Partial<AttemptTimeouts> = {}): Sent {
  const response = new Recorder()
  return { stream: to.request(request, { ...noTimeouts, ...timeouts }, response), response }
}
