import { pluginSuite } from '@gateway/testing'
import { websocket } from '@gateway/websocket'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { carrying, closing, message, wsClient, wsServer } from './support.ts'

describe('every plugin', () => {
  for (const { name, run } of pluginSuite(() => websocket())) test(name, run)
})

describe.each([
  ['untouched', true],
  ['frame by frame', { frames: { maxMessageSize: '80mb' } }],
  ['frame by frame, compressed', { frames: { maxMessageSize: '80mb', compression: true } }],
])('%s', (_, settings) => {
  test('ws talks to ws: text, binary, empty, large, both ways', async () => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, settings)
    const socket = await wsClient(port)
    for (const sent of ['hello', '', 'ü'.repeat(40_000), Buffer.from([0, 255, 1]), Buffer.alloc(0)]) {
      const answer = message(socket)
      socket.send(sent)
      expect(await answer).toEqual({
        data: Buffer.from(sent).toString('latin1'),
        binary: typeof sent !== 'string',
      })
    }
    expect(gateway.connections).toMatchObject([{ messages: 10 }])
  })

  test('64 MB go both ways', { timeout: 30_000 }, async () => {
    const upstream = await wsServer(undefined, { maxPayload: 80 * 2 ** 20 })
    const { port } = await carrying(upstream.origin, settings)
    const socket = await wsClient(port, { maxPayload: 80 * 2 ** 20 })
    const big = Buffer.alloc(64 * 2 ** 20, 'abcdefg')
    const answer = message(socket)
    socket.send(big)
    expect((await answer).data === big.toString('latin1')).toBe(true)
  })

  test('a fragmented message with a ping in its midst arrives whole, and the ping is answered', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, settings)
    const socket = await wsClient(port)
    const answer = message(socket)
    const pong = new Promise(resolve => socket.once('pong', data => resolve(data.toString())))
    socket.send('one ', { fin: false })
    socket.ping('there?')
    socket.send('two', { fin: true })
    expect(await answer).toEqual({ data: 'one two', binary: false })
    expect(await pong).toBe('there?')
  })

  test.each(['client', 'server'])('a close by the %s arrives with its code and reason', async side => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, settings)
    const accepted = upstream.next()
    const client = await wsClient(port)
    const server = await accepted
    const [first, last] = side === 'client' ? [client, server] : [server, client]
    const seen = Promise.all([closing(first), closing(last)])
    first.close(4321, 'so long')
    expect(await seen).toEqual([
      { code: 4321, reason: 'so long' },
      { code: 4321, reason: 'so long' },
    ])
    await eventually(() => expect(gateway.connections).toEqual([]))
  })

  test('a close without a code has none at the other end', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, settings)
    const accepted = upstream.next()
    const client = await wsClient(port)
    const server = await accepted
    const seen = closing(server)
    client.close()
    expect((await seen).code).toBe(1005)
  })

  test('an upstream that breaks off: 1014', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, settings)
    const accepted = upstream.next()
    const client = await wsClient(port)
    const seen = closing(client)
    ;(await accepted).terminate()
    expect((await seen).code).toBe(1014)
  })

  test('a client that vanishes is gone for the upstream, too', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, settings)
    const accepted = upstream.next()
    const client = await wsClient(port)
    const seen = closing(await accepted)
    client.terminate()
    expect((await seen).code).toBe(1006)
  })

  test('the gateway closes: 1001 to both', async () => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, settings, { drainTimeout: 20 })
    const accepted = upstream.next()
    const client = await wsClient(port)
    const seen = Promise.all([closing(client), closing(await accepted)])
    await gateway.close()
    expect((await seen).map(({ code }) => code)).toEqual([1001, 1001])
  })

  test('an operator closes one of them: 1001 to both, at once', async () => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, settings)
    const accepted = upstream.next()
    const client = await wsClient(port)
    const seen = Promise.all([closing(client), closing(await accepted)])
    expect(gateway.closeConnection(gateway.connections[0]?.id ?? '')).toBe(true)
    expect((await seen).map(({ code }) => code)).toEqual([1001, 1001])
    await eventually(() => expect(gateway.connections).toEqual([]))
  })

  test("a browser's WebSocket (Node's own, by undici)", async () => {
    const upstream = await wsServer(undefined, { handleProtocols: protocols => [...protocols][1] ?? '' })
    const { port } = await carrying(upstream.origin, settings)
    const socket = new globalThis.WebSocket(`ws://127.0.0.1:${port}/chat`, ['one', 'two'])
    socket.binaryType = 'arraybuffer'
    const next = (event: string) =>
      new Promise<Event>(resolve => socket.addEventListener(event, resolve, { once: true }))
    await next('open')
    expect(socket.protocol).toBe('two')
    const answer = next('message')
    socket.send('hello')
    expect(await answer).toMatchObject({ data: 'hello' })
    const closed = next('close')
    socket.close(1000, 'done')
    expect(await closed).toMatchObject({ code: 1000, reason: 'done', wasClean: true })
  })
})
