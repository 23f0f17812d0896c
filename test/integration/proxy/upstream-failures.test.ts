import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { expectCut } from '../../support/outcome.ts'
import { expectProblem } from '../../support/problem.ts'
import { answering, rawUpstream, refusingOrigin } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'

const route = 'all'

const close = (wire: Wire) => wire.socket.end()
const reset = (wire: Wire) => wire.socket.resetAndDestroy()

describe('an upstream that', () => {
  test('refuses connections is a 502, for every method', async () => {
    const origin = await refusingOrigin()
    const gateway = await startGateway(proxyTo(origin))
    for (const request of ['GET /', 'POST /']) {
      const response = await exchange(gateway.port, request, [], request === 'POST /' ? 'x' : '')
      expect(expectProblem(gateway, response, 'GATEWAY_UPSTREAM_CONNECT', { route })).toContain(origin)
    }
    expect(
      gateway.log.access.map(({ fields }) => [fields.status, fields.attempts, fields.code, fields.target]),
    ).toEqual([
      [502, 1, 'GATEWAY_UPSTREAM_CONNECT', origin],
      [502, 1, 'GATEWAY_UPSTREAM_CONNECT', origin],
    ])
  })

  test.each([
    ['resets', reset],
    ['closes', close],
  ])('%s before its response is a 502, and is not asked again', async (_, end) => {
    for (const request of ['GET /', 'POST /']) {
      const upstream = await answering('', end)
      const gateway = await startGateway(proxyTo(upstream.origin))
      const response = await exchange(gateway.port, request, [], request === 'POST /' ? 'body' : '')
      expectProblem(gateway, response, 'GATEWAY_UPSTREAM_CLOSED', { route })
      expect(upstream.wires.length).toBe(1)
    }
  })

  test.each([
    ['resets', reset],
    ['closes', close],
  ])('%s within its head is a 502', async (_, end) => {
    const upstream = await answering('HTTP/1.1 200 OK\r\nContent-Le', end)
    const gateway = await startGateway(proxyTo(upstream.origin))
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_CLOSED', { route })
    expect(upstream.wires.length).toBe(1)
  })

  test.each([
    ['garbage', 'garbage\r\n\r\n'],
    ['a greeting', '220 mail.test ESMTP\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['an HTTP/0.9 page', '<html>hello</html>\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['NUL in a field', 'HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['too large a head', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(300)}\r\n`],
    ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('answers %s is a 502', async (_, bytes) => {
    for (const [request, body] of [
      ['GET /', ''],
      ['POST /', 'body'],
    ] as const) {
      const upstream = await answering(bytes)
      const gateway = await startGateway(proxyTo(upstream.origin))
      const response = await exchange(gateway.port, request, [], body)
      expectProblem(gateway, response, 'GATEWAY_UPSTREAM_INVALID', { route })
      await upstream.wires[0]?.gone()
    }
  })

  test.each([
    ['closes within a length', 'Content-Length: 10\r\n\r\nhalf', close],
    ['resets within a length', 'Content-Length: 10\r\n\r\nhalf', reset],
    ['closes between chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', close],
    ['closes within a chunk', 'Transfer-Encoding: chunked\r\n\r\n9\r\nhalf', close],
    ['closes before the last line', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n', close],
    ['resets between chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', reset],
    ['resets instead of closing', '\r\nhalf', reset],
  ])('%s cuts the response off', async (_, rest, end) => {
    let client: Wire | undefined
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(`HTTP/1.1 200 OK\r\n${rest}`)
      // Reset only once the bytes before are through, for a reset may overtake them.
      await client?.through('half')
      end(wire)
    })
    const gateway = await startGateway(proxyTo(upstream.origin))
    client = await connect(gateway.port)
    client.send(requestText('GET /'))
    await client.gone()
    expect(client.transcript).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(client.transcript).toContain('half')
    expect(client.transcript).not.toMatch(/\r\n0\r\n/)
    expect(gateway.log.all.filter(line => line.level === 'error').map(line => line.fields.code)).toEqual([
      'GATEWAY_UPSTREAM_TRUNCATED',
    ])
    expect(gateway.log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([
      [200, 'GATEWAY_UPSTREAM_TRUNCATED'],
    ])
  })

  test('breaks the chunks cuts the response off', async () => {
    const upstream = await answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    const gateway = await startGateway(proxyTo(upstream.origin))
    const client = await connect(gateway.port)
    client.send(requestText('GET /'))
    const response = client.response()
    // What is cut off before it has gone out may not go out at all.
    await eventually(() => expect(client.transcript).toContain('half'))
    upstream.wires[0]?.send('zz\r\n')
    expectCut(gateway, await response, 'GATEWAY_UPSTREAM_INVALID')
  })

  test('cuts a response to HTTP/1.0 off, which then ends in a reset', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
      await client.through('half')
      wire.socket.end()
    })
    const gateway = await startGateway(proxyTo(upstream.origin))
    const client = await connect(gateway.port)
    client.send('GET / HTTP/1.0\r\n\r\n')
    await client.gone()
    expect(client.errorCode).toBe('ECONNRESET')
  })

  test('sends more than its response loses the connection, and nobody sees the rest', async () => {
    const upstream = await answering(`${responseText(200, [], 'first')}${responseText(200, [], 'poison')}`)
    const gateway = await startGateway(proxyTo(upstream.origin))
    const client = await connect(gateway.port)
    client.send(requestText('GET /1'))
    expect((await client.response()).body).toBe('first')
    await (await upstream.connection(1)).gone()
    client.send(requestText('GET /2'))
    expect((await client.response()).body).toBe('first')
    await expect(upstream.wires.length).toBe(2)
  })
})
