import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { answer, collect } from '../http1/server.fixture.ts'
import type { ServerStream } from '../http1/wire.ts'
import {
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  get,
  HEADERS,
  PING,
  post,
  type RawPeer,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from './raw-peer.fixture.ts'
import { ask, type Http2Server, serve } from './server.fixture.ts'

const PROTOCOL_ERROR = 1
const INTERNAL_ERROR = 2
const FLOW_CONTROL_ERROR = 3
const REFUSED_STREAM = 7
const ENHANCE_YOUR_CALM = 11

/** Sends the same again and again until the server hangs up; rejects when it never does. */
async function flood(peer: RawPeer, bytes: (n: number) => Uint8Array, rounds = 20_000): Promise<number> {
  let sent = 0
  while (!peer.closed && sent < rounds) {
    const batch = Array.from({ length: 100 }, () => bytes(sent++))
    if (!peer.socket.write(Buffer.concat(batch))) {
      await new Promise<void>(resolve => {
        peer.socket.once('drain', resolve)
        peer.socket.once('close', resolve)
      })
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  await peer.gone()
  return sent
}

/** Others are served, and nothing is left of the flood. */
async function expectService(server: Http2Server): Promise<void> {
  expect((await ask(await server.client())).body).toBe('served')
  await eventually(() => expect(server.closed()).toBe(server.sockets.length - 1))
  expect(server.connections.every(connection => connection.idle)).toBe(true)
}

const opening = (id: number) => frame(HEADERS, END_HEADERS | END_STREAM, id, get())

describe('a client that resets what it begins', () => {
  const limits = { resetBurst: 200, resetRate: 10 }

  test('in packets of their own is told to calm down and cut off, and every exchange hears of it', async () => {
    let begun = 0
    let aborted = 0
    await using server = await serve(stream => {
      if (stream.target === '/') {
        begun++
        stream.handler = { onDrain() {}, onAbort: () => aborted++ }
      }
      if (stream.peer.port !== server.sockets[0]?.remotePort) answer(stream, 'served')
    }, limits)
    const peer = await server.raw()
    let id = 1
    const sent = await flood(peer, n => {
      if (n % 2 === 0) return opening(id)
      id += 2
      return frame(RST_STREAM, 0, id - 2, uint32(8))
    })
    expect(sent).toBeLessThan(5_000)
    expect(peer.frames.filter(f => f.type === GOAWAY).map(f => f.payload.readUInt32BE(4))).toEqual([ENHANCE_YOUR_CALM])
    expect(begun).toBeLessThanOrEqual(201)
    expect(aborted).toBe(begun)
    await expectService(server)
  })

  test('by a fault of its own that makes us reset (CVE-2025-8671) fares no better', async () => {
    let begun = 0
    await using server = await serve(stream => {
      if (stream.method === 'POST') collect(stream, () => {})
      else answer(stream, 'served')
      begun++
    }, limits)
    const peer = await server.raw()
    let id = -1
    const overflow = () => frame(WINDOW_UPDATE, 0, id, uint32(2 ** 31 - 1))
    await flood(peer, () => {
      id += 2
      return Buffer.concat([frame(HEADERS, END_HEADERS, id, post()), overflow()])
    })
    expect(begun).toBeLessThanOrEqual(300)
    await expectService(server)
  })

  test('now and then may go on', async () => {
    await using server = await serve(stream => {
      if (stream.target === '/') answer(stream, 'served')
    }, limits)
    const peer = await server.raw()
    for (let id = 1; id < 300; id += 2) {
      peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, get('/wait')), frame(RST_STREAM, 0, id, uint32(8)))
      if (id % 50 !== 1) continue
      const payload = uint32(0, id)
      peer.send(frame(PING, 0, 0, payload))
      await peer.until(PING, 0, f => f.payload.equals(payload))
    }
    peer.send(opening(301))
    await peer.until(DATA, 301)
    expect(peer.frames.filter(f => f.type === GOAWAY)).toEqual([])
  })
})

test.each<[string, number, (n: number) => Uint8Array]>([
  ['PING', ENHANCE_YOUR_CALM, () => frame(PING, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', ENHANCE_YOUR_CALM, n => frame(SETTINGS, 0, 0, setting(3, n + 1))],
  ['answers to a PING that was not sent', INTERNAL_ERROR, () => frame(PING, 1, 0, Buffer.alloc(8))],
  ['WINDOW_UPDATE beyond all bounds', FLOW_CONTROL_ERROR, () => frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))],
])('a flood of %s ends the connection with code %d', async (_, code, bytes) => {
  await using server = await serve(stream => answer(stream, 'served'), { pingBurst: 500, lingerTimeout: 100 })
  const peer = await server.raw()
  await flood(peer, bytes)
  expect(peer.frames.find(f => f.type === GOAWAY)?.payload.readUInt32BE(4)).toBe(code)
  await expectService(server)
})

test.each<[string, (n: number) => Uint8Array]>([
  ['SETTINGS', () => frame(SETTINGS, 0, 0)],
  ['PING', () => frame(PING, 0, 0, Buffer.alloc(8))],
])('a flood of %s by a client that reads nothing ends the connection', async (_, bytes) => {
  await using server = await serve(stream => answer(stream, 'served'), { lingerTimeout: 100 })
  const peer = await server.raw()
  peer.socket.pause()
  await flood(peer, bytes, 200_000).catch(() => {})
  peer.socket.destroy()
  await expectService(server)
})

test('a flood of empty DATA ends the connection', async () => {
  await using server = await serve(
    stream => {
      if (stream.method === 'POST') collect(stream, () => {})
      else answer(stream, 'served')
    },
    { lingerTimeout: 100 },
  )
  const peer = await server.raw()
  peer.send(frame(HEADERS, END_HEADERS, 1, post()))
  expect(await flood(peer, () => frame(DATA, 0, 1))).toBeLessThan(2_000)
  await expectService(server)
})

test('a header block without end ends the connection', async () => {
  await using server = await serve(stream => answer(stream, 'served'), { lingerTimeout: 100 })
  const peer = await server.raw()
  peer.send(frame(HEADERS, END_STREAM, 1, get()))
  const sent = await flood(peer, n => frame(CONTINUATION, 0, 1, block([[`x-${n}`, 'y']])))
  expect(sent).toBeLessThan(2_000)
  await expectService(server)
})

test('a header block that is never finished ends with the time for a head', async () => {
  await using server = await serve(stream => answer(stream, 'served'), { headTimeout: 80, lingerTimeout: 50 })
  const peer = await server.raw()
  peer.send(frame(HEADERS, END_STREAM, 1, get()))
  await eventually(() => expect(server.closed()).toBe(1))
})

test('WINDOW_UPDATE on the connection without end is no reason to keep it', async () => {
  await using server = await serve(stream => answer(stream, 'served'), { headTimeout: 100, lingerTimeout: 50 })
  const peer = await server.raw()
  const timer = setInterval(() => peer.socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(1))), 5)
  await eventually(() => expect(server.closed()).toBe(1))
  clearInterval(timer)
})

