import { describe, expect, test } from 'vitest'
import { byHand } from '../../support/by-hand.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, rawRequest, requestText, responseText } from '../../support/wire.ts'

const route = 'all'
describe('a malformed request', () => {
  const huge = 'a'.repeat(20_000)

  test.each([
    ['no version', 'GET /\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a method that is none', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'GATEWAY_VERSION_NOT_SUPPORTED'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'GATEWAY_BAD_REQUEST'],
    ['bare LFs', 'GET / HTTP/1.1\nHost: a\n\n', 'GATEWAY_BAD_REQUEST'],
    ['one bare LF', 'GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a folded field', 'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a field without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a field without a name', 'GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['NUL in a field', 'GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a Host with a user', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a Host with a large port', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a target with a user', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a target of another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a target without a slash', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['an asterisk for GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'one length twice',
      'POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 1\r\nContent-Length: 1\r\n\r\na',
      'GATEWAY_BAD_REQUEST',
    ],
    ['a list of lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na', 'GATEWAY_BAD_REQUEST'],
    ['a length with a sign', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na', 'GATEWAY_BAD_REQUEST'],
    ['a negative length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['a hexadecimal length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na', 'GATEWAY_BAD_REQUEST'],
    [
      'a length beyond counting',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'chunks and a length',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'another coding',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'chunked twice',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    [
      'a coding in disguise',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      'GATEWAY_BAD_REQUEST',
    ],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'GATEWAY_BAD_REQUEST'],
    ['too large a field', `GET / HTTP/1.1\r\nHost: a\r\nA: ${huge}\r\n\r\n`, 'GATEWAY_HEAD_TOO_LARGE'],
    ['too many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(100)}\r\n`, 'GATEWAY_HEAD_TOO_LARGE'],
    ['too long a target', `GET /${huge} HTTP/1.1\r\nHost: a\r\n\r\n`, 'GATEWAY_URI_TOO_LONG'],
  ] as const)('with %s is refused and its connection closed, and nothing goes up', async (_, bytes, code) => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    const client = await connect(gateway.port)
    client.send(bytes)
    const response = await client.response()
    expectProblem(gateway, response, code)
    expect(lineValue(response.lines, 'connection')).toBe('close')
    expect(await client.rest()).toBe('')
    expect(backend.requests).toEqual([])
  })

  test('is the last of its connection: what follows is no request', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    const bytes = `${requestText('GET /first')}BAD\r\n\r\n${requestText('GET /smuggled')}`
    const text = await rawRequest(gateway.port, bytes)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
    expect(backend.requests.map(request => request.target)).toEqual(['/first'])
  })

  test.each([
    ['a size that is none', 'zz\r\n'],
    ['a size with a sign', '+4\r\nbody\r\n'],
    ['a size beyond counting', 'fffffffffffffffff\r\n'],
    ['a chunk that is too long', '4\r\nbodyx\r\n'],
    ['a bare LF after the size', '4\nbody\n'],
    ['a bare LF after the chunk', '4\r\nbody\n0\r\n\r\n'],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
    ['an extension without end', `4;${'x'.repeat(70_000)}`],
  ])('whose chunks have %s is refused, and its upstream sees no end', async (_, chunks) => {
    const { upstream, gateway, client } = await byHand()
    client.send(requestText('POST /', ['Transfer-Encoding: chunked'], '2\r\nok\r\n'))
    const server = await upstream.connection(1)
    await server.through('ok\r\n')
    client.send(chunks)
    const response = await client.response()
    expectProblem(gateway, response, 'GATEWAY_BAD_REQUEST', { route })
    expect(lineValue(response.lines, 'connection')).toBe('close')
    await server.gone()
    expect(server.received).not.toMatch(/(^|\r\n)0\r\n/)
  })
})

describe('several requests on one connection', () => {
  test('sent at once are answered in order, one after the other', async () => {
    const { upstream, client } = await byHand()
    client.send(
      requestText('GET /1') +
        requestText('POST /2', [], 'body') +
        requestText('GET /nowhere/3') +
        requestText('GET /4', ['Connection: close']),
    )
    const server = await upstream.connection(1)
    for (const target of ['/1', '/2', '/nowhere/3', '/4']) {
      expect((await server.request()).target).toBe(target)
      expect(server.received).toBe('')
      server.send(responseText(200, [], target))
      expect((await client.response()).body).toBe(target)
    }
    expect(await client.rest()).toBe('')
    expect(upstream.wires.length).toBe(1)
  })

  test('of HTTP/1.0 need keep-alive', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin))
    const text = await rawRequest(
      port,
      'GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET /3 HTTP/1.0\r\n\r\n',
    )
    expect(text.match(/Connection: .*/g)).toEqual(['Connection: keep-alive', 'Connection: close'])
    expect(backend.requests.map(request => request.target)).toEqual(['/1', '/2'])
  })

  test('are as many as the listener allows', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo(backend.origin, { listen: { limits: { requestsPerConnection: 2 } } }))
    const text = await rawRequest(port, requestText('GET /1') + requestText('GET /2') + requestText('GET /3'))
    expect(text.match(/Connection: .*/g)).toEqual(['Connection: close'])
    expect(backend.requests.map(request => request.target)).toEqual(['/1', '/2'])
  })

  test('go on after errors that leave the framing clear', async () => {
    const gateway = await startGateway({ routes: { a: { match: 'GET /a', reply: { status: 200, body: 'a' } } } })
    const client = await connect(gateway.port)
    client.send(
      requestText('GET /b') + requestText('POST /a', [], 'body') + requestText('GET /%2f') + requestText('GET /a'),
    )
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await client.response()).status)
    expect(statuses).toEqual([404, 405, 400, 200])
  })
})

describe('what is not proxied', () => {
  test.each([
    [
      [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    ],
    [['Connection: keep-alive, upgrade', 'Upgrade: h2c, WebSocket']],
  ])('a WebSocket: %j', async lines => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    const client = await connect(gateway.port)
    client.send(requestText('GET /chat', lines))
    const response = await client.response()
    expectProblem(gateway, response, 'GATEWAY_UPGRADE_NOT_SUPPORTED', { route: 'all' })
    expect(lineValues(response.lines, 'upgrade')).toEqual([])
    client.send(requestText('GET /next'))
    expect((await client.response()).body).toBe('hello')
    expect(backend.only.target).toBe('/next')
  })

  test('an Upgrade that Connection does not name is no upgrade', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    expect((await exchange(gateway.port, 'GET /', ['Upgrade: websocket'])).status).toBe(200)
    expect(lineValues(backend.only.lines, 'upgrade')).toEqual([])
  })

  test.each([
    ['CONNECT', 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n'],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin))
    const client = await connect(gateway.port)
    client.send(bytes)
    expectProblem(gateway, await client.response(), 'GATEWAY_METHOD_NOT_SUPPORTED')
    expect(backend.requests).toEqual([])
  })
})
