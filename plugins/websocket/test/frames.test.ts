import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { lineValue } from '../../../test/support/message.ts'
import { closePayload, frame, openWebSocket, websocketUpstream } from '../../../test/support/websocket.ts'
import type { Wire } from '../../../test/support/wire.ts'
import { carrying, carryingByClock, closing, message, wsClient, wsServer } from './support.ts'

/** Both raw ends of a WebSocket through the gateway. */
async function raw(settings: unknown) {
  const upstream = await websocketUpstream()
  const running = await carrying(upstream.origin, settings)
  const { wire: client } = await openWebSocket(running.port)
  return { ...running, client, server: await upstream.connection(1) }
}

const masked = { mask: true }

/** What no endpoint may send. `fatal`: the code that RFC 6455 has for it, from a client and from a server. */
const odd: readonly [string, (mask: boolean) => string, number][] = [
  ['invalid UTF-8', mask => frame(1, '\xc3\x28', { mask }), 1007],
  ['a wrong mask', mask => frame(1, 'hi', { mask: !mask }), 1002],
  ['a reserved bit', mask => frame(2, 'hi', { mask, rsv: 1 }), 1002],
  ['two reserved bits', mask => frame(2, 'hi', { mask, rsv: 6 }), 1002],
  ['a reserved opcode', mask => frame(3, 'hi', { mask }), 1002],
  ['a reserved control opcode', mask => frame(11, 'hi', { mask }), 1002],
  ['an oversized ping', mask => frame(9, 'x'.repeat(126), { mask }), 1002],
  ['a fragmented ping', mask => frame(9, 'x', { mask, fin: false }), 1002],
  ['a continuation of nothing', mask => frame(0, 'x', { mask }), 1002],
  ['a message within a message', mask => frame(1, 'x', { mask, fin: false }) + frame(1, 'y', { mask }), 1002],
  ['a Close of one byte', mask => frame(8, 'x', { mask }), 1002],
  ['a Close with a code that is none', mask => frame(8, closePayload(1005), { mask }), 1002],
]

/** Reads a Close frame; its code. */
const closeOf = async (wire: Wire) => {
  const [first = '', second = ''] = (await wire.exactly(2)) ?? ''
  expect(first).toBe('\x88')
  const isMasked = second.charCodeAt(0) >= 0x80
  const payload = (await wire.exactly((second.charCodeAt(0) & 0x7f) + (isMasked ? 4 : 0))) ?? ''
  const at = (i: number) => (isMasked ? payload.charCodeAt(4 + i) ^ payload.charCodeAt(i) : payload.charCodeAt(i))
  return at(0) * 256 + at(1)
}

describe('untouched', () => {
  test.each(odd)('%s passes as it is, both ways', async (_, bytes) => {
    const { client, server } = await raw(true)
    client.send(bytes(true))
    expect(await server.exactly(bytes(true).length)).toBe(bytes(true))
    server.send(bytes(false))
    expect(await client.exactly(bytes(false).length)).toBe(bytes(false))
  })

  test('cut at every byte, frames pass as they are', async () => {
    const { client, server } = await raw(true)
    const bytes = frame(1, 'x'.repeat(300), { ...masked, fin: false }) + frame(9, 'p', masked) + frame(0, 'end', masked)
    for (const byte of bytes) client.send(byte)
    expect(await server.exactly(bytes.length)).toBe(bytes)
  })

  test('a close asked for within a frame waits for its end, in each direction', async () => {
    const { client, server, gateway } = await raw(true)
    const outward = frame(1, 'a long one')
    const inward = frame(2, 'another', masked)
    server.send(outward.slice(0, 5))
    client.send(inward.slice(0, 3))
    await Promise.all([client.exactly(5), server.exactly(3)])
    gateway.closeConnection(gateway.connections[0]?.id ?? '')
    server.send(`${outward.slice(5)}${frame(1, 'too late')}`)
    client.send(`${inward.slice(3)}${frame(1, 'too late', masked)}`)
    expect(await client.exactly(outward.length - 5)).toBe(outward.slice(5))
    expect(await server.exactly(inward.length - 3)).toBe(inward.slice(3))
    expect(await closeOf(client)).toBe(1001)
    expect(await closeOf(server)).toBe(1001)
    // Answered by both, it is over at once.
    client.send(frame(8, closePayload(1001), masked))
    server.send(frame(8, closePayload(1001)))
    await Promise.all([client.rest(), server.rest()])
  })

  test('an upstream that breaks off within a frame: the client’s connection ends without a Close', async () => {
    const { client, server } = await raw(true)
    server.send(frame(1, 'hello').slice(0, 4))
    await client.exactly(4)
    server.socket.resetAndDestroy()
    expect(await client.rest()).toBe('')
  })
})