describe('more than is allowed', () => {
  test('streams at a time are refused, and those that were first are served', async () => {
    const waiting: (() => void)[] = []
    await using server = await serve(stream => waiting.push(() => answer(stream, 'served')), {
      maxConcurrentStreams: 10,
    })
    const peer = await server.raw(false)
    peer.send(...Array.from({ length: 12 }, (_, i) => opening(i * 2 + 1)))
    await eventually(() => expect(waiting).toHaveLength(10))
    expect([await peer.reset(21), await peer.reset(23)]).toEqual([REFUSED_STREAM, REFUSED_STREAM])
    for (const serveIt of waiting) serveIt()
    await peer.until(DATA, 19)
  })

  test('streams at a time are a fault of the connection, once the limit is acknowledged', async () => {
    await using server = await serve(() => {}, { maxConcurrentStreams: 10 })
    const peer = await server.raw()
    peer.send(...Array.from({ length: 12 }, (_, i) => opening(i * 2 + 1)))
    expect(await peer.goaway()).toBe(PROTOCOL_ERROR)
  })

  test.each([
    ['a field of 17 KB', [['x', 'y'.repeat(17_000)]]],
    ['101 fields', Array.from({ length: 101 }, (_, i) => [`x${i}`, 'y'])],
  ] as [string, [string, string][]][])('%s is a 431, and the connection goes on', async (_, fields) => {
    await using server = await serve(stream => answer(stream, 'served'))
    const client = await server.client()
    const got = await ask(client, Object.fromEntries(fields))
    expect(got).toMatchObject({ status: 431, body: 'GATEWAY_HEAD_TOO_LARGE' })
    expect((await ask(client)).body).toBe('served')
  })

  test.each([
    ['a field of 60 KB', [['x', 'y'.repeat(60_000)]]],
    ['1,000 fields', Array.from({ length: 1_000 }, (_, i) => [`x${i}`, 'y'])],
  ] as [string, [string, string][]][])('%s is reset, and the connection goes on', async (_, fields) => {
    await using server = await serve(stream => answer(stream, 'served'))
    const peer = await server.raw()
    const whole = get('/', ...fields)
    const pieces = Array.from({ length: Math.ceil(whole.length / 16_000) }, (_, i) =>
      whole.subarray(i * 16_000, (i + 1) * 16_000),
    )
    pieces.forEach((piece, i) => {
      const last = i === pieces.length - 1 ? END_HEADERS : 0
      peer.send(frame(i === 0 ? HEADERS : CONTINUATION, (i === 0 ? END_STREAM : 0) | last, 1, piece))
    })
    expect(await peer.reset(1)).toBe(ENHANCE_YOUR_CALM)
    peer.send(opening(3))
    await peer.until(DATA, 3)
  })
})

