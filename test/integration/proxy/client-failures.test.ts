import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, type RunningGateway, startGateway } from '../../support/gateway.ts'
import { lineValue, lineValues } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { type RawUpstream, rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, rawRequest, requestText, responseText, type Wire } from '../../support/wire.ts'

const route = 'all'
const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

async function byHand(
  more: Parameters<typeof proxyTo>[1] = {},
): Promise<{ upstream: RawUpstream; gateway: RunningGateway; client: Wire }> {
  const upstream = await rawUpstream(() => {})
  const gateway = await startGateway(proxyTo(upstream.origin, more))
  return { upstream, gateway, client: await connect(gateway.port) }
}

const ways = [
  ['closes', (client: Wire) => void client.socket.destroy()],
  ['closes its half', (client: Wire) => void client.socket.end()],
  ['resets', (client: Wire) => void client.socket.resetAndDestroy()],
] as const

/** The access line of a request whose client went away, and nothing louder than that. */
async function expectGone({ log }: RunningGateway, status: number): Promise<void> {
  await eventually(() => expect(log.access.length).toBe(1))
  expect(log.access.map(({ level, fields }) => [level, fields.status, fields.code])).toEqual([
    ['info', status, 'GATEWAY_CLIENT_CLOSED'],
  ])
  expect(log.all.filter(line => line.level === 'error' || line.level === 'warn')).toEqual([])
}

