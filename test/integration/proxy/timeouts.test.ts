import { describe, expect, test } from 'vitest'
import { blackhole } from '../../support/blackhole.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { expectCut } from '../../support/outcome.ts'
import { expectProblem } from '../../support/problem.ts'
import { answering, rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'

const route = 'all'

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
    const upstream = await rawUpstream(() => {})
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { timeout: { head: 60 } } }))
    const client = await connect(gateway.port)
    client.send(requestText('POST /', ['Content-Length: 4'], 'ab'))
    const server = await upstream.connection(1)
    await server.through('\r\n\r\nab')
    // The clock: requests that are whole, and run into the timeout one after the other.
    for (const _ of [1, 2, 3]) {
      expectProblem(gateway, await exchange(gateway.port, 'GET /'), 'GATEWAY_UPSTREAM_HEAD_TIMEOUT', { route })
    }
    client.send('cd')
    await server.through('cd')
    server.send(responseText(200, [], 'hello'))
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
      proxyTo([await blackhole(), await blackhole()], { route: { timeout: { connect: '1s', total: 100 } } }),
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