describe('what is malformed', () => {
  const base = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'a'],
    [':path', '/'],
  ] as [string, string][]

  test.each<[string, [string, string][]]>([
    ['upper case in a name', [...base, ['X', 'y']]],
    ['Connection', [...base, ['connection', 'close']]],
    ['Transfer-Encoding', [...base, ['transfer-encoding', 'chunked']]],
    ['Upgrade', [...base, ['upgrade', 'x']]],
    ['Keep-Alive', [...base, ['keep-alive', 'x']]],
    ['Proxy-Connection', [...base, ['proxy-connection', 'x']]],
    ['TE but trailers', [...base, ['te', 'gzip']]],
    ['a pseudo-header field twice', [...base, [':path', '/b']]],
    ['a late pseudo-header field', [...base.slice(0, 3), ['x', 'y'], [':path', '/']]],
    ['an unknown pseudo-header field', [...base, [':x', 'y']]],
    ['a pseudo-header field of responses', [...base, [':status', '200']]],
    ['no method', base.slice(1)],
    ['no path', base.slice(0, 3)],
    ['no scheme', [base[0], base[2], base[3]] as [string, string][]],
    ['Host twice', [...base, ['host', 'a'], ['host', 'a']]],
    ['Content-Length twice', [...base, ['content-length', '0'], ['content-length', '0']]],
    ['Content-Length that is no number', [...base, ['content-length', '+1']]],
    ['Content-Length without a body', [...base, ['content-length', '1']]],
    ['extended CONNECT, which was not offered', [...base, [':protocol', 'websocket']]],
    ['no host at all', [base[0], base[1], base[3]] as [string, string][]],
  ])('%s: reset, never dispatched', async (_, fields) => {
    let dispatched = 0
    await using server = await serve(stream => {
      dispatched++
      answer(stream, 'served')
    })
    const peer = await server.raw()
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields)))
    expect(await peer.reset(1)).toBe(PROTOCOL_ERROR)
    expect(dispatched).toBe(0)
    peer.send(opening(3))
    await peer.until(DATA, 3)
  })

  test.each<[string, [string, string][]]>([
    ['Host unlike :authority', [...base, ['host', 'b']]],
    ['a padded value', [...base, ['x', ' y']]],
    ['another scheme', [base[0], [':scheme', 'ftp'], base[2], base[3]] as [string, string][]],
    ['HTTP2-Settings', [...base, ['http2-settings', 'x']]],
  ])('%s: 400', async (_, fields) => {
    let dispatched = 0
    await using server = await serve(() => dispatched++)
    const peer = await server.raw()
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields)))
    expect((await peer.until(DATA, 1)).payload.toString()).toBe('GATEWAY_BAD_REQUEST')
    expect(dispatched).toBe(0)
  })

  test('no character that could split a message reaches the exchange, in a name or in a value', async () => {
    const seen: string[] = []
    await using server = await serve(stream => {
      seen.push(stream.fields.toText())
      answer(stream, 'served')
    })
    const peer = await server.raw()
    let id = -1
    for (let code = 0; code < 256; code++) {
      const char = String.fromCharCode(code)
      for (const field of [
        [`x${char}y`, 'z'],
        ['x', `y${char}z`],
        [char, 'z'],
        ['', 'z'],
      ] as const) {
        id += 2
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, block([...base, field])))
      }
      // Not more at a time than are allowed.
      peer.send(opening(id + 2))
      id += 2
      await peer.until(DATA, id)
    }
    const line = /^[!#$%&'*+\-.^_`|~0-9a-z]+: (?:[\t\x20-\x7e\x80-\xff]*)$/
    for (const text of seen) for (const part of text.slice(0, -2).split('\r\n')) expect(part).toMatch(line)
    expect(seen.length).toBeGreaterThan(256)
  })
})

describe('a client that sends its body byte by byte', () => {
  /** As much as the window allows. */
  const bytes = Buffer.from(Array.from({ length: 65_535 }, (_, i) => i % 251))
  const drip = (from: number, to: number) =>
    Array.from(bytes.subarray(from, to), byte => frame(DATA, 0, 1, Buffer.from([byte])))

  test.each(['nobody reads yet', 'the reader waits'])('while %s is held in few pieces', async when => {
    const got: Buffer[] = []
    const requested = Promise.withResolvers<ServerStream>()
    const ended = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    await using server = await serve(requested.resolve)
    const peer = await server.raw()
    peer.send(frame(HEADERS, END_HEADERS, 1, post()))
    const stream = await requested.promise
    const read = () =>
      stream.readBody({
        onData: chunk => {
          got.push(Buffer.from(chunk))
          held.resolve()
          return got.length > 1
        },
        onEnd: () => ended.resolve(),
        onError: ended.reject,
      })
    const early = when === 'the reader waits'
    if (early) {
      read()
      peer.send(...drip(0, 1))
      await held.promise
    }
    peer.send(...drip(early ? 1 : 0, 65_535), frame(PING, 0, 0, uint32(1, 1)))
    await peer.until(PING)
    if (!early) {
      read()
      await held.promise
    }
    stream.resumeBody()
    // The window has opened: it was not when the bytes came, but when they were read.
    await peer.until(WINDOW_UPDATE, 1)
    peer.send(frame(DATA, END_STREAM, 1, Buffer.from('end')))
    await ended.promise
    expect(Buffer.concat(got).equals(Buffer.concat([bytes, Buffer.from('end')]))).toBe(true)
    expect(got.length).toBeLessThan(30)
    answer(stream, 'done')
    await peer.until(DATA, 1)
  })
})
