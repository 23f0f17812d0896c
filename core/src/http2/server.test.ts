import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { GatewayError } from '../contract/errors.ts'
import { Fields } from '../http1/fields.ts'
import { answer, collect } from '../http1/server.fixture.ts'
import type { ServerStream } from '../http1/wire.ts'
import {
  block,
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
import { answerOf, ask, serve } from './server.fixture.ts'

const CANCEL = 8
const INTERNAL_ERROR = 2
const PROTOCOL_ERROR = 1

describe('a response', () => {
  test('goes out with its fields, in order and with duplicates, in lower case, without those of one hop', async () => {
    await using server = await serve(stream => {
      const list = [
        'X-A',
        '1',
        'Set-Cookie',
        'a=b',
        'ETag',
        '"x"',
        'Set-Cookie',
        'c=d',
        'X-A',
        '2',
        'Connection',
        'X-B',
        'X-B',
        'no',
        'Keep-Alive',
        'timeout=5',
        'Date',
        'Thu, 01 Jan 1970 00:00:00 GMT',
      ]
      stream.sendHead(200, 'Fine', Fields.from(list), 5)
      stream.sendData(Buffer.from('hello'))
      stream.sendEnd(undefined)
    })
    const { status, raw, body } = await ask(await server.client())
    expect({ status, body }).toEqual({ status: 200, body: 'hello' })
    expect(raw).toEqual([
      ':status', '200', 'x-a', '1', 'set-cookie', 'a=b', 'etag', '"x"', 'set-cookie', 'c=d', 'x-a', '2',
      'date', 'Thu, 01 Jan 1970 00:00:00 GMT', 'content-length', '5',
    ]) // biome-ignore format: one line a pair says nothing more
  })

  test.each([
    ['with a length', 11, undefined],
    ['of unknown length', -1, undefined],
    ['with trailers', -1, Fields.from(['Grpc-Status', '0', 'X-T', 'a', 'X-T', 'b'])],
  ])('%s comes in pieces', async (_, length, trailers) => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), length)
      stream.sendData(Buffer.from('hello '))
      setImmediate(() => {
        stream.sendData(Buffer.from('world'))
        stream.sendEnd(trailers)
      })
    })
    const got = await ask(await server.client())
    expect(got.body).toBe('hello world')
    expect(got.headers['content-length']).toBe(length === -1 ? undefined : '11')
    expect(got.trailers).toEqual(
      trailers === undefined ? undefined : expect.objectContaining({ 'grpc-status': '0', 'x-t': 'a, b' }),
    )
  })

  test('of nothing but trailers', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      stream.sendEnd(Fields.from(['grpc-status', '5']))
    })
    expect((await ask(await server.client())).trailers).toMatchObject({ 'grpc-status': '5' })
  })

  test.each([
    ['HEAD', 200, 7, '7'],
    ['HEAD', 200, 0, '0'],
    ['HEAD', 200, -1, undefined],
    ['HEAD', 304, 7, '7'],
    ['GET', 204, 0, undefined],
    ['GET', 304, 0, undefined],
    ['GET', 205, 0, undefined],
    ['GET', 200, 0, undefined],
  ])('to %s with %d and length %d has no body', async (method, status, length, told) => {
    await using server = await serve(stream => {
      stream.sendHead(status, '', new Fields(), length)
      stream.sendData(Buffer.from('no'.repeat(50)))
      stream.sendEnd(undefined)
    })
    const got = await ask(await server.client(), { ':method': method })
    expect(got).toMatchObject({ status, body: '' })
    expect(got.headers['content-length']).toBe(told)
  })

  test('follows 1xx responses', async () => {
    await using server = await serve(stream => {
      stream.sendInformational(103, Fields.from(['Link', '</a>', 'Link', '</b>', 'Connection', 'x']))
      stream.sendInformational(100, undefined)
      answer(stream, 'done')
      stream.sendInformational(103, undefined)
    })
    const { informational, body } = await ask(await server.client())
    expect(informational).toEqual([
      expect.objectContaining({ ':status': 103, link: '</a>, </b>' }),
      expect.objectContaining({ ':status': 100 }),
    ])
    expect(body).toBe('done')
  })

  test('that is longer or shorter than announced is cut off, never made to look complete', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), 5)
      stream.sendData(Buffer.from('abc'))
      if (stream.target === '/long') stream.sendData(Buffer.from('def'))
      else stream.sendEnd(undefined)
    })
    const client = await server.client()
    for (const path of ['/long', '/short']) {
      await expect(ask(client, { ':path': path })).rejects.toMatchObject({ code: 'ERR_HTTP2_STREAM_ERROR' })
    }
    expect(server.faults).toHaveLength(2)
  })
})

