import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import {
  block,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  get,
  HEADERS,
  PING,
  type RawPeer,
  RST_STREAM,
  SETTINGS,
  uint32,
} from '../../../core/src/http2/raw-peer.fixture.ts'
import { ask } from '../../../core/src/http2/server.fixture.ts'
import { eventually } from '../../support/eventually.ts'
import { startUpstream } from '../../support/upstream.ts'
import { exchange } from '../../support/wire.ts'
import { openSession, proxyTo, rawClient, startHttp2Gateway } from './gateway.ts'

const PROTOCOL_ERROR = 1
const ENHANCE_YOUR_CALM = 11

/** Answers `/ok` and nothing else; counts what is open. */
async function slowUpstream(): Promise<{ origin: string; waiting: Set<ServerResponse>; most(): number }> {
  const waiting = new Set<ServerResponse>()
  let most = 0
  const { origin } = await startUpstream((request, response) => {
    if (request.url === '/ok') return void response.end('ok')
    waiting.add(response)
    most = Math.max(most, waiting.size)
    response.on('close', () => waiting.delete(response))
  })
  return { origin, waiting, most: () => most }
}

/** Writes as fast as the server takes it, in pieces of many frames. */
async function pour(peer: RawPeer, count: number, frames: (n: number) => Uint8Array[]): Promise<void> {
  for (let n = 0; n < count && !peer.closed; n += 100) {
    const batch = Buffer.concat(Array.from({ length: 100 }, (_, i) => frames(n + i)).flat())
    if (peer.socket.write(batch)) {
      await new Promise(resolve => setImmediate(resolve))
    } else {
      await new Promise<void>(resolve => {
        peer.socket.once('drain', resolve)
        peer.socket.once('close', resolve)
      })
    }
  }
}

const pairs = (n: number) => {
  const id = n * 2 + 1
  return [frame(HEADERS, END_HEADERS | END_STREAM, id, get('/slow')), frame(RST_STREAM, 0, id, uint32(8))]
}

test('10,000 streams reset as soon as they are opened: others are served meanwhile, and nothing is left', async () => {
  const upstream = await slowUpstream()
  const { gateway, port } = await startHttp2Gateway(proxyTo(upstream.origin))
  const other = await openSession(port)
  const http1 = async () => (await exchange(port, 'GET /ok')).body
  const flooders = await Promise.all([rawClient(port), rawClient(port)])
  const floods = flooders.map(peer => pour(peer, 10_000, pairs))
  for (let i = 0; i < 30; i++) {
    expect((await ask(other, { ':path': '/ok' })).body).toBe('ok')
    expect(await http1()).toBe('ok')
  }
  await Promise.all(floods)
  for (const peer of flooders) {
    await peer.gone()
    expect(peer.frames.find(f => f.type === GOAWAY)?.payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM)
  }
  await eventually(() => expect(gateway.generations[0]?.inFlight).toBe(0))
  await eventually(() => expect(upstream.waiting.size).toBe(0))
  expect((await ask(other, { ':path': '/ok' })).body).toBe('ok')
})

test('clients are told the limits of their listener, and held to them', async () => {
  const upstream = await slowUpstream()
  const http2 = { maxConcurrentStreams: 2, streamWindow: '8kb', resetBurst: 1, resetRate: 1 }
  const { port } = await startHttp2Gateway(proxyTo(upstream.origin, { listen: { limits: { headSize: '1kb', http2 } } }))
  expect((await openSession(port)).remoteSettings).toMatchObject({
    maxConcurrentStreams: 2,
    initialWindowSize: 8_192,
    maxHeaderListSize: 2 * (1_024 + 32 * 100),
  })
  const open = (id: number) => frame(HEADERS, END_HEADERS | END_STREAM, id, get('/slow'))
  expect(await (await rawClient(port)).send(open(1), open(3), open(5)).goaway()).toBe(PROTOCOL_ERROR)
  await eventually(() => expect(upstream.waiting.size).toBe(0))
  const peer = (await rawClient(port)).send(open(1), open(3))
  await eventually(() => expect(upstream.waiting.size).toBe(2))
  peer.send(...[1, 3].map(id => frame(RST_STREAM, 0, id, uint32(8))))
  expect(await peer.goaway()).toBe(ENHANCE_YOUR_CALM)
})

test('streams reset once they are under way free their upstream connections', async () => {
  const upstream = await slowUpstream()
  const { gateway, port } = await startHttp2Gateway(
    proxyTo(upstream.origin, { service: { pool: { connections: 20, queue: 100 } } }),
  )
  const peer = await rawClient(port)
  let id = 1
  // A round within the pool's bounds; the gateway that does not abort would stop serving after the first.
  for (let round = 0; round < 8; round++) {
    const ids = Array.from({ length: 60 }, (_, i) => id + 2 * i)
    id += 120
    peer.send(...ids.map(n => frame(HEADERS, END_HEADERS | END_STREAM, n, get('/slow'))))
    await eventually(() => expect(upstream.waiting.size).toBe(20))
    peer.send(...ids.map(n => frame(RST_STREAM, 0, n, uint32(8))))
    await eventually(() => expect(gateway.generations[0]?.inFlight).toBe(0))
    await eventually(() => expect(upstream.waiting.size).toBe(0))
  }
  expect(upstream.most()).toBe(20)
  expect((await ask(await openSession(port), { ':path': '/ok' })).body).toBe('ok')
})

test.each<[string, (n: number) => Uint8Array[]]>([
  ['PING', () => [frame(PING, 0, 0, Buffer.alloc(8))]],
  ['SETTINGS', () => [frame(SETTINGS, 0, 0)]],
  [
    'CONTINUATION',
    n => [n === 0 ? frame(HEADERS, END_STREAM, 1, get()) : frame(CONTINUATION, 0, 1, block([['x', `${n}`]]))],
  ],
  ['reset streams', pairs],
])('floods of %s one after the other leave no memory behind, and others served', async (_, frames) => {
  const upstream = await slowUpstream()
  const { port } = await startHttp2Gateway(proxyTo(upstream.origin))
  const other = await openSession(port)
  const round = async () => {
    const peer = await rawClient(port)
    await pour(peer, 20_000, frames)
    await peer.gone()
    peer.frames.length = 0
    expect((await ask(other, { ':path': '/ok' })).body).toBe('ok')
  }
  await round()
  const before = process.memoryUsage().rss
  for (let i = 0; i < 10; i++) await round()
  // Ten more floods; each has sent hundreds of kilobytes at least. What stays is the allocator's and the collector's ease.
  expect(process.memoryUsage().rss - before).toBeLessThan(80e6)
})
