import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { expectProblem } from '../../support/problem.ts'
import { rawUpstream, recordingBackend, refusingOrigin } from '../../support/upstream.ts'
import { exchange, responseText, type Wire } from '../../support/wire.ts'

const route = 'all'

const close = (wire: Wire) => wire.socket.end()
const reset = (wire: Wire) => wire.socket.resetAndDestroy()

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

  test('is not followed by another of them', async () => {
    // Each connection serves once and closes under its second request; three are kept.
    const waiting: Wire[] = []
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      waiting.push(wire)
      if (waiting.length === 3) for (const other of waiting) other.send(responseText(200, [], 'hello'))
      if (waiting.length > 3) wire.send(responseText(200, [], 'hello'))
      await wire.request()
      wire.socket.end()
    })
    const { port } = await startGateway(proxyTo(upstream.origin))
    await Promise.all([1, 2, 3].map(() => exchange(port, 'GET /1')))
    expect((await exchange(port, 'GET /2')).status).toBe(200)
    expect(waiting.length).toBe(4)
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