describe('a response that is given up', () => {
  test.each([
    ['upstream', INTERNAL_ERROR],
    ['client', CANCEL],
  ] as const)('for an error of the %s is reset with %d, without END_STREAM', async (source, code) => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), stream.target === '/length' ? 100 : -1)
      stream.sendData(Buffer.from('part'))
      setImmediate(() => stream.abort(new GatewayError('GATEWAY_INTERNAL', 'x', { source })))
    })
    const peer = await server.raw()
    for (const [id, path] of [
      [1, '/length'],
      [3, '/'],
    ] as const) {
      peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, get(path)))
      expect(await peer.reset(id)).toBe(code)
      expect(peer.frames.filter(f => f.id === id && f.type !== RST_STREAM && (f.flags & END_STREAM) !== 0)).toEqual([])
    }
  })

  test('by an exchange that throws is a 500, or cut off once begun', async () => {
    await using server = await serve(stream => {
      if (stream.target === '/late') stream.sendHead(200, '', new Fields(), -1)
      throw new Error('mistake')
    })
    const client = await server.client()
    expect(await ask(client)).toMatchObject({ status: 500, body: 'GATEWAY_INTERNAL' })
    await expect(ask(client, { ':path': '/late' })).rejects.toThrow()
    expect(server.faults).toHaveLength(2)
  })
})