describe('over HTTP/2 (RFC 8441)', () => {
  async function rawStream(settings: unknown) {
    const upstream = await websocketUpstream()
    const { port } = await carrying(upstream.origin, settings)
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    onCleanup('clients', async () => session.destroy())
    await once(session, 'remoteSettings')
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/',
      ':authority': 'a.test',
      'sec-websocket-version': '13',
    })
    stream.on('error', () => {})
    await once(stream, 'response')
    const exactly = async (count: number) => {
      let text = ''
      while (text.length < count) text += (await once(stream, 'data'))[0].toString('latin1')
      return text
    }
    return { stream, exactly, server: await upstream.connection(1) }
  }

  test('frames pass as they are, right or wrong', async () => {
    const { stream, exactly, server } = await rawStream(true)
    const [inward, outward] = [true, false].map(mask => odd.map(([, bytes]) => bytes(mask)).join('')) as [
      string,
      string,
    ]
    stream.write(inward, 'latin1')
    expect(await server.exactly(inward.length)).toBe(inward)
    server.send(outward)
    expect(await exactly(outward.length)).toBe(outward)
  })

  test.each(odd)('frame by frame, %s of a client ends it', async (_, bytes, code) => {
    const { stream, exactly, server } = await rawStream({ frames: {} })
    stream.write(bytes(true), 'latin1')
    const head = await exactly(4)
    expect([head[0], head.charCodeAt(2) * 256 + head.charCodeAt(3)]).toEqual(['\x88', code])
    expect(await closeOf(server)).toBe(1001)
    // Whoever does not answer is waited for.
    server.send(frame(8, closePayload(1001)))
    stream.end()
  })
})

