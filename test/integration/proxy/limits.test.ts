import { describe, expect, test } from 'vitest'
import { byHand } from '../../support/by-hand.ts'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { expectGone } from '../../support/outcome.ts'
import { expectProblem } from '../../support/problem.ts'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText } from '../../support/wire.ts'

const route = 'all'
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
