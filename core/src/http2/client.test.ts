import { once } from 'node:events'
import { createServer as createHttp1Server } from 'node:http'
import { constants } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { Fields } from '../http1/fields.ts'
import { noTimeouts, pool, Recorder, send, upstream } from './client.fixture.ts'
import {
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  GOAWAY,
  HEADERS,
  MAX_CONCURRENT_STREAMS,
  PING,
  type RawPeer,
  RST_STREAM,
  rawServer,
  SETTINGS,
  setting,
  uint32,
} from './raw-peer.fixture.ts'

const head = (id: number, flags = 0, ...more: [string, string][]) =>
  frame(HEADERS, END_HEADERS | flags, id, block([[':status', '200'], ...more]))
const reply = (id: number, text = 'ok') => Buffer.concat([head(id), frame(DATA, END_STREAM, id, Buffer.from(text))])
const origin = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}`

/** Calls back for every request, in order. */
async function requests(peer: RawPeer, each: (id: number, n: number) => void): Promise<void> {
  for (let n = 0; ; n++) each((await peer.until(HEADERS, n * 2 + 1)).id, n)
}

describe('a request', () => {
  test('goes out with Host as :authority and without fields of one hop, and its answer comes back', async () => {
    let list: readonly string[] = []
    await using server = await upstream((stream, got) => {
      list = got
      stream.respond([':status', '201', 'x-a', '1', 'x-a', '2', 'set-cookie', 'a', 'set-cookie', 'b'])
      stream.end('hello')
    })
    await using to = pool(server.origin)
    const got = send(to, {
      method: 'POST',
      target: '/p?q',
      fields: ['X-A', 'b', 'Host', 'h.test', 'Cookie', 'c'],
      bodyLength: 0,
    })
    await got.over
    expect(list).toEqual([
      ':method',
      'POST',
      ':scheme',
      'http',
      ':authority',
      'h.test',
      ':path',
      '/p?q',
      'x-a',
      'b',
      'cookie',
      'c',
      'content-length',
      '0',
      'te',
      'trailers',
    ])
    expect(got).toMatchObject({ status: 201, bodyLength: -1, body: 'hello', events: ['connected', 'head', 'end'] })
    expect([...got.fields].filter(([name]) => name !== 'date')).toEqual([
      ['x-a', '1'],
      ['x-a', '2'],
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
    ])
  })

  test.each([
    ['a method that is none', { method: 'G T' }],
    ['a target with a space', { target: '/a b' }],
    ['a target that is no path', { target: 'http://b/' }],
    ['a target with a line end', { target: '/\r\n' }],
  ])('with %s is not sent', (_, request) => {
    const to = pool('http://127.0.0.1:1')
    expect(() => send(to, request)).toThrow(TypeError)
  })

  test('for an upgrade fails where the upstream takes none', async () => {
    await using server = await upstream(() => {})
    await using to = pool(server.origin)
    const got = send(to, { upgrade: 'websocket' })
    await got.over
    expect(got.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_INVALID' })
  })

  test.each([
    ['with a length', 11],
    ['of unknown length', -1],
  ])('has a body %s, also one that came before the connection', async (_, bodyLength) => {
    await using server = await upstream((stream, list) => {
      stream.respond()
      stream.write(`${list.join(' ').includes('content-length 11')} `)
      stream.pipe(stream)
    })
    await using to = pool(server.origin)
    const got = send(to, { method: 'POST', bodyLength })
    expect(got.stream?.sendData(Buffer.from('hello '))).toBe(false)
    await eventually(() => expect(got.drains).toBe(1))
    expect(got.stream?.sendData(Buffer.from('world'))).toBe(true)
    got.stream?.sendEnd(undefined)
    await got.over
    expect(got.body).toBe(`${bodyLength === 11} hello world`)
  })

  test('has trailers, and so has the answer', async () => {
    await using server = await upstream(stream => {
      let trailers = ''
      stream.on('trailers', fields => {
        trailers = String(fields['x-t'])
      })
      stream.respond({}, { waitForTrailers: true })
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '0', 'x-got': trailers, authorization: 'no' }),
      )
      stream.resume()
      stream.on('end', () => stream.end('body'))
    })
    await using to = pool(server.origin)
    const got = send(to, { method: 'POST', bodyLength: -1 })
    got.stream?.sendData(Buffer.from('x'))
    got.stream?.sendEnd(Fields.from(['X-T', 'v']))
    await got.over
    expect(got).toMatchObject({ body: 'body', status: 200 })
    expect(got.trailers?.toText()).toBe('grpc-status: 0\r\nx-got: v\r\n')
  })

  test('whose body is longer or shorter than announced is given up', async () => {
    const codes: number[] = []
    await using server = await upstream(stream => {
      stream.on('close', () => codes.push(stream.rstCode))
      stream.resume()
    })
    await using to = pool(server.origin)
    for (const text of ['abcdef', 'abc']) {
      const got = send(to, { method: 'POST', bodyLength: 5 })
      await eventually(() => expect(got.events).toContain('connected'))
      got.stream?.sendData(Buffer.from(text))
      got.stream?.sendEnd(undefined)
      await got.over
      expect(got.error?.code).toBe('GATEWAY_INTERNAL')
    }
    await eventually(() => expect(codes).toEqual([constants.NGHTTP2_CANCEL, constants.NGHTTP2_CANCEL]))
  })
})

describe('a response', () => {
  test.each([
    ['HEAD', [':status', 200, 'content-length', '7'], 7],
    ['HEAD', [':status', 200], -1],
    ['GET', [':status', 204], 0],
    ['GET', [':status', 304, 'content-length', '7'], 7],
    ['GET', [':status', 304], -1],
    ['GET', [':status', 200], 0],
    ['GET', [':status', 200, 'content-length', '0'], 0],
  ] as const)('to %s of %j and no body has the length %d', async (method, list, length) => {
    await using server = await upstream(stream => stream.respond(list as never, { endStream: true }))
    await using to = pool(server.origin)
    const got = send(to, { method })
    await got.over
    expect(got).toMatchObject({
      bodyLength: length,
      body: '',
      events: ['connected', 'head', 'end'],
      trailers: undefined,
    })
  })

  test('tells its length, unless trailers are announced', async () => {
    await using server = await upstream((stream, list) => {
      const trailer = list.includes('/trailer') ? ['trailer', 'x'] : []
      stream.respond([':status', 200, 'content-length', '2', ...trailer] as never)
      stream.end('ab')
    })
    await using to = pool(server.origin)
    const [plain, announced] = [send(to), send(to, { target: '/trailer' })]
    await Promise.all([plain.over, announced.over])
    expect([plain.bodyLength, announced.bodyLength]).toEqual([2, -1])
  })

  test('may begin with 1xx', async () => {
    await using server = await upstream(stream => {
      stream.additionalHeaders({ ':status': 100 })
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      stream.respond()
      stream.end()
    })
    await using to = pool(server.origin)
    const got = send(to)
    await got.over
    expect(got.events).toEqual(['connected', '100', '103', 'head', 'end'])
  })

  test.each([
    [32, undefined],
    [33, 'GATEWAY_UPSTREAM_INVALID'],
  ])('begins with %i times 1xx', async (count, code) => {
    await using server = await upstream(stream => {
      for (let n = 0; n < count; n++) stream.additionalHeaders({ ':status': 102 })
      stream.respond()
      stream.end()
    })
    await using to = pool(server.origin)
    const got = send(to)
    await got.over
    expect([got.events.filter(event => event === '102').length, got.error?.code]).toEqual([32, code])
  })

  test('waits for its reader, in bounded room', async () => {
    let sent = 0
    await using server = await upstream(stream => {
      stream.resume()
      stream.respond()
      const push = () => {
        while (sent < 5e6 && stream.write(Buffer.alloc(16_384), () => (sent += 16_384)));
        if (sent >= 5e6) stream.end()
      }
      stream.on('drain', push)
      push()
    })
    await using to = pool(server.origin)
    const got = send(to)
    got.reading = false
    await got.headed
    await eventually(() => expect(sent).toBeGreaterThanOrEqual(131_072))
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(sent).toBeLessThan(300_000)
    const received = got.received
    got.stream?.resumeBody()
    expect(got.received).toBeGreaterThan(received)
    got.reading = true
    got.stream?.resumeBody()
    await got.over
    expect(got.received).toBeGreaterThanOrEqual(5e6)
    expect(got.error).toBeUndefined()
  })

  const breaks: [string, (peer: RawPeer, id: number) => void, string][] = [
    ['reset with an error', (peer, id) => peer.send(frame(RST_STREAM, 0, id, uint32(2))), 'GATEWAY_UPSTREAM_TRUNCATED'],
    ['reset with NO_ERROR', (peer, id) => peer.send(frame(RST_STREAM, 0, id, uint32(0))), 'GATEWAY_UPSTREAM_TRUNCATED'],
    ['the end of the connection', peer => peer.socket.end(), 'GATEWAY_UPSTREAM_TRUNCATED'],
    ['a reset of the connection', peer => peer.socket.resetAndDestroy(), 'GATEWAY_UPSTREAM_TRUNCATED'],
    ['GOAWAY with an error', (peer, id) => peer.send(frame(GOAWAY, 0, 0, uint32(id, 2))), 'GATEWAY_UPSTREAM_TRUNCATED'],
    ['a frame that is none', peer => peer.send(frame(DATA, 0, 0)), 'GATEWAY_UPSTREAM_TRUNCATED'],
  ]
  test.each(breaks)('cut off by %s is never complete', async (_, cut, code) => {
    await using server = await rawServer(async peer => {
      await peer.until(HEADERS, 1)
      peer.send(head(1), frame(DATA, 0, 1, Buffer.from('part')))
      cut(peer, 1)
    })
    await using to = pool(origin(server))
    const got = send(to)
    await got.over
    expect(got).toMatchObject({
      body: 'part',
      events: ['connected', 'head', 'error'],
      error: { code, retryable: false },
    })
  })

  test.each(breaks)('that is whole survives %s while its reader waits', async (_, cut) => {
    await using server = await rawServer(async peer => {
      await peer.until(HEADERS, 1)
      peer.send(head(1), frame(DATA, 0, 1, Buffer.from('all ')), frame(DATA, 0, 1, Buffer.from('of ')))
      peer.send(
        frame(DATA, 0, 1, Buffer.from('it')),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, block([['x-t', '1']])),
      )
      cut(peer, 1)
    })
    await using to = pool(origin(server))
    const got = send(to)
    got.reading = false
    await got.headed
    await eventually(() => expect(to.stats).toMatchObject({ busy: 0 }))
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(got.body).toBe('all ')
    got.reading = true
    got.stream?.resumeBody()
    expect(got).toMatchObject({ body: 'all of it', events: ['connected', 'head', 'end'] })
    expect(got.trailers?.toText()).toBe('x-t: 1\r\n')
  })

  test.each<[string, [string, string][]]>([
    [
      'Connection',
      [
        [':status', '200'],
        ['connection', 'close'],
      ],
    ],
    ['no status', [['x', 'y']]],
    ['a status that is none', [[':status', 'ok']]],
    [
      'upper case in a name',
      [
        [':status', '200'],
        ['X', 'y'],
      ],
    ],
    [
      'two lengths',
      [
        [':status', '200'],
        ['content-length', '1'],
        ['content-length', '2'],
      ],
    ],
    ['101', [[':status', '101']]],
    ['a status that HTTP/1.1 has none of', [[':status', '600']]],
  ])('with %s is invalid', async (_, fields) => {
    await using server = await rawServer(async peer => {
      await peer.until(HEADERS, 1)
      peer.send(frame(HEADERS, END_HEADERS, 1, block(fields)))
    })
    await using to = pool(origin(server))
    const got = send(to)
    await got.over
    expect(got.error?.code).toBe('GATEWAY_UPSTREAM_INVALID')
  })

  test('that is shorter or longer than its Content-Length is cut off', async () => {
    await using server = await rawServer(peer =>
      requests(peer, (id, n) =>
        peer.send(
          head(id, 0, ['content-length', '3']),
          frame(DATA, END_STREAM, id, Buffer.from(n === 0 ? 'ab' : 'abcd')),
        ),
      ),
    )
    await using to = pool(origin(server))
    for (let i = 0; i < 2; i++) {
      const got = send(to)
      await got.over
      expect(got.error?.code).toBe('GATEWAY_UPSTREAM_TRUNCATED')
    }
  })

  test('with a head without end ends the connection, not the process', async () => {
    await using server = await rawServer(async peer => {
      await peer.until(HEADERS, 1)
      peer.send(frame(HEADERS, 0, 1, block([[':status', '200']])))
      for (let n = 0; !peer.closed && n < 1_000; n++) peer.send(frame(CONTINUATION, 0, 1, block([[`x-${n}`, 'y']])))
    })
    await using to = pool(origin(server))
    const got = send(to)
    await got.over
    expect(got.error?.status).toBe(502)
  })

  test('that comes before the request is sent whole is taken, and the rest is not sent', async () => {
    let code = -1
    await using server = await upstream(stream => {
      stream.respond({ ':status': 413 })
      stream.end('no')
      stream.on('close', () => {
        code = stream.rstCode
      })
      stream.resume()
    })
    await using to = pool(server.origin)
    const got = send(to, { method: 'POST', bodyLength: -1 })
    await got.over
    expect(got).toMatchObject({ status: 413, body: 'no' })
    await eventually(() => expect(code).toBe(0))
  })
})

describe('given up', () => {
  test.each(['waiting', 'sent', 'in its body'])(
    'while %s, a request is heard of no more, and CANCEL goes out without END_STREAM',
    async moment => {
      await using server = await rawServer(async peer => {
        await peer.until(HEADERS, 1)
        if (moment === 'in its body') peer.send(head(1), frame(DATA, 0, 1, Buffer.from('x')))
      })
      await using to = pool(origin(server))
      const got = send(to, { method: 'POST', bodyLength: -1 })
      got.stream?.sendData(Buffer.from('part of a body'))
      if (moment !== 'waiting')
        await eventually(() => expect(server.peers[0]?.frames.some(f => f.type === DATA)).toBe(true))
      if (moment === 'in its body') await got.headed
      const before = [...got.events]
      got.stream?.abort()
      expect(to.stats.queued).toBe(0)
      await eventually(() => expect(to.inFlight).toBe(0))
      expect(got.events).toEqual(before)
      if (moment === 'waiting') return
      const peer = server.peers[0]
      expect(await peer?.reset(1)).toBe(constants.NGHTTP2_CANCEL)
      expect(peer?.frames.filter((f: Frame) => f.type === DATA && (f.flags & END_STREAM) !== 0)).toEqual([])
    },
  )

  test('by its reader, which throws', async () => {
    await using server = await rawServer(peer => requests(peer, id => peer.send(reply(id))))
    await using to = pool(origin(server))
    const got = new Recorder()
    got.onData = () => {
      throw new Error('mistake')
    }
    to.request({ method: 'GET', target: '/', fields: Fields.from(['Host', 'h']), bodyLength: 0 }, noTimeouts, got)
    await got.over
    expect(got.error?.code).toBe('GATEWAY_INTERNAL')
    const next = send(to)
    await next.over
    expect(next.body).toBe('ok')
  })
})

describe('timeouts', () => {
  test('of the connection', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using to = pool(origin(server.address() as AddressInfo))
    const got = send(to, {}, { ...noTimeouts, connect: 60 })
    await got.over
    expect(got).toMatchObject({
      error: { code: 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT', retryable: true },
      stream: { untouched: true },
    })
    server.close()
  })

  test('of the head, which ends the stream alone', async () => {
    await using server = await rawServer(peer => requests(peer, (id, n) => n > 0 && peer.send(reply(id))))
    await using to = pool(origin(server))
    const got = send(to, {}, { ...noTimeouts, head: 60 })
    await got.over
    expect(got.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', retryable: false })
    expect(await server.peers[0]?.reset(1)).toBe(constants.NGHTTP2_CANCEL)
    const next = send(to)
    await next.over
    expect(next.body).toBe('ok')
    expect(server.peers).toHaveLength(1)
  })

  test('of the body, and of an upload that is not taken', async () => {
    await using server = await rawServer(peer => requests(peer, (id, n) => n === 0 && peer.send(head(id))))
    await using to = pool(origin(server))
    const times = { ...noTimeouts, idle: 60 }
    const [download, upload] = [send(to, {}, times), send(to, { method: 'POST', bodyLength: 1e6 }, times)]
    upload.stream?.sendData(Buffer.alloc(500_000))
    await Promise.all([download.over, upload.over])
    for (const got of [download, upload]) expect(got.error?.code).toBe('GATEWAY_UPSTREAM_IDLE_TIMEOUT')
  })

  test('do not run while the reader waits', async () => {
    await using server = await rawServer(peer =>
      requests(peer, id => peer.send(head(id), frame(DATA, 0, id, Buffer.from('x')))),
    )
    await using to = pool(origin(server))
    const slow = send(to, {}, { ...noTimeouts, idle: 60 })
    slow.reading = false
    const quick = send(to, {}, { ...noTimeouts, idle: 120 })
    await quick.over
    expect(slow.events).toEqual(['connected', 'head'])
    slow.stream?.abort()
  })
})

describe('sessions', () => {
  test('one carries many requests; more are opened when the upstream allows few', async () => {
    const waiting: (() => void)[] = []
    await using server = await upstream(
      stream => {
        waiting.push(() => {
          stream.respond()
          stream.end('x')
        })
      },
      { settings: { maxConcurrentStreams: 3 } },
    )
    await using to = pool(server.origin, { maxConnections: 2 })
    const first = send(to)
    await eventually(() => expect(waiting).toHaveLength(1))
    const more = Array.from({ length: 9 }, () => send(to))
    await eventually(() => expect(waiting).toHaveLength(6))
    expect(to.stats).toMatchObject({ open: 2, busy: 2, queued: 4, connecting: 0 })
    expect(to.inFlight).toBe(10)
    for (let i = 0; i < 10; i++) {
      await eventually(() => expect(waiting.length).toBeGreaterThan(i))
      waiting[i]?.()
    }
    await Promise.all([first, ...more].map(got => got.over))
    await eventually(() => expect(to.inFlight).toBe(0))
    expect(server.sessions).toHaveLength(2)
  })

  test('a thousand requests at once wait for one connection, and none is refused', async () => {
    let most = 0
    let open = 0
    await using server = await upstream(
      stream => {
        most = Math.max(most, ++open)
        stream.on('close', () => open--)
        setImmediate(() => {
          stream.respond()
          stream.end('x')
        })
      },
      { settings: { maxConcurrentStreams: 20 }, maxSessionMemory: 100 },
    )
    await using to = pool(server.origin, { maxConnections: 1, maxQueued: 1_000 })
    const all = Array.from({ length: 1_000 }, () => send(to))
    await Promise.all(all.map(got => got.over))
    expect(all.filter(got => got.error !== undefined)).toEqual([])
    expect(most).toBeLessThanOrEqual(20)
    expect(server.sessions).toHaveLength(1)
  })

  test('the queue is bounded', async () => {
    await using server = await upstream(() => {}, { settings: { maxConcurrentStreams: 1 } })
    await using to = pool(server.origin, { maxConnections: 1, maxQueued: 1 })
    const first = send(to)
    await eventually(() => expect(first.events).toEqual(['connected']))
    const second = send(to, {}, { ...noTimeouts, connect: 60 })
    const third = send(to)
    await third.over
    await second.over
    expect([second.error?.code, third.error?.code]).toEqual(['GATEWAY_POOL_EXHAUSTED', 'GATEWAY_POOL_EXHAUSTED'])
  })

  test('nothing is sent before the settings have come', async () => {
    let settle: () => void = () => {}
    const server = createServer(socket => {
      socket.on('data', chunk => received.push(Buffer.from(chunk)))
      socket.on('error', () => {})
      settle = () => socket.write(frame(SETTINGS, 0, 0, setting(MAX_CONCURRENT_STREAMS, 1)))
    }).listen(0, '127.0.0.1')
    const received: Buffer[] = []
    await once(server, 'listening')
    await using to = pool(origin(server.address() as AddressInfo), { maxConnections: 1 })
    const [first, second] = [send(to), send(to)]
    await eventually(() => expect(Buffer.concat(received).toString('latin1')).toContain('SM'))
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(first.events).toEqual([])
    settle()
    await eventually(() => expect(first.events).toEqual(['connected']))
    expect(second.events).toEqual([])
    to.destroy()
    server.close()
  })

  test('an idle one is closed, and holds no process while idle', async () => {
    await using server = await upstream(stream => {
      stream.respond()
      stream.end()
    })
    await using to = pool(server.origin, { idleTimeout: 60 })
    await send(to).over
    await eventually(() => expect(to.stats).toEqual({ open: 1, idle: 1, busy: 0, connecting: 0, queued: 0 }))
    await eventually(() => expect(to.stats.open).toBe(0))
  })

  test('an old one takes no more requests', async () => {
    await using server = await upstream(stream => {
      stream.respond()
      stream.end()
    })
    await using to = pool(server.origin, { maxLifetime: 60 })
    await send(to).over
    await new Promise(resolve => setTimeout(resolve, 70))
    await send(to).over
    expect(server.sessions).toHaveLength(2)
  })

  test('one whose upstream is dead is given up', async () => {
    await using server = await rawServer(peer => void peer.until(HEADERS).then(() => peer.socket.pause()))
    await using to = pool(origin(server), { pingInterval: 60, pingTimeout: 60 })
    const got = send(to)
    await eventually(() => expect(got.events).toEqual(['connected']))
    await got.over
    expect(got.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CLOSED', retryable: true })
  })

  test('one whose upstream is only slow is not', async () => {
    let pings = 0
    await using server = await rawServer(async peer => {
      await peer.until(HEADERS)
      const ping = await peer.until(PING)
      pings++
      peer.send(frame(PING, 1, 0, ping.payload))
      peer.send(reply(1))
    })
    await using to = pool(origin(server), { pingInterval: 60 })
    const got = send(to)
    await got.over
    expect([got.body, pings]).toEqual(['ok', 1])
  })

  test('close() lets requests end, destroy() does not', async () => {
    const streams: (() => void)[] = []
    await using server = await upstream(stream => {
      streams.push(() => {
        stream.respond()
        stream.end('late')
      })
    })
    const to = pool(server.origin)
    const got = send(to)
    await eventually(() => expect(streams).toHaveLength(1))
    const closed = to.close()
    streams[0]?.()
    await got.over
    await closed
    expect(got.body).toBe('late')
    const other = pool(server.origin)
    const lost = send(other)
    await eventually(() => expect(streams).toHaveLength(2))
    other.destroy()
    await lost.over
    expect(lost.error?.code).toBe('GATEWAY_UPSTREAM_CLOSED')
    await other.close()
  })
})

test('a connection without requests is closed at GOAWAY, also by an upstream that would keep it', async () => {
  await using server = await upstream(stream => {
    stream.respond()
    stream.end('ok')
  })
  await using to = pool(server.origin)
  await send(to).over
  await eventually(() => expect(to.stats).toMatchObject({ open: 1, idle: 1 }))
  server.sessions[0]?.goaway(0)
  await eventually(() => expect(to.stats).toMatchObject({ open: 0, idle: 0 }))
  await to.close()
})

describe('what the upstream has not looked at', () => {
  test('is sent again when refused, whatever its method', async () => {
    await using server = await rawServer(peer =>
      requests(peer, (id, n) => peer.send(n < 2 ? frame(RST_STREAM, 0, id, uint32(7)) : reply(id))),
    )
    await using to = pool(origin(server))
    const got = send(to, { method: 'POST' })
    await got.over
    expect(got).toMatchObject({ body: 'ok', events: ['connected', 'head', 'end'] })
  })

  test('is sent elsewhere by whoever likes, when it was refused too often', async () => {
    await using server = await rawServer(peer => requests(peer, id => peer.send(frame(RST_STREAM, 0, id, uint32(7)))))
    await using to = pool(origin(server))
    const got = send(to)
    await got.over
    expect(got).toMatchObject({
      error: { code: 'GATEWAY_UPSTREAM_CLOSED', retryable: true },
      stream: { untouched: true },
    })
    expect(server.peers[0]?.frames.filter(f => f.type === HEADERS)).toHaveLength(3)
  })

  test('is sent again with a body that is still there, and not without', async () => {
    await using server = await rawServer(peer =>
      requests(peer, (id, n) => {
        if (n === 0) peer.send(frame(RST_STREAM, 0, id, uint32(7)))
        else void peer.until(DATA, id).then(() => peer.send(frame(RST_STREAM, 0, id, uint32(7))))
      }),
    )
    await using to = pool(origin(server))
    const waiting = send(to, { method: 'POST', bodyLength: 4 })
    await eventually(() => expect(server.peers[0]?.frames.filter(f => f.type === HEADERS)).toHaveLength(2))
    waiting.stream?.sendData(Buffer.from('body'))
    await waiting.over
    expect(waiting).toMatchObject({ error: { code: 'GATEWAY_UPSTREAM_CLOSED' }, stream: { untouched: false } })
  })

  test('is sent on a new connection after GOAWAY, and the others end on the old one', async () => {
    await using server = await rawServer(async (peer, number) => {
      if (number > 1) return requests(peer, id => peer.send(reply(id, 'new')))
      await peer.until(HEADERS, 5)
      peer.send(frame(GOAWAY, 0, 0, uint32(3, 0)))
      await peer.until(GOAWAY)
      peer.send(reply(1, 'old'), reply(3, 'old'))
    })
    await using to = pool(origin(server))
    const all = [send(to), send(to), send(to, { method: 'POST' })]
    await Promise.all(all.map(got => got.over))
    expect(all.map(got => got.body)).toEqual(['old', 'old', 'new'])
  })

  test('is sent again after GOAWAY with an error; what was looked at is lost', async () => {
    await using server = await rawServer(async (peer, number) => {
      if (number > 1) return requests(peer, id => peer.send(reply(id, 'new')))
      await peer.until(HEADERS, 3)
      peer.send(frame(GOAWAY, 0, 0, uint32(1, 11)))
    })
    await using to = pool(origin(server))
    const [first, second] = [send(to), send(to)]
    await Promise.all([first.over, second.over])
    expect(first.error).toMatchObject({ code: 'GATEWAY_UPSTREAM_CLOSED', retryable: true })
    expect(second.body).toBe('new')
  })

  test('a graceful shutdown in two steps loses nothing', async () => {
    await using server = await rawServer(async (peer, number) => {
      if (number > 1) return requests(peer, id => peer.send(reply(id, 'new')))
      await peer.until(HEADERS, 1)
      peer.send(frame(GOAWAY, 0, 0, uint32(2 ** 31 - 1, 0)))
      peer.send(frame(GOAWAY, 0, 0, uint32(1, 0)), reply(1, 'old'))
    })
    await using to = pool(origin(server))
    const first = send(to)
    await first.over
    const second = send(to)
    await second.over
    expect([first.body, second.body]).toEqual(['old', 'new'])
  })
})

describe('an upstream that can not be reached', () => {
  test('because nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const gone = origin(server.address() as AddressInfo)
    server.close()
    await once(server, 'close')
    await using to = pool(gone)
    const all = [send(to), send(to)]
    await Promise.all(all.map(got => got.over))
    for (const got of all) {
      expect(got).toMatchObject({
        error: { code: 'GATEWAY_UPSTREAM_CONNECT', retryable: true },
        stream: { untouched: true },
      })
    }
  })

  test('because it speaks HTTP/1.1 only', async () => {
    const server = createHttp1Server((_request, response) => response.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using to = pool(origin(server.address() as AddressInfo))
    const got = send(to)
    await got.over
    expect(got.error?.code).toBe('GATEWAY_UPSTREAM_CONNECT')
    expect(got.error?.message).toContain("'http1'")
    server.close()
  })

  test('because it hangs up', async () => {
    const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using to = pool(origin(server.address() as AddressInfo))
    const got = send(to)
    await got.over
    expect(got.error?.code).toBe('GATEWAY_UPSTREAM_CONNECT')
    server.close()
  })
})
