import { describe, expect, test } from 'vitest'
import { blackhole } from '../../support/blackhole.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, type RunningGateway, startGateway } from '../../support/gateway.ts'
import type { Message } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { type RawUpstream, rawUpstream, recordingBackend, refusingOrigin } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'

const route = 'all'

/** Answers the first request of each connection with bytes, then does what `after` says. */
function answering(bytes: string, after: (wire: Wire) => void = () => {}): Promise<RawUpstream> {
  return rawUpstream(async wire => {
    await wire.request()
    wire.socket.write(bytes, 'latin1', () => after(wire))
  })
}

const close = (wire: Wire) => wire.socket.end()
const reset = (wire: Wire) => wire.socket.resetAndDestroy()

/** The response was begun and cut off, never made to look whole; the log says why. */
function expectCut({ log }: RunningGateway, response: Message, code: string): void {
  expect({ status: response.status, complete: response.complete }).toEqual({ status: 200, complete: false })
  expect(log.all.filter(line => line.level === 'error').map(line => line.fields.code)).toEqual([code])
  expect(log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([[200, code]])
}

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
    expect(upstream.wires.length).toBe(2)
  })
})

describe('with several targets', () => {
  const bodies = [
    ['GET /', [], ''],
    ['POST /', [], 'a body'],
    ['POST /', ['Transfer-Encoding: chunked'], '6\r\na body\r\n0\r\n\r\n'],
  ] as const

  test.each(bodies)('%s %j goes to the one that is there', async (request, lines, body) => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo([await refusingOrigin(), backend.origin]))
    for (let i = 0; i < 4; i++) expect((await exchange(gateway.port, request, lines, body)).body).toBe('hello')
    expect(backend.requests.map(each => each.body)).toEqual(Array(4).fill(body === '' ? '' : 'a body'))
    expect(gateway.log.all.filter(line => line.level === 'error')).toEqual([])
  })

  test('many at once all go to the one that is there', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo([await refusingOrigin(), backend.origin]))
    const responses = await Promise.all(Array.from({ length: 30 }, () => exchange(port, 'POST /', [], 'x')))
    expect(responses.map(response => response.status)).toEqual(Array(30).fill(200))
  })

  test('the one that is there is found, whatever the weights', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(
      proxyTo([
        { url: await refusingOrigin(), weight: 9 },
        { url: backend.origin, weight: 1 },
      ]),
    )
    for (let i = 0; i < 10; i++) expect((await exchange(port, 'GET /')).status).toBe(200)
  })

  test('the third is tried after two', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo([await refusingOrigin(), await refusingOrigin(), backend.origin]))
    for (let i = 0; i < 6; i++) expect((await exchange(port, 'GET /')).status).toBe(200)
  })

  test('none of which is there, it is a 502', async () => {
    const gateway = await startGateway(proxyTo([await refusingOrigin(), await refusingOrigin()]))
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_CONNECT', { route })
    expect(gateway.log.access.map(({ fields }) => fields.attempts)).toEqual([2])
  })

  test('each attempt bears the Host of its target', async () => {
    const backend = await recordingBackend()
    const { port } = await startGateway(proxyTo([await refusingOrigin(), backend.origin]))
    await exchange(port, 'GET /')
    expect(backend.only.lines.filter(line => /^(host|via|x-forwarded-for):/i.test(line)).toSorted()).toEqual([
      `Host: ${new URL(backend.origin).host}`,
      'Via: 1.1 gateway',
      'X-Forwarded-For: 127.0.0.1',
    ])
  })
})

describe('a kept connection that closes under a request', () => {
  /** Serves one request a connection, then closes it when the next has come; `begun` goes before the close. */
  async function stale(begun = '', late: (wire: Wire) => void = close) {
    const asked: string[] = []
    const upstream = await rawUpstream(async (wire, number) => {
      for (let count = 1; ; count++) {
        asked.push(`${number}: ${(await wire.request()).start}`)
        if (count === 1) wire.send(responseText(200, [], 'hello'))
        else if (begun === '') return late(wire)
        else return void wire.socket.end(begun)
      }
    })
    const gateway = await startGateway(proxyTo(upstream.origin))
    expect((await exchange(gateway.port, 'GET /1')).body).toBe('hello')
    return { gateway, asked }
  }

  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('costs %s one more attempt', async method => {
    for (const end of [close, reset]) {
      const { gateway, asked } = await stale('', end)
      expect((await exchange(gateway.port, `${method} /2`)).status).toBe(200)
      expect(asked.slice(1)).toEqual([`1: ${method} /2 HTTP/1.1`, `2: ${method} /2 HTTP/1.1`])
      expect(gateway.log.access.at(-1)?.fields.attempts).toBe(2)
    }
  })

  test.each(['POST', 'PATCH', 'PURGE'])('is not tried again for %s', async method => {
    const { gateway, asked } = await stale()
    expectProblem(gateway, await exchange(gateway.port, `${method} /2`), 'GATEWAY_UPSTREAM_CLOSED', { route })
    expect(asked.slice(1)).toEqual([`1: ${method} /2 HTTP/1.1`])
  })

  test('is not tried again with a body that is on its way', async () => {
    const { gateway, asked } = await stale()
    expectProblem(gateway, await exchange(gateway.port, 'PUT /2', [], 'body'), 'GATEWAY_UPSTREAM_CLOSED', { route })
    expect(asked.slice(1)).toEqual(['1: PUT /2 HTTP/1.1'])
  })

  test('is not tried again once its response has begun', async () => {
    const { gateway, asked } = await stale('HTTP/1.1 2')
    expectProblem(gateway, await exchange(gateway.port, 'GET /2'), 'GATEWAY_UPSTREAM_CLOSED', { route })
    expect(asked.length).toBe(2)
  })
})

