import { expect, test } from 'vitest'
import { answer, collect } from '../http1/server.fixture.ts'
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
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from './raw-peer.fixture.ts'
import { type Http2Server, serve } from './server.fixture.ts'

// RFC 9113, frame by frame, in the order of its sections: what h2spec asks of a server, and where nghttp2 has it as the RFC.
// Frames for a stream that is closed, and priorities (section 5.3.2 gave them up), it ignores, which the RFC allows.

const PROTOCOL_ERROR = 1
const FLOW_CONTROL_ERROR = 3
const STREAM_CLOSED = 5
const FRAME_SIZE_ERROR = 6
const COMPRESSION_ERROR = 9

const PRIORITY = 2
const PUSH_PROMISE = 5
const PADDED = 8
const ACK = 1

/** Answers a GET at once and a POST once its body has come. */
const start = (): Promise<Http2Server> =>
  serve(stream => {
    if (stream.method === 'POST') collect(stream, () => answer(stream, 'served'))
    else answer(stream, 'served')
  })

const request = (id = 1) => frame(HEADERS, END_HEADERS | END_STREAM, id, get())
/** A request whose body is still to come. */
const upload = (id = 1) => frame(HEADERS, END_HEADERS, id, post())
const bytes = (...values: number[]) => Buffer.from(values)
const settings = (id: number, value: number) => frame(SETTINGS, 0, 0, setting(id, value))

test.each<[section: string, what: string, code: number, ...frames: Uint8Array[]]>([
  ['4.2', 'a frame larger than allowed', FRAME_SIZE_ERROR, upload(), frame(DATA, 0, 1, Buffer.alloc(16_385))],
  [
    '4.3',
    'a header block that is no HPACK',
    COMPRESSION_ERROR,
    frame(HEADERS, END_HEADERS, 1, bytes(0xff, 0xff, 0xff, 0xff, 0x7f)),
  ],
  ['4.3', 'a field of a table that has none', COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, bytes(0xfe))],
  ['4.3', 'a larger table than allowed', COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, bytes(0x3f, 0xe2, 0x1f))],
  ['5.1', 'DATA before HEADERS', PROTOCOL_ERROR, frame(DATA, END_STREAM, 1, bytes(1))],
  ['5.1', 'RST_STREAM before HEADERS', PROTOCOL_ERROR, frame(RST_STREAM, 0, 1, uint32(8))],
  ['5.1', 'WINDOW_UPDATE before HEADERS', PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 1, uint32(1))],
  ['5.1', 'CONTINUATION before HEADERS', PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 1, get())],
  [
    '5.1',
    'DATA after END_STREAM',
    STREAM_CLOSED,
    upload(),
    frame(DATA, END_STREAM, 1),
    frame(DATA, END_STREAM, 1, bytes(1)),
  ],
  ['5.1.1', 'a stream of an even number', PROTOCOL_ERROR, request(2)],
  ['6.1', 'DATA on the connection', PROTOCOL_ERROR, frame(DATA, 0, 0, bytes(1))],
  ['6.1', 'more padding than DATA', PROTOCOL_ERROR, upload(), frame(DATA, PADDED, 1, bytes(9, 1))],
  ['6.2', 'HEADERS on the connection', PROTOCOL_ERROR, frame(HEADERS, END_HEADERS, 0, get())],
  ['6.2', 'more padding than HEADERS', PROTOCOL_ERROR, frame(HEADERS, END_HEADERS | PADDED, 1, bytes(9, 1))],
  [
    '6.2',
    'another frame within a header block',
    PROTOCOL_ERROR,
    frame(HEADERS, 0, 1, get()),
    frame(PING, 0, 0, Buffer.alloc(8)),
  ],
  ['6.2', 'the block of another stream within it', PROTOCOL_ERROR, frame(HEADERS, 0, 1, get()), request(3)],
  ['6.3', 'PRIORITY of a wrong length', FRAME_SIZE_ERROR, frame(PRIORITY, 0, 1, bytes(1, 2, 3, 4))],
  ['6.4', 'RST_STREAM on the connection', PROTOCOL_ERROR, frame(RST_STREAM, 0, 0, uint32(8))],
  ['6.4', 'RST_STREAM of a wrong length', FRAME_SIZE_ERROR, upload(), frame(RST_STREAM, 0, 1, bytes(1, 2, 3))],
  ['6.5', 'SETTINGS on a stream', PROTOCOL_ERROR, frame(SETTINGS, 0, 1)],
  ['6.5', 'SETTINGS of a wrong length', FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, bytes(1, 2, 3))],
  ['6.5', 'an acknowledgement with settings', FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, setting(1, 1))],
  ['6.5.2', 'ENABLE_PUSH of 2', PROTOCOL_ERROR, settings(2, 2)],
  ['6.5.2', 'a window of 2^31', FLOW_CONTROL_ERROR, settings(4, 2 ** 31)],
  ['6.5.2', 'frames below the least size', PROTOCOL_ERROR, settings(5, 16_383)],
  ['6.5.2', 'frames beyond the largest size', PROTOCOL_ERROR, settings(5, 2 ** 24)],
  [
    '6.6',
    'PUSH_PROMISE of a client',
    PROTOCOL_ERROR,
    upload(),
    frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([uint32(2), get()])),
  ],
  ['6.7', 'PING on a stream', PROTOCOL_ERROR, frame(PING, 0, 1, Buffer.alloc(8))],
  ['6.7', 'PING of a wrong length', FRAME_SIZE_ERROR, frame(PING, 0, 0, Buffer.alloc(6))],
  ['6.8', 'GOAWAY on a stream', PROTOCOL_ERROR, frame(GOAWAY, 0, 1, uint32(0, 0))],
  ['6.9', 'a WINDOW_UPDATE of nothing', PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 0, uint32(0))],
  ['6.9', 'WINDOW_UPDATE of a wrong length', FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(1, 2, 3))],
  ['6.9.1', 'a window beyond 2^31 - 1', FLOW_CONTROL_ERROR, frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))],
  ['6.10', 'CONTINUATION after END_HEADERS', PROTOCOL_ERROR, upload(), frame(CONTINUATION, END_HEADERS, 1, get())],
  [
    '6.10',
    'CONTINUATION on the connection',
    PROTOCOL_ERROR,
    frame(HEADERS, 0, 1, get()),
    frame(CONTINUATION, END_HEADERS, 0),
  ],
])('section %s: %s ends the connection with code %d', async (_section, _what, code, ...frames) => {
  await using server = await start()
  const peer = await server.raw()
  peer.send(...frames)
  expect(await peer.goaway()).toBe(code)
})