describe('a request body', () => {
  test('comes with its trailers, less what must not come late', async () => {
    await using server = await serve(stream =>
      collect(stream, (body, trailers) => answer(stream, `${stream.bodyLength} ${body} ${trailers?.toText()}`)),
    )
    const client = await server.client()
    const stream = client.request({ ':method': 'POST' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-t': 'v', authorization: 'x', 'content-type': 'y' }))
    stream.end('hello')
    expect((await answerOf(stream)).body).toBe('-1 hello x-t: v\r\n')
  })

  test('with a length says so, and one that does not keep to it is reset', async () => {
    const aborted: string[] = []
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: error => aborted.push(error.code) }
      collect(stream, body => answer(stream, `${stream.bodyLength} ${body}`))
    })
    expect((await ask(await server.client(), { ':method': 'POST', 'content-length': 5 }, 'hello')).body).toBe('5 hello')
    const peer = await server.raw()
    peer.send(
      frame(HEADERS, END_HEADERS, 1, post('/', ['content-length', '5'])),
      frame(DATA, END_STREAM, 1, Buffer.from('abc')),
    )
    expect(await peer.reset(1)).toBe(PROTOCOL_ERROR)
    await eventually(() => expect(aborted).toEqual(['GATEWAY_CLIENT_CLOSED']))
  })

  test.each<[string, Uint8Array]>([
    ['empty DATA', frame(DATA, END_STREAM, 1)],
    ['trailers', frame(HEADERS, END_HEADERS | END_STREAM, 1, block([['x-t', 'v']]))],
  ])('of nothing but %s has ended, also for who reads it late', async (_, end) => {
    const read = Promise.withResolvers<void>()
    await using server = await serve(stream => {
      void read.promise.then(() =>
        collect(stream, (body, trailers) => answer(stream, `${body.length} ${trailers?.toText() ?? 'no trailers'}`)),
      )
    })
    const peer = await server.raw()
    peer.send(frame(HEADERS, END_HEADERS, 1, post()), end, frame(PING, 0, 0, Buffer.alloc(8)))
    await peer.until(PING)
    read.resolve()
    const { payload } = await peer.until(DATA, 1)
    expect(payload.toString()).toMatch(/^0 (no trailers|x-t: v)/)
  })

  test('that nobody reads is held back by flow control', async () => {
    const streams: ServerStream[] = []
    await using server = await serve(stream => streams.push(stream))
    const client = await server.client()
    const request = client.request({ ':method': 'POST' })
    let taken = 0
    const fill = () => {
      while (request.write(Buffer.alloc(16_384), () => (taken += 16_384)));
    }
    request.on('drain', fill)
    fill()
    await eventually(() => expect(taken).toBe(65_536))
    const [stream] = streams
    let received = 0
    let more = 3
    stream?.readBody({
      onData(chunk) {
        received += chunk.length
        return --more > 0
      },
      onEnd() {},
      onError() {},
    })
    await eventually(() => expect(more).toBe(0))
    const before = taken
    // A pause lasts until it is ended.
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(more).toBe(0)
    more = 1e9
    stream?.resumeBody()
    await eventually(() => expect(received).toBeGreaterThan(before + 200_000))
    request.destroy()
  })

  test('that goes on after the response is stopped with NO_ERROR', async () => {
    await using server = await serve(stream => answer(stream, 'too much', 413))
    const client = await server.client()
    const request = client.request({ ':method': 'POST' })
    const chunk = Buffer.alloc(16_384)
    const write = () => {
      while (!request.destroyed && request.writable && request.write(chunk));
    }
    request.on('drain', write)
    write()
    expect(await answerOf(request)).toMatchObject({ status: 413, body: 'too much' })
    expect(server.connections[0]?.idle).toBe(true)
  })

  test('that goes on after a response with trailers is stopped, too, and they come', async () => {
    await using server = await serve(
      stream => {
        stream.sendHead(200, '', new Fields(), -1)
        stream.sendData(Buffer.from('early'))
        stream.sendEnd(Fields.from(['x-t', '1']))
      },
      { maxDiscardedBytes: 1_000 },
    )
    const client = await server.client()
    const request = client.request({ ':method': 'POST' })
    request.write(Buffer.alloc(60_000))
    expect(await answerOf(request)).toMatchObject({ body: 'early', trailers: { 'x-t': '1' } })
  })

  test('that goes on after a response which the client does not take is given up with it, and nothing is sent later', async () => {
    await using server = await serve(stream => answer(stream, 'early'), {
      maxDiscardedBytes: 1_000,
      lingerTimeout: 50,
      writeIdleTimeout: 50,
    })
    const peer = await server.raw()
    const window = (size: number) => frame(SETTINGS, 0, 0, setting(4, size))
    peer.send(window(0), frame(HEADERS, END_HEADERS, 1, post()), frame(DATA, 0, 1, Buffer.alloc(5_000)))
    expect(await peer.reset(1)).toBe(CANCEL)
    peer.send(window(1_000), frame(HEADERS, END_HEADERS | END_STREAM, 3, get()))
    expect((await peer.until(DATA, 3)).payload.toString()).toBe('early')
    expect(peer.frames.filter(f => f.id === 1 && f.type === DATA)).toEqual([])
  })

  test('that does not come in time is a timeout, unless the response has begun', async () => {
    const errors: string[] = []
    await using server = await serve(
      stream => {
        if (stream.target === '/begun') stream.sendHead(200, '', new Fields(), -1)
        stream.readBody({
          onData: () => true,
          onEnd: () => stream.sendEnd(undefined),
          onError(error) {
            errors.push(error.code)
            answer(stream, error.code, error.status)
          },
        })
      },
      { bodyIdleTimeout: 60, lingerTimeout: 60 },
    )
    const client = await server.client()
    const begun = client.request({ ':method': 'POST', ':path': '/begun' })
    const slow = client.request({ ':method': 'POST' })
    slow.write('a')
    expect(await answerOf(slow)).toMatchObject({ status: 408 })
    begun.end('late')
    await answerOf(begun)
    expect(errors).toEqual(['GATEWAY_REQUEST_TIMEOUT'])
  })
})

