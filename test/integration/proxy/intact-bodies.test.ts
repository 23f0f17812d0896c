import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { randomFrom } from '../../conformance/support/splits.ts'
import { createAuthority } from '../../support/certificates.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { startUpstream } from '../../support/upstream.ts'

/** No two places of it are alike, so bytes that stray from one body into another show. */
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(4_000_000))
const hash = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex')

const random = randomFrom(20_261_123)
const upTo = (most: number) => 1 + Math.trunc(random() * most)

interface Exchange {
  readonly body: Buffer
  readonly chunked: boolean
  /** Stops a moment at every so many pieces that it reads. */
  readonly slowAt: number
}

function anyExchange(): Exchange {
  // Many that fit into one read, some of several, a few of many.
  const length = upTo([500, 60_000, 400_000, 2_000_000][upTo(4) - 1] ?? 1)
  const from = upTo(noise.length - length)
  return { body: noise.subarray(from, from + length), chunked: random() < 0.5, slowAt: upTo(12) }
}

async function send({ body }: Exchange, to: Writable): Promise<void> {
  for (let at = 0; at < body.length; ) {
    const end = at + upTo(100_000)
    if (!to.write(body.subarray(at, end))) await new Promise(resolve => to.once('drain', resolve))
    at = end
  }
  to.end()
}

async function receive({ slowAt }: Exchange, from: Readable): Promise<string> {
  const sum = createHash('sha1')
  let pieces = 0
  for await (const piece of from) {
    sum.update(piece)
    if (++pieces % slowAt === 0) await pause(1)
  }
  return sum.digest('hex')
}

/** Sends an exchange's body and gives the hash of what comes back. */
type Client = (exchange: Exchange) => Promise<string>

const headers = ({ body, chunked }: Exchange): OutgoingHttpHeaders => (chunked ? {} : { 'content-length': body.length })

function http1Client(port: number, tls: boolean): Client {
  const options = { keepAlive: true, maxSockets: 8, rejectUnauthorized: false }
  const agent = tls ? new TlsAgent(options) : new Agent(options)
  onCleanup('clients', async () => agent.destroy())
  const call = tls ? httpsRequest : httpRequest
  return async exchange => {
    const request = call({ port, host: '127.0.0.1', method: 'POST', agent, headers: headers(exchange) })
    const response = new Promise<Readable>((resolve, reject) => request.on('response', resolve).on('error', reject))
    const [sum] = await Promise.all([response.then(body => receive(exchange, body)), send(exchange, request)])
    return sum
  }
}

function http2Client(port: number): Client {
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${port}`)
  const closed = new Promise<void>(resolve => session.once('close', () => resolve()))
  onCleanup('clients', async () => {
    session.destroy()
    await closed
  })
  return async exchange => {
    const stream = session.request({ ':method': 'POST', ...headers(exchange) })
    const [sum] = await Promise.all([receive(exchange, stream), send(exchange, stream)])
    return sum
  }
}

test('an upload arrives as it was sent though its upstream takes nothing for a while', async () => {
  const stalled = Promise.withResolvers<void>()
  const upstream = await startUpstream(async (request, response) => {
    request.pause()
    await stalled.promise
    const sum = createHash('sha1')
    for await (const piece of request) sum.update(piece)
    response.end(sum.digest('hex'))
  })
  const { port } = await startGateway(proxyTo(upstream.origin))
  // More than the buffers of all sockets on the way hold.
  const pieces = Array.from({ length: 12 }, (_, i) => noise.subarray(i))
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const to = { port, host: '127.0.0.1', method: 'POST', agent: false as const }
  const request = httpRequest({ ...to, headers: { 'content-length': length } })
  const answered = once(request, 'response')
  for (const piece of pieces) request.write(piece)
  request.end()
  const socket = request.socket ?? ((await once(request, 'socket')) as [Socket])[0]
  for (let last = 0, waits = 0; waits < 5; waits = socket.writableLength === last ? waits + 1 : 0) {
    last = socket.writableLength
    await pause(10)
  }
  expect(socket.writableLength).toBeGreaterThan(0)
  stalled.resolve()
  const [response] = (await answered) as [Readable]
  expect(String((await response.toArray())[0])).toBe(hash(Buffer.concat(pieces)))
})

test('every body arrives as it was sent, however many pass at once, whatever their size, framing, pace and wire', async () => {
  const upstream = await startUpstream((request, response) => {
    const length = request.headers['content-length']
    response.writeHead(200, length === undefined ? {} : { 'content-length': length })
    request.pipe(response)
  })
  const plain = await startGateway(proxyTo(upstream.origin))
  const { certFile, keyFile } = await (await createAuthority()).issue()
  const secure = await startGateway(proxyTo(upstream.origin, { listen: { tls: { cert: certFile, key: keyFile } } }))
  const clients = [http1Client(plain.port, false), http1Client(secure.port, true), http2Client(plain.port)]
  const exchanges = Array.from({ length: 96 }, anyExchange)
  const came = await Promise.all(exchanges.map((exchange, i) => clients[i % clients.length]?.(exchange)))
  expect(came).toEqual(exchanges.map(({ body }) => hash(body)))
})