test.each<[section: string, what: string, code: number, ...frames: Uint8Array[]]>([
  [
    '5.1',
    'HEADERS after END_STREAM',
    STREAM_CLOSED,
    frame(HEADERS, END_HEADERS | END_STREAM, 1, get('/wait')),
    request(),
  ],
  ['6.9', 'a WINDOW_UPDATE of nothing', PROTOCOL_ERROR, upload(), frame(WINDOW_UPDATE, 0, 1, uint32(0))],
  ['6.9.1', 'a window beyond 2^31 - 1', FLOW_CONTROL_ERROR, upload(), frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1))],
  ['8.1', 'trailers without END_STREAM', PROTOCOL_ERROR, upload(), frame(HEADERS, END_HEADERS, 1, block([['x', 'y']]))],
  ['8.1', 'a pseudo-header field among the trailers', PROTOCOL_ERROR, upload(), request()],
])('section %s: %s ends the stream, or the connection, with code %d', async (_section, _what, code, ...frames) => {
  await using server = await serve(stream => {
    if (stream.method === 'POST') collect(stream, () => answer(stream, 'served'))
  })
  const peer = await server.raw()
  peer.send(...frames)
  expect(await Promise.race([peer.reset(1), peer.goaway()])).toBe(code)
})

test.each<[section: string, what: string, ...frames: Uint8Array[]]>([
  ['4.1', 'an unknown flag', frame(PING, 0xfe, 0, Buffer.alloc(8))],
  ['4.1', 'a reserved bit', frame(PING, 0, 2 ** 31, Buffer.alloc(8))],
  ['5.5', 'a frame of an unknown type', frame(0x42, 0, 0, bytes(1, 2, 3))],
  ['5.5', 'one on a stream', upload(3), frame(0x42, 0, 3, bytes(1, 2, 3))],
  ['6.3', 'PRIORITY of a stream that is not there', frame(PRIORITY, 0, 9, bytes(0, 0, 0, 0, 1))],
  ['6.4', 'RST_STREAM with an unknown code', upload(3), frame(RST_STREAM, 0, 3, uint32(0xff))],
  ['6.5.2', 'an unknown setting', settings(0xff, 1)],
  [
    '6.8',
    'frames for a stream that was reset',
    upload(3),
    frame(RST_STREAM, 0, 3, uint32(8)),
    frame(WINDOW_UPDATE, 0, 3, uint32(1)),
  ],
])('section %s: %s does no harm', async (_section, _what, ...frames) => {
  await using server = await start()
  const peer = await server.raw()
  peer.send(...frames, request(11))
  expect((await peer.until(DATA, 11)).payload.toString()).toBe('served')
})

test('padding and priority are taken off, and a block may be split anywhere', async () => {
  await using server = await serve(stream => collect(stream, body => answer(stream, `${stream.target} ${body}`)))
  const peer = await server.raw()
  const head = post('/padded')
  peer.send(
    // Pad length, a stream that it depends on and a weight, then the block in two frames.
    frame(HEADERS, PADDED | 0x20, 1, Buffer.concat([bytes(3, 0, 0, 0, 0, 15), head.subarray(0, 5), bytes(0, 0, 0)])),
    frame(CONTINUATION, END_HEADERS, 1, head.subarray(5)),
    frame(DATA, PADDED | END_STREAM, 1, Buffer.concat([bytes(4), Buffer.from('hello'), Buffer.alloc(4)])),
  )
  expect((await peer.until(DATA, 1)).payload.toString()).toBe('/padded hello')
})