describe('a client that leaves', () => {
  const moments = {
    'before anything was sent': () => {},
    'while its body is read': (stream: ServerStream) => collect(stream, () => {}),
    'after 1xx': (stream: ServerStream) => stream.sendInformational(103, undefined),
    'after the head': (stream: ServerStream) => stream.sendHead(200, '', new Fields(), -1),
    'within the body': (stream: ServerStream) => {
      stream.sendHead(200, '', new Fields(), 1_000_000)
      stream.sendData(Buffer.alloc(500_000))
    },
  }
  const ways = { CANCEL, NO_ERROR: 0, 'the connection': -1 }
  const cases = Object.entries(moments).flatMap(([moment, act]) =>
    ['GET', 'POST', 'HEAD'].flatMap(method =>
      Object.entries(ways).map(([way, code]) => ({ moment, act, method, way, code })),
    ),
  )

  test.each(cases)('$moment of $method, by $way, is told to the exchange once', async ({ act, method, code }) => {
    const aborts: string[] = []
    let seen = 0
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: error => aborts.push(error.code) }
      act(stream)
      seen++
    })
    const peer = await server.raw()
    const fields =
      method === 'POST'
        ? post()
        : Buffer.from(
            get()
              .toString('latin1')
              .replace('\x03GET', `${String.fromCharCode(method.length)}${method}`),
            'latin1',
          )
    peer.send(frame(HEADERS, END_HEADERS | (method === 'POST' ? 0 : END_STREAM), 1, fields))
    await eventually(() => expect(seen).toBe(1))
    const wholeAlready = method === 'HEAD' && (act === moments['after the head'] || act === moments['within the body'])
    if (code === -1) peer.socket.destroy()
    else peer.send(frame(RST_STREAM, 0, 1, uint32(code)))
    await eventually(() => expect(server.connections[0]?.idle).toBe(true))
    expect(aborts).toEqual(wholeAlready ? [] : ['GATEWAY_CLIENT_CLOSED'])
  })

  test('is told to the reader of its body, too, after the exchange', async () => {
    const heard: string[] = []
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: () => heard.push('abort') }
      stream.readBody({ onData: () => true, onEnd: () => heard.push('end'), onError: () => heard.push('error') })
    })
    const peer = await server.raw()
    peer.send(
      frame(HEADERS, END_HEADERS, 1, post()),
      frame(DATA, 0, 1, Buffer.from('a')),
      frame(RST_STREAM, 0, 1, uint32(0)),
    )
    peer.send(frame(HEADERS, END_HEADERS, 3, post()), frame(DATA, 0, 3, Buffer.from('a')))
    await eventually(() => expect(server.connections[0]?.idle).toBe(false))
    peer.send(frame(RST_STREAM, 0, 3, uint32(0)))
    await eventually(() => expect(server.connections[0]?.idle).toBe(true))
    expect(heard).toEqual(['abort', 'error', 'abort', 'error'])
  })
})

describe('a slow reader', () => {
  test('holds its source back, and is waited for', async () => {
    let drains = 0
    let pushed = 0
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      const push = () => {
        do pushed += 16_384
        while (stream.sendData(Buffer.alloc(16_384)))
      }
      stream.handler = {
        onDrain() {
          drains++
          push()
        },
        onAbort() {},
      }
      push()
    })
    const client = await server.client()
    const request = client.request({})
    request.on('response', () => {})
    await once(request, 'response')
    await eventually(() => expect(pushed).toBeGreaterThan(60_000))
    const stuck = pushed
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(pushed).toBeLessThan(stuck + 200_000)
    const before = drains
    request.on('data', () => {})
    await eventually(() => expect(drains).toBeGreaterThan(before + 5))
    request.destroy()
  })

  test('that takes nothing at all is given up', async () => {
    const aborts: string[] = []
    await using server = await serve(
      stream => {
        stream.handler = { onDrain() {}, onAbort: error => aborts.push(error.message) }
        stream.sendHead(200, '', new Fields(), -1)
        while (stream.sendData(Buffer.alloc(16_384)));
        if (stream.target === '/ended') stream.sendEnd(undefined)
      },
      { writeIdleTimeout: 60 },
    )
    const peer = await server.raw()
    peer.send(
      frame(HEADERS, END_HEADERS | END_STREAM, 1, get()),
      frame(HEADERS, END_HEADERS | END_STREAM, 3, get('/ended')),
    )
    expect(await peer.reset(1)).toBe(CANCEL)
    expect(await peer.reset(3)).toBe(CANCEL)
    expect(aborts).toEqual(['the client takes no more of the response'])
  })
})