describe.each(ways)('a client that %s', (_, leave) => {
  test('before the response cancels the upstream', async () => {
    const { upstream, gateway, client } = await byHand()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    leave(client)
    await server.gone()
    await expectGone(gateway, 0)
  })

  test('within the response cancels the upstream', async () => {
    const { upstream, gateway, client } = await byHand()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send(`${chunkedHead}4\r\nhalf\r\n`)
    await client.through('half')
    leave(client)
    await server.gone()
    await expectGone(gateway, 200)
  })

  test('while it takes nothing of the response cancels the upstream', async () => {
    const { upstream, gateway, client } = await byHand()
    client.socket.pause()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`)
    // Until nothing moves any more: everybody on the way is full.
    const piece = Buffer.alloc(1 << 20)
    for (let i = 0; i < 64; i++) server.send(piece)
    await eventually(() => expect(server.socket.writableLength).toBeGreaterThan(32 << 20))
    leave(client)
    await server.gone()
    await expectGone(gateway, 200)
  })

  test('within its body cancels the upstream, which never sees an end', async () => {
    for (const lines of [['Content-Length: 10'], ['Transfer-Encoding: chunked']]) {
      const { upstream, gateway, client } = await byHand()
      client.send(requestText('POST /', lines, lines[0] === 'Content-Length: 10' ? 'half' : '4\r\nhalf\r\n'))
      const server = await upstream.connection(1)
      await server.through('half')
      leave(client)
      await server.gone()
      expect(server.received).not.toContain('0\r\n')
      await expectGone(gateway, 0)
    }
  })

  test('before there is a connection for it leaves the queue', async () => {
    const { upstream, gateway, client } = await byHand({ service: { pool: { connections: 1 } } })
    const first = exchange(gateway.port, 'GET /first')
    const server = await upstream.connection(1)
    await server.request()
    client.send(requestText('GET /second'))
    await eventually(() => expect(gateway.gateway.generations.map(({ inFlight }) => inFlight)).toEqual([2]))
    leave(client)
    await expectGone(gateway, 0)
    server.send(responseText(200, [], 'first'))
    expect((await first).body).toBe('first')
    const third = exchange(gateway.port, 'GET /third')
    expect((await server.request()).target).toBe('/third')
    server.send(responseText(200, [], 'third'))
    expect((await third).body).toBe('third')
  })
})

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
    expectProblem(gateway, response, 'GATEWAY_UPGRADE_NOT_SUPPORTED')
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

describe('the limits of a listener', () => {
  const limited = (limits: object) => ({ listen: { limits } })

  test('on bodies: by their length', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, limited({ bodySize: 10 })))
    expectProblem(gateway, await exchange(gateway.port, 'POST /', [], 'eleven char'), 'GATEWAY_BODY_TOO_LARGE')
    expect(backend.requests).toEqual([])
    expect((await exchange(gateway.port, 'POST /', [], 'ten chars.')).status).toBe(200)
  })

  test('on bodies: one that waits for 100 is not sent at all', async () => {
    const { upstream, gateway, client } = await byHand(limited({ bodySize: 10 }))
    client.send(requestText('POST /', ['Expect: 100-continue', 'Content-Length: 11']))
    expectProblem(gateway, await client.response(), 'GATEWAY_BODY_TOO_LARGE')
    expect(await client.rest()).toBe('')
    expect(upstream.wires).toEqual([])
  })

  test('on bodies: by what comes of chunks', async () => {
    const { upstream, gateway, client } = await byHand(limited({ bodySize: 10 }))
    client.send(requestText('POST /', ['Transfer-Encoding: chunked'], '5\r\nfirst\r\n'))
    const server = await upstream.connection(1)
    await server.through('first\r\n')
    client.send('6\r\nsecond\r\n')
    const response = await client.response()
    expectProblem(gateway, response, 'GATEWAY_BODY_TOO_LARGE', { route })
    expect(lineValue(response.lines, 'connection')).toBe('close')
    await server.gone()
    expect(server.received).toBe('')
  })

  test('on bodies: chunks may reach the limit', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, limited({ bodySize: 10 })))
    const response = await exchange(
      gateway.port,
      'POST /',
      ['Transfer-Encoding: chunked'],
      'a\r\nten chars.\r\n0\r\n\r\n',
    )
    expect(response.status).toBe(200)
    expect(backend.only.body).toBe('ten chars.')
  })

  test('on heads: their size and number of fields', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, limited({ headSize: 300, headFields: 4 })))
    const ask = (lines: readonly string[]) => exchange(gateway.port, 'GET /', lines)
    expect((await ask(['A: 1', 'B: 2'])).status).toBe(200)
    expectProblem(gateway, await ask(['A: 1', 'B: 2', 'C: 3']), 'GATEWAY_HEAD_TOO_LARGE')
    expectProblem(gateway, await ask([`A: ${'a'.repeat(300)}`]), 'GATEWAY_HEAD_TOO_LARGE')
  })

  test('on time: for a head, however it drips', async () => {
    const gateway = await startGateway(proxyTo('http://127.0.0.1:1', limited({ headTimeout: 100 })))
    const client = await connect(gateway.port)
    client.send('GET / HTTP/1.1\r\n')
    const drip = setInterval(() => client.send('A: b\r\n'), 20)
    const response = await client.response()
    clearInterval(drip)
    expectProblem(gateway, response, 'GATEWAY_REQUEST_TIMEOUT')
  })

  test('on time: between two pieces of a body', async () => {
    const { upstream, gateway, client } = await byHand(limited({ bodyIdleTimeout: 80 }))
    client.send(requestText('POST /', ['Content-Length: 10'], 'half'))
    const server = await upstream.connection(1)
    expectProblem(gateway, await client.response(), 'GATEWAY_REQUEST_TIMEOUT', { route })
    await server.gone()
  })

  test('on time: between two requests', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, limited({ keepAliveTimeout: 60 })))
    const client = await connect(gateway.port)
    client.send(requestText('GET /'))
    await client.response()
    expect(await client.rest()).toBe('')
  })

  test('on time: for a client that takes nothing of its response', async () => {
    const { upstream, gateway, client } = await byHand(limited({ writeIdleTimeout: 100 }))
    client.socket.pause()
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`)
    const piece = Buffer.alloc(1 << 20)
    for (let i = 0; i < 64; i++) server.send(piece)
    await server.gone()
    await expectGone(gateway, 200)
  })

  test.each(['connections', 'connectionsPerClient'])('on %s', async limit => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, limited({ [limit]: 1 })))
    const first = await connect(gateway.port)
    first.send(requestText('GET /1'))
    expect((await first.response()).status).toBe(200)
    const second = await connect(gateway.port)
    await second.gone()
    expect(second.transcript).toBe('')
    first.socket.end()
    await first.gone()
    await eventually(async () => expect((await exchange(gateway.port, 'GET /2')).status).toBe(200))
    expect(backend.requests.map(request => request.target)).toEqual(['/1', '/2'])
  })
})

describe('closing', () => {
  test('lets a request end, and tells its client that it was the last', async () => {
    const { upstream, gateway, client } = await byHand()
    const idle = await connect(gateway.port)
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    const closed = gateway.gateway.close()
    await idle.gone()
    server.send(responseText(200, [], 'last'))
    const response = await client.response()
    expect([response.body, lineValue(response.lines, 'connection')]).toEqual(['last', 'close'])
    await closed
    await server.gone()
  })

  test('cuts off what has not ended within the drain time', async () => {
    const { upstream, gateway, client } = await byHand({ drainTimeout: 80 })
    client.send(requestText('GET /'))
    const server = await upstream.connection(1)
    await server.request()
    await gateway.gateway.close()
    await client.gone()
    await server.gone()
    expect(client.transcript).toBe('')
  })
})
