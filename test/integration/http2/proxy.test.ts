import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { answerOf, ask } from '../../../core/src/http2/server.fixture.ts'
import { recordingBackend, startUpstream } from '../../support/upstream.ts'
import { exchange, responseText } from '../../support/wire.ts'
import { http2Upstream, openSession, proxyTo, startHttp2Gateway } from './gateway.ts'

const http2 = { service: { protocol: 'http2' } }
const pairs = (list: readonly string[]) => list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]]] : []))

describe('HTTP/2 to HTTP/1.1', () => {
  test('a request becomes one of HTTP/1.1, byte for byte as it should be', async () => {
    const backend = await recordingBackend()
    const { port } = await startHttp2Gateway(proxyTo(backend.origin))
    const session = await openSession(port)
    await ask(session, {
      ':path': '/a%2db?c=d',
      ':authority': 'shop.test:81',
      'x-a': ['1', '2'],
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
      'x-forwarded-for': '6.6.6.6',
      x_forwarded_for: '6.6.6.6',
      via: '1.1 before',
    })
    const { start, lines } = backend.only
    expect(start).toBe('GET /a-b?c=d HTTP/1.1')
    const sent = lines.map(line => line.toLowerCase()).filter(line => !line.startsWith('x-request-id'))
    expect(sent.sort()).toEqual(
      [
        `host: ${new URL(backend.origin).host}`,
        'x-a: 1',
        'x-a: 2',
        'cookie: a=1; b=2',
        'via: 1.1 before',
        'via: 2 gateway',
        'x-forwarded-for: 127.0.0.1',
        'x-forwarded-host: shop.test:81',
        'x-forwarded-proto: http',
        'x-real-ip: 127.0.0.1',
      ].sort(),
    )
  })

  test('bodies of known and of unknown length, and trailers of chunks', async () => {
    const backend = await recordingBackend(
      () =>
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\nConnection: x-h\r\nx-h: 1\r\n\r\n2\r\nab\r\n0\r\nx-t: v\r\n\r\n',
    )
    const { port } = await startHttp2Gateway(proxyTo(backend.origin))
    const session = await openSession(port)
    const got = await ask(session, { ':method': 'POST', 'content-length': 5 }, 'hello')
    expect(got).toMatchObject({ status: 200, body: 'ab', trailers: { 'x-t': 'v' } })
    expect(Object.keys(got.headers)).not.toContain('x-h')
    const stream = session.request({ ':method': 'POST' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-up': 'w', host: 'evil' }))
    stream.end('world')
    await answerOf(stream)
    expect(backend.requests.map(({ body }) => body)).toEqual(['hello', 'world'])
    expect(backend.requests[0]?.lines.join()).toMatch(/content-length: 5/i)
    expect(backend.requests[1]?.lines.join()).toMatch(/transfer-encoding: chunked/i)
    expect(backend.wires[0]?.transcript.endsWith('0\r\nx-up: w\r\n\r\n')).toBe(true)
  })

  test('HEAD, 204, 304 and a reason', async () => {
    const answers: Record<string, string> = {
      HEAD: 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n',
      GET: 'HTTP/1.1 204 Nothing\r\n\r\n',
      PUT: 'HTTP/1.1 304 Same\r\nETag: "x"\r\n\r\n',
      POST: responseText(299, [], 'odd'),
    }
    const backend = await recordingBackend(({ start }) => answers[start.split(' ')[0] ?? ''] ?? '')
    const { port } = await startHttp2Gateway(proxyTo(backend.origin))
    const session = await openSession(port)
    const send = (method: string) => ask(session, { ':method': method })
    expect(await send('HEAD')).toMatchObject({ status: 200, body: '', headers: { 'content-length': '7' } })
    expect(await send('GET')).toMatchObject({ status: 204, body: '' })
    expect(await send('PUT')).toMatchObject({ status: 304, body: '', headers: { etag: '"x"' } })
    expect(await send('POST')).toMatchObject({ status: 299, body: 'odd' })
  })

  test('1xx, and 100-continue from end to end', async () => {
    const upstream = await startUpstream((request, response) => {
      if (request.headers.expect === undefined) {
        response.writeEarlyHints({ link: '</a>' })
        response.end('hints')
      }
    })
    const { port } = await startHttp2Gateway(proxyTo(upstream.origin))
    const session = await openSession(port)
    const hinted = await ask(session)
    expect(hinted.informational).toEqual([expect.objectContaining({ ':status': 103, link: '</a>' })])
    const backend = await startUpstream((request, response) => {
      let body = ''
      request.on('data', piece => (body += piece)).on('end', () => response.end(body))
    })
    const second = await startHttp2Gateway(proxyTo(backend.origin))
    const other = await openSession(second.port)
    const stream = other.request({ ':method': 'POST', expect: '100-continue' })
    stream.on('continue', () => stream.end('after'))
    expect((await answerOf(stream)).body).toBe('after')
  })

  test.each([
    ['a route that is not there', { ':path': '/none' }, 404, 'GATEWAY_ROUTE_NOT_FOUND'],
    ['an authority that is none', { ':authority': 'a b' }, 400, undefined],
    ['an authority with a user', { ':authority': 'u@a' }, 400, undefined],
    ['a path with an encoded slash', { ':path': '/a%2fb' }, 400, 'GATEWAY_BAD_PATH'],
    ['a path with dot segments', { ':path': '/a/../b' }, 400, 'GATEWAY_BAD_PATH'],
    ['a fragment', { ':path': '/#x' }, 400, 'GATEWAY_BAD_PATH'],
    ['CONNECT', { ':method': 'CONNECT', ':authority': 'a.test:443' }, 501, 'GATEWAY_METHOD_NOT_SUPPORTED'],
    ['TRACE', { ':method': 'TRACE' }, 501, 'GATEWAY_METHOD_NOT_SUPPORTED'],
  ])('%s is a problem', async (_, headers, status, code) => {
    const { port } = await startHttp2Gateway({ routes: { all: { match: 'ANY /a/*', reply: { status: 200 } } } })
    const session = await openSession(port)
    const got = await ask(session, headers).catch(error => ({ status: 400, body: '{}', error }))
    expect(got.status).toBe(status)
    if (code !== undefined) expect(JSON.parse(got.body)).toMatchObject({ code, status })
  })

  test('an early answer to a body that goes on is not lost', async () => {
    const { port } = await startHttp2Gateway(proxyTo('http://127.0.0.1:1', { listen: { limits: { bodySize: 1_000 } } }))
    const session = await openSession(port)
    const stream = session.request({ ':method': 'POST', 'content-length': 10_000_000 })
    stream.write(Buffer.alloc(300_000))
    const got = await answerOf(stream)
    expect(got).toMatchObject({ status: 413, headers: { 'content-type': 'application/problem+json' } })
  })
})

describe('HTTP/1.1 to HTTP/2', () => {
  test('Host becomes :authority, fields of one hop stay behind, the reason is the standard one', async () => {
    let list: readonly string[] = []
    const origin = await http2Upstream((stream, got) => {
      list = got
      stream.respond({ ':status': 201, 'x-a': ['1', '2'] })
      stream.end('made')
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, http2))
    const got = await exchange(
      port,
      'POST /p?q',
      [
        'Host: shop.test',
        'Transfer-Encoding: chunked',
        'Connection: x-h, keep-alive',
        'Keep-Alive: 5',
        'X-H: 1',
        'Upgrade: h2c',
        'TE: gzip',
        'X-Mixed: Case',
      ],
      '2\r\nab\r\n0\r\n\r\n',
    )
    expect(got.start).toBe('HTTP/1.1 201 Created')
    expect(got.body).toBe('made')
    const sent = pairs(list)
    expect(sent.slice(0, 4)).toEqual([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', new URL(origin).host],
      [':path', '/p?q'],
    ])
    const names = sent.slice(4).map(([name]) => name)
    expect(
      names.filter(name =>
        /^(host|connection|keep-alive|x-h|upgrade|transfer-encoding|content-length)$/.test(name ?? ''),
      ),
    ).toEqual([])
    expect(sent).toContainEqual(['te', 'trailers'])
    expect(sent).toContainEqual(['x-mixed', 'Case'])
    expect(sent).toContainEqual(['via', '1.1 gateway'])
    expect(sent).toContainEqual(['x-forwarded-host', 'shop.test'])
  })

  test('preserveHost keeps the authority', async () => {
    let authority = ''
    const origin = await http2Upstream((stream, list) => {
      authority = list[list.indexOf(':authority') + 1] ?? ''
      stream.respond()
      stream.end()
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, { service: { protocol: 'http2', preserveHost: true } }))
    await exchange(port, 'GET /', ['Host: shop.test:81'])
    expect(authority).toBe('shop.test:81')
  })

  test('trailers both ways, and 1xx', async () => {
    const origin = await http2Upstream(stream => {
      let trailers = {}
      stream.on('trailers', fields => {
        trailers = { 'x-got': fields['x-t'] }
      })
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      stream.respond({}, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      stream.resume()
      stream.on('end', () => stream.end('body'))
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, http2))
    const got = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest({ port, agent: false, method: 'POST', headers: { trailer: 'x-t' } }, resolve)
      request.on('error', reject)
      request.write('a')
      request.addTrailers({ 'x-t': 'v' })
      request.end()
    })
    let body = ''
    for await (const piece of got) body += piece
    expect([body, got.trailers]).toEqual(['body', { 'x-got': 'v' }])
  })
})

describe('HTTP/2 to HTTP/2', () => {
  test('gRPC passes: messages both ways while both are open, metadata, trailers', async () => {
    const origin = await http2Upstream((stream, list) => {
      expect(list).toContain('te')
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'bin-bin': ['AA', 'BB'] }))
      stream.on('data', piece => stream.write(`<${piece}>`))
      stream.on('end', () => stream.end())
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, http2))
    const session = await openSession(port)
    const stream = session.request({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      'a-bin': 'AAEC',
    })
    const all = answerOf(stream)
    for (const message of ['one', 'two', 'three']) {
      stream.write(message)
      await new Promise(resolve => stream.once('data', resolve))
    }
    stream.end()
    const got = await all
    expect(got).toMatchObject({ body: '<one><two><three>', trailers: { 'grpc-status': '0', 'bin-bin': 'AA, BB' } })
    expect(got.headers['content-length']).toBeUndefined()
  })

  test('an answer that is nothing but a head ends with it (gRPC Trailers-Only)', async () => {
    const origin = await http2Upstream(stream =>
      stream.respond({ 'grpc-status': '5', 'grpc-message': 'no' }, { endStream: true }),
    )
    const { port } = await startHttp2Gateway(proxyTo(origin, http2))
    const session = await openSession(port)
    const stream = session.request({ ':method': 'POST' })
    let flags = 0
    stream.on('response', (_headers, got) => {
      flags = got
    })
    stream.end('x')
    const got = await answerOf(stream)
    expect(flags & 1).toBe(1)
    expect(got.headers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'no' })
    expect(got.headers['content-length']).toBeUndefined()
  })

  test('many streams share one connection to the upstream', async () => {
    const sessions = new Set<unknown>()
    const origin = await http2Upstream((stream: ServerHttp2Stream) => {
      sessions.add(stream.session)
      stream.respond()
      setImmediate(() => stream.end('x'))
    })
    const { port } = await startHttp2Gateway(proxyTo(origin, http2))
    const session = await openSession(port)
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => ask(session)))
      expect(answers.filter(({ body }) => body !== 'x')).toEqual([])
    }
    expect(sessions.size).toBe(1)
  })
})

test('a plugin that changes bodies and heads sees no difference', async () => {
  const origin = await http2Upstream(stream => {
    stream.respond([':status', '200', 'content-length', '3'])
    stream.end('abc')
  })
  const config = proxyTo(origin, {
    service: { protocol: 'http2' },
    route: {
      onResponse: (_ctx: unknown, head: { headers: { set(name: string, value: string): void } }) =>
        head.headers.set('X-Seen', 'yes'),
      onResponseBody: () => ({
        push: (chunk: Uint8Array) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
        end: () => Buffer.from('!'),
      }),
    },
  })
  const { port } = await startHttp2Gateway(config)
  const got = await ask(await openSession(port))
  expect(got).toMatchObject({ body: 'ABC!', headers: { 'x-seen': 'yes' } })
  expect(got.headers['content-length']).toBeUndefined()
})
