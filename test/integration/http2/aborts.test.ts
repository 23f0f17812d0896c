import { once } from 'node:events'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  post,
  RST_STREAM,
  uint32,
} from '../../../core/src/http2/raw-peer.fixture.ts'
import { eventually } from '../../support/eventually.ts'
import { listening } from '../../support/listening.ts'
import { exchange } from '../../support/wire.ts'
import { http2Upstream, openSession, proxyTo, rawClient, startHttp2Gateway } from './gateway.ts'

/** An upstream of HTTP/1.1 that says so much and no more, and counts the connections it has. */
async function halting(text: string): Promise<{ origin: string; open: Set<Socket>; asked(): number }> {
  const open = new Set<Socket>()
  let asked = 0
  const server = createServer(socket => {
    open.add(socket)
    socket.on('data', () => {
      asked++
      socket.write(text)
    })
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
  })
  return { origin: (await listening(server)).origin, open, asked: () => asked }
}

const moments = {
  'before the head': '',
  'within the head': 'HTTP/1.1 200 OK\r\nA: b\r\n',
  'after 1xx': 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'after the head': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n',
  'within the body': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
}
const ways = { CANCEL: 8, NO_ERROR: 0, 'the connection': -1 }
const cases = Object.entries(moments).flatMap(([moment, text]) =>
  Object.entries(ways).flatMap(([way, code]) => ['GET', 'POST'].map(method => ({ moment, text, way, code, method }))),
)

describe('a client that leaves', () => {
  test.each(cases)(
    '$moment of $method, by $way, takes the upstream attempt with it',
    async ({ text, code, method }) => {
      const upstream = await halting(text)
      const { gateway, port, log } = await startHttp2Gateway(proxyTo(upstream.origin))
      const peer = await rawClient(port)
      if (method === 'GET') peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
      else peer.send(frame(HEADERS, END_HEADERS, 1, post()), frame(DATA, 0, 1, Buffer.from('part')))
      await eventually(() => expect(upstream.asked()).toBeGreaterThan(0))
      if (text.includes('\r\n\r\n')) await peer.until(HEADERS, 1)
      if (code === -1) peer.socket.destroy()
      else peer.send(frame(RST_STREAM, 0, 1, uint32(code)))
      await eventually(() => expect(upstream.open.size).toBe(0))
      await eventually(() => expect(gateway.generations[0]?.inFlight).toBe(0))
      expect(log.access).toEqual([
        expect.objectContaining({ fields: expect.objectContaining({ code: 'GATEWAY_CLIENT_CLOSED' }) }),
      ])
    },
  )

  test('takes its stream to an HTTP/2 upstream with it, and leaves the others and the connection alone', async () => {
    const codes: number[] = []
    const sessions = new Set<unknown>()
    const origin = await http2Upstream(stream => {
      sessions.add(stream.session)
      stream.on('close', () => codes.push(stream.rstCode))
      stream.respond()
      stream.write('x')
      if (stream.session !== undefined) stream.resume()
    })
    const { gateway, port } = await startHttp2Gateway(proxyTo(origin, { service: { protocol: 'http2' } }))
    const session = await openSession(port)
    const streams = Array.from({ length: 20 }, () => session.request())
    await Promise.all(streams.map(stream => once(stream, 'response')))
    for (const stream of streams.slice(0, 10)) stream.close(constants.NGHTTP2_CANCEL)
    await eventually(() => expect(codes).toEqual(Array(10).fill(constants.NGHTTP2_CANCEL)))
    expect(gateway.generations[0]?.inFlight).toBe(10)
    session.destroy()
    await eventually(() => expect(codes).toHaveLength(20))
    expect(sessions.size).toBe(1)
  })
})

describe('an upstream that breaks off', () => {
  test('a response under way is reset, never made to look complete', async () => {
    const upstream = await halting('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    const { port } = await startHttp2Gateway(proxyTo(upstream.origin))
    const peer = await rawClient(port)
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
    await peer.until(DATA, 1)
    for (const socket of upstream.open) socket.destroy()
    expect(await peer.reset(1)).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    expect(peer.frames.some(f => f.id === 1 && f.type !== RST_STREAM && (f.flags & END_STREAM) !== 0)).toBe(false)
  })

  test('over HTTP/2 likewise, to clients of either version', async () => {
    const origin = await http2Upstream((stream: ServerHttp2Stream) => {
      stream.respond()
      stream.write('part')
      setTimeout(() => stream.destroy(new Error('broken')), 20)
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, { service: { protocol: 'http2' } }))
    const peer = await rawClient(port)
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
    expect(await peer.reset(1)).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    expect((await exchange(port, 'GET /')).complete).toBe(false)
  })
})

test('aborted at every moment there is, nothing is left', async () => {
  const origin = await http2Upstream(stream => {
    stream.respond({}, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-t': '1' }))
    stream.pipe(stream)
  })
  const { gateway, port } = await startHttp2Gateway(proxyTo(origin, { service: { protocol: 'http2' } }))
  for (let moment = 0; moment < 60; moment++) {
    const session = await openSession(port)
    const streams = [0, 1, 2].map(kind => {
      const stream = session.request({ ':method': 'POST' })
      stream.on('error', () => {})
      stream.on('data', () => {})
      stream.write(Buffer.alloc(moment * 2_000))
      if (kind === 1) stream.end()
      return stream
    })
    // A moment is so many turns of the loop that gateway, client and upstream share.
    for (let turn = 0; turn < moment; turn++) await new Promise(resolve => setImmediate(resolve))
    for (const [i, stream] of streams.entries())
      stream.close([constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR][i])
    if (moment % 3 === 0) session.destroy()
  }
  await eventually(() => expect(gateway.generations[0]?.inFlight).toBe(0))
})