describe('a timeout', () => {
  const silent = () => answering('')

  test.each([
    [{}, 504],
    [{ timeoutStatus: 408 }, 408],
  ])('of the head, with %j, is answered %i', async (settings, status) => {
    const upstream = await silent()
    const gateway = await startGateway({
      ...proxyTo(upstream.origin, { route: { timeout: { head: 60 } } }),
      ...settings,
    })
    const response = await exchange(gateway.port, 'GET /')
    expectProblem(gateway, response, 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', { route, status })
    await upstream.wires[0]?.gone()
  })

  test('of the head is not prolonged by a head that drips in', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send('HTTP/1.1 200 OK\r\n')
      const drip = setInterval(() => wire.send('A: b\r\n'), 10)
      await wire.gone()
      clearInterval(drip)
    })
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: { head: 100 } } }))
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', { route })
  })

  test('of the head does not run while the body is on its way', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(proxyTo(backend.origin, { route: { timeout: { head: 100 } } }))
    const client = await connect(gateway.port)
    client.send(requestText('POST /', ['Content-Length: 4'], 'ab'))
    await (await backend.connection(1)).through('ab')
    await new Promise(resolve => setTimeout(resolve, 250))
    client.send('cd')
    const upstream = await backend.connection(1)
    await upstream.through('cd')
    upstream.send(responseText(200, [], 'hello'))
    expect((await client.response()).body).toBe('hello')
  })

  test('of the connection is a 504', async () => {
    const gateway = await startGateway(proxyTo(await blackhole(), { route: { timeout: { connect: 80 } } }))
    for (const request of ['GET /', 'POST /']) {
      const response = await exchange(gateway.port, request, [], request === 'POST /' ? 'x' : '')
      expectProblem(gateway, response, 'GATEWAY_UPSTREAM_CONNECT_TIMEOUT', { route })
    }
  })

  test('of the connection leads to the next target', async () => {
    const backend = await recordingBackend()
    const gateway = await startGateway(
      proxyTo([await blackhole(), backend.origin], { route: { timeout: { connect: 80 } } }),
    )
    for (let i = 0; i < 2; i++) expect((await exchange(gateway.port, 'POST /', [], 'body')).body).toBe('hello')
    expect(backend.requests.map(request => request.body)).toEqual(['body', 'body'])
  })

  test('between two pieces of a response cuts it off', async () => {
    const upstream = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: { idle: 60 } } }))
    expectCut(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_IDLE_TIMEOUT')
    await upstream.wires[0]?.gone()
  })

  test('ends a body that the upstream does not take', async () => {
    const upstream = await rawUpstream(wire => void wire.socket.pause())
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: { idle: 100 } } }))
    const client = await connect(gateway.port)
    client.send(requestText('POST /', [`Content-Length: ${64 << 20}`]))
    const piece = Buffer.alloc(1 << 20)
    for (let i = 0; i < 64; i++) client.send(piece)
    expectProblem(gateway, await client.response(), 'GATEWAY_UPSTREAM_IDLE_TIMEOUT', { route })
  })

  test('of the whole, before the head, is a 504', async () => {
    const upstream = await silent()
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: 60 } }))
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_TIMEOUT', { route })
    await upstream.wires[0]?.gone()
  })

  test('of the whole, after the head, cuts the response off, also one that still moves', async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const drip = setInterval(() => wire.send('1\r\nx\r\n'), 10)
      await wire.gone()
      clearInterval(drip)
    })
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: { total: 120, idle: '5s' } } }))
    expectCut(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_TIMEOUT')
  })

  test('of the whole takes every attempt together', async () => {
    const gateway = await startGateway(
      proxyTo([await blackhole(), await blackhole()], { route: { timeout: { connect: '5s', total: 100 } } }),
    )
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_TIMEOUT', { route })
  })

  test('of the gateway holds for routes that say nothing', async () => {
    const upstream = await silent()
    const gateway = await startGateway({ ...proxyTo(upstream.origin), timeouts: { head: 60 } })
    expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', { route })
  })
})

describe('a full pool', () => {
  test('refuses what may not wait', async () => {
    const upstream = await answering('')
    const gateway = await startGateway(proxyTo(upstream.origin, { service: { pool: { connections: 1, queue: 0 } } }))
    const first = exchange(gateway.port, 'GET /1')
    const wire = await upstream.connection(1)
    expectProblem(gateway, await exchange(gateway.port, 'GET /2'), 'GATEWAY_POOL_EXHAUSTED', { route })
    wire.send(responseText(200, [], 'first'))
    expect((await first).body).toBe('first')
  })

  test('refuses what has waited as long as a connection may take', async () => {
    const upstream = await answering('')
    const config = proxyTo(upstream.origin, {
      service: { pool: { connections: 1 } },
      route: { timeout: { connect: 80 } },
    })
    const gateway = await startGateway(config)
    const first = exchange(gateway.port, 'GET /1')
    const wire = await upstream.connection(1)
    expectProblem(gateway, await exchange(gateway.port, 'GET /2'), 'GATEWAY_POOL_EXHAUSTED', { route })
    wire.send(responseText(200, [], 'first'))
    expect((await first).body).toBe('first')
  })
})