describe('a connection', () => {
  test('that sends no request in time is closed', async () => {
    await using server = await serve(stream => answer(stream, 'x'), { headTimeout: 60, lingerTimeout: 60 })
    const peer = await server.raw()
    expect(await peer.goaway()).toBe(0)
    await eventually(() => expect(server.closed()).toBe(1))
  })

  test('that sends nothing at all is closed', async () => {
    await using server = await serve(stream => answer(stream, 'x'), { headTimeout: 60, lingerTimeout: 60 })
    const peer = await server.raw()
    peer.socket.pause()
    await eventually(() => expect(server.closed()).toBe(1))
  })

  test('that is idle after a request is closed, and not before', async () => {
    await using server = await serve(stream => setTimeout(() => answer(stream, 'x'), 150), {
      headTimeout: 20,
      keepAliveTimeout: 60,
      lingerTimeout: 60,
    })
    const client = await server.client()
    expect((await ask(client)).body).toBe('x')
    await once(client, 'close')
  })

  test('drains: streams under way are answered, later ones are not begun, then it closes', async () => {
    const streams: ServerStream[] = []
    await using server = await serve(stream => streams.push(stream))
    const peer = await server.raw()
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
    await eventually(() => expect(streams).toHaveLength(1))
    server.connections[0]?.drain()
    server.connections[0]?.drain()
    const goaway = await peer.until(GOAWAY)
    expect([goaway.payload.readUInt32BE(0), goaway.payload.readUInt32BE(4)]).toEqual([1, 0])
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, get()), frame(PING, 0, 0, Buffer.alloc(8)))
    await peer.until(PING)
    for (const stream of streams) answer(stream, 'late')
    expect((await peer.until(DATA, 1)).payload.toString()).toBe('late')
    await once(peer.socket, 'end')
    expect(streams).toHaveLength(1)
  })

  test('drains at its last allowed request', async () => {
    await using server = await serve(stream => answer(stream, 'x'), { maxRequestsPerConnection: 3 })
    const client = await server.client()
    const closed = once(client, 'close')
    for (let i = 0; i < 3; i++) expect((await ask(client)).body).toBe('x')
    await closed
  })

  test('is destroyed with the streams on it', async () => {
    const aborts: string[] = []
    await using server = await serve(stream => {
      stream.handler = { onDrain() {}, onAbort: error => aborts.push(error.code) }
    })
    const client = await server.client()
    const requests = [client.request(), client.request()]
    for (const request of requests) request.on('error', () => {})
    await eventually(() => expect(server.connections[0]?.idle).toBe(false))
    server.connections[0]?.destroy()
    await once(client, 'close')
    expect(aborts).toEqual(['GATEWAY_CLIENT_CLOSED', 'GATEWAY_CLIENT_CLOSED'])
  })

  test('closed by the client has no other end, even while it takes nothing', async () => {
    await using server = await serve(stream => {
      stream.sendHead(200, '', new Fields(), -1)
      for (let i = 0; i < 100; i++) stream.sendData(Buffer.alloc(16_384))
    })
    const peer = await server.raw()
    peer.socket.pause()
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
    await eventually(() => expect(server.connections[0]?.idle).toBe(false))
    peer.socket.end()
    await eventually(() => expect(server.closed()).toBe(1))
  })

  test('is another protocol than HTTP/2: closed', async () => {
    await using server = await serve(stream => answer(stream, 'x'))
    const peer = await server.raw()
    peer.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.gone()
  })
})

test('many streams are answered in any order', async () => {
  await using server = await serve(stream => {
    setTimeout(() => answer(stream, stream.target), Number(stream.target.slice(1)) % 10)
  })
  const client = await server.client()
  const paths = Array.from({ length: 100 }, (_, i) => `/${i}`)
  const answers = await Promise.all(paths.map(path => ask(client, { ':path': path })))
  expect(answers.map(({ body }) => body)).toEqual(paths)
})

test('a response ends with END_STREAM, also when the window of the client is used up by its last byte', async () => {
  const streams: ServerStream[] = []
  await using server = await serve(stream => {
    streams.push(stream)
    stream.sendHead(200, '', new Fields(), -1)
    stream.sendData(Buffer.alloc(65_535))
  })
  const peer = await server.raw()
  peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get()))
  const taken = () => peer.frames.filter(f => f.type === DATA).reduce((sum, f) => sum + f.payload.length, 0)
  await eventually(() => expect(taken()).toBe(65_535))
  streams[0]?.sendEnd(undefined)
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
  const window = uint32(65_535)
  peer.send(frame(WINDOW_UPDATE, 0, 0, window), frame(WINDOW_UPDATE, 0, 1, window))
  await peer.until(DATA, 1, f => (f.flags & END_STREAM) !== 0)
  expect(peer.frames.filter(f => f.type === RST_STREAM)).toEqual([])
})