describe('frame by frame', () => {
  test.each(odd)('%s of a client ends it', async (_, bytes, code) => {
    const { client, server } = await raw({ frames: {} })
    client.send(bytes(true))
    expect(await closeOf(client)).toBe(code)
    expect(await closeOf(server)).toBe(1001)
    server.send(frame(8, closePayload(1001)))
    await Promise.all([client.rest(), server.rest()])
  })

  test.each(odd)('%s of an upstream ends it', async (_, bytes, code) => {
    const { client, server } = await raw({ frames: {} })
    server.send(bytes(false))
    expect(await closeOf(server)).toBe(code)
    expect(await closeOf(client)).toBe(1014)
    client.send(frame(8, closePayload(1014), masked))
    await Promise.all([client.rest(), server.rest()])
  })

  test('a message over the limit: 1009, in one frame, in many, and inflated', async () => {
    for (const bytes of [
      frame(2, 'x'.repeat(101), masked),
      frame(2, 'x'.repeat(60), { ...masked, fin: false }) + frame(0, 'x'.repeat(60), masked),
    ]) {
      const { client } = await raw({ frames: { maxMessageSize: 100 } })
      client.send(bytes)
      expect(await closeOf(client)).toBe(1009)
    }
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, { frames: { maxMessageSize: 5_000, compression: true } })
    const socket = await wsClient(port)
    const seen = closing(socket)
    socket.send('x'.repeat(5_001))
    expect((await seen).code).toBe(1009)
  })

  test('more messages in a second than allowed: 1008', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, { frames: { messagesPerSecond: 3 } })
    const socket = await wsClient(port)
    const seen = closing(socket)
    for (let i = 0; i < 6; i++) socket.send('x')
    expect(await seen).toEqual({ code: 1008, reason: 'too many messages' })
  })

  test('each side is asked whether it lives; who does not answer is gone', async () => {
    const upstream = await wsServer(undefined, { autoPong: false })
    const { port, clock } = await carryingByClock(upstream.origin, { frames: {} })
    const accepted = upstream.next()
    const socket = await wsClient(port)
    const pinged = [once(await accepted, 'ping'), once(socket, 'ping')]
    const closed = closing(socket)
    await clock.advance('30s')
    await Promise.all(pinged)
    await clock.advance('10s')
    expect((await closed).code).toBe(1014)
  })

  test('whoever answers stays', async () => {
    const upstream = await wsServer()
    const { port, gateway, clock } = await carryingByClock(upstream.origin, { frames: {} })
    const accepted = upstream.next()
    const socket = await wsClient(port)
    const server = await accepted
    for (let i = 0; i < 4; i++) {
      const answered = [once(server, 'ping'), once(socket, 'ping')]
      await clock.advance('30s')
      await Promise.all(answered)
    }
    await clock.advance('29s')
    expect(gateway.connections).toHaveLength(1)
  })

  test('subprotocols: only those of the route reach the upstream; none left is refused', async () => {
    const offers: string[][] = []
    const upstream = await wsServer(undefined, {
      handleProtocols(protocols) {
        offers.push([...protocols])
        return [...protocols][0] ?? false
      },
    })
    const { port } = await carrying(upstream.origin, { frames: { protocols: ['b', 'c'] } })
    expect((await wsClient(port, {}, ['a', 'b', 'c'])).protocol).toBe('b')
    expect(offers).toEqual([['b', 'c']])
    const { response } = await openWebSocket(port, '/', ['Sec-WebSocket-Protocol: a'])
    expect(response.status).toBe(400)
    expect(response.body).toContain('WEBSOCKET_PROTOCOL_REFUSED')
  })

  test.each([[{ client: true, upstream: false }], [{ client: false, upstream: true }], [true], [false]])(
    'compression %j is agreed on with each side apart',
    async compression => {
      const wants = typeof compression === 'boolean' ? { client: compression, upstream: compression } : compression
      const upstream = await wsServer(undefined, { perMessageDeflate: { threshold: 0 } })
      const { port } = await carrying(upstream.origin, { frames: { compression } })
      const accepted = upstream.next()
      const client = await wsClient(port, { perMessageDeflate: { threshold: 0 } })
      const server = await accepted
      expect([client.extensions, server.extensions]).toEqual([
        wants.client ? 'permessage-deflate' : '',
        wants.upstream ? 'permessage-deflate' : '',
      ])
      const answer = message(client)
      client.send('squeeze '.repeat(1_000))
      expect((await answer).data).toBe('squeeze '.repeat(1_000))
    },
  )

  test('an extension that nobody offered is the upstream’s fault', async () => {
    const upstream = await websocketUpstream(undefined, ['Sec-WebSocket-Extensions: permessage-deflate'])
    const { port } = await carrying(upstream.origin, { frames: {} })
    const { response } = await openWebSocket(port, '/', ['Sec-WebSocket-Extensions: permessage-deflate'])
    expect(response.status).toBe(502)
    expect(lineValue(response.lines, 'sec-websocket-extensions')).toBeUndefined()
  })

  test('onMessage sees both directions, in order, and changes, drops or ends', async () => {
    const seen: [from: string, binary: boolean, text: string][] = []
    const upstream = await wsServer()
    const { port, log } = await carrying(upstream.origin, {
      frames: {
        async onMessage({ from, binary, data }: { from: string; binary: boolean; data: string | Uint8Array }) {
          await new Promise(resolve => setImmediate(resolve))
          const text = data.toString()
          seen.push([from, binary, text])
          if (text === 'bad') throw new Error('bad message')
          if (text === 'drop') return false
          if (from === 'upstream') return undefined
          return binary ? Buffer.from('bytes!') : `${text}!`
        },
      },
    })
    const socket = await wsClient(port)
    const answers: unknown[] = []
    socket.on('message', (data, binary) => answers.push([data.toString(), binary]))
    for (const sent of ['one', 'drop', Buffer.from('two'), 'three']) socket.send(sent)
    await eventually(() =>
      expect(answers).toEqual([
        ['one!', false],
        ['bytes!', true],
        ['three!', false],
      ]),
    )
    expect(seen.filter(([from]) => from === 'client')).toEqual([
      ['client', false, 'one'],
      ['client', false, 'drop'],
      ['client', true, 'two'],
      ['client', false, 'three'],
    ])
    const closed = closing(socket)
    socket.send('bad')
    expect((await closed).code).toBe(1011)
    expect(log.all.some(line => line.level === 'error' && line.message.includes('onMessage failed'))).toBe(true)
  })

  test.each(['client', 'server'] as const)('a %s that stops reading holds a bounded amount', async side => {
    const { client, server } = await raw({ frames: { maxMessageSize: '64kb' } })
    const [sender, reader] = side === 'server' ? [client, server] : [server, client]
    reader.socket.pause()
    const bytes = Buffer.from(frame(2, Buffer.alloc(60_000), { mask: side === 'server' }), 'latin1')
    const total = 1_000
    let sent = 0
    const push = () => {
      while (sent < total) {
        sent++
        if (!sender.socket.write(bytes)) return
      }
    }
    sender.socket.on('drain', push)
    const before = process.memoryUsage().rss
    push()
    let last: number
    do {
      last = sent
      await new Promise(resolve => setTimeout(resolve, 80))
    } while (sent !== last)
    expect(sent).toBeLessThan(total)
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 2 ** 20)
    reader.socket.resume()
    await eventually(() => expect(sent).toBe(total))
  })
})
