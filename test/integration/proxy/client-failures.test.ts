import { describe, expect, test } from 'vitest'
import { byHand } from '../../support/by-hand.ts'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { expectGone } from '../../support/outcome.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../support/wire.ts'

const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

const ways = [
  ['closes', (client: Wire) => void client.socket.destroy()],
  ['closes its half', (client: Wire) => void client.socket.end()],
  ['resets', (client: Wire) => void client.socket.resetAndDestroy()],
] as const

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
