import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { expect, test } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { rawUpstream, startUpstream } from '../../support/upstream.ts'
import { acceptText, openWebSocket, sampleAccept, upgradeText, websocketUpstream } from '../../support/websocket.ts'
import { responseText, Wire } from '../../support/wire.ts'
import { http2Upstream, openSession, proxyTo, startHttp2Gateway } from '../http2/gateway.ts'

const route = { onTunnel() {} }

function openStream(session: ClientHttp2Session, more: object = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/chat?x',
    ':authority': 'a.test',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat',
    ...more,
  })
  stream.on('error', () => {})
  return stream
}

const headOf = async (stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> => (await once(stream, 'response'))[0]

async function exactly(stream: ClientHttp2Stream, count: number): Promise<string> {
  let text = ''
  while (text.length < count) text += (await once(stream, 'data'))[0].toString('latin1')
  return text
}

test('an HTTP/2 client gets a tunnel to an HTTP/1.1 upstream', async () => {
  let asked: readonly string[] = []
  const upstream = await websocketUpstream(
    (_, request) => {
      asked = [request.start, ...request.lines]
    },
    ['Sec-WebSocket-Protocol: chat'],
  )
  const gateway = await startHttp2Gateway(proxyTo(upstream.origin, { route }))
  const session = await openSession(gateway.port)
  expect(session.remoteSettings.enableConnectProtocol).toBe(true)
  const stream = openStream(session)
  const head = await headOf(stream)
  expect(head).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' })
  expect(Object.keys(head)).not.toContain('sec-websocket-accept')
  expect(asked[0]).toBe('GET /chat?x HTTP/1.1')
  expect(lineValue(asked, 'upgrade')).toBe('websocket')
  const peer = await upstream.connection(1)
  stream.write('ping')
  expect(await peer.exactly(4)).toBe('ping')
  peer.send('pong')
  expect(await exactly(stream, 4)).toBe('pong')
  expect(gateway.gateway.connections).toMatchObject([{ bytesIn: 4, bytesOut: 4 }])
  // END_STREAM is a FIN, and the other way round.
  stream.end()
  expect(await peer.rest()).toBe('')
  peer.socket.end()
  await once(stream, 'close')
  expect(stream.rstCode).toBe(0)
  // The session goes on.
  const again = openStream(session)
  expect((await headOf(again))[':status']).toBe(200)
  again.close(8)
  await (await upstream.connection(2)).gone()
})

test('an HTTP/2 client learns of an upstream that breaks off', async () => {
  const upstream = await websocketUpstream()
  const gateway = await startHttp2Gateway(proxyTo(upstream.origin, { route }))
  const stream = openStream(await openSession(gateway.port))
  await headOf(stream)
  stream.resume()
  const closed = once(stream, 'close')
  ;(await upstream.connection(1)).socket.resetAndDestroy()
  await closed
})

test('many tunnels share a connection, and closing the gateway ends them and it', async () => {
  const upstream = await websocketUpstream(async wire => {
    for (let byte = await wire.exactly(1); byte !== undefined; byte = await wire.exactly(1)) wire.send(byte)
  })
  const gateway = await startHttp2Gateway(proxyTo(upstream.origin, { route, drainTimeout: 20 }))
  const session = await openSession(gateway.port)
  const streams = Array.from({ length: 5 }, () => openStream(session))
  await Promise.all(streams.map(headOf))
  for (const [i, stream] of streams.entries()) {
    stream.write(String(i))
    expect(await exactly(stream, 1)).toBe(String(i))
  }
  await gateway.gateway.close()
  await eventually(() => expect(session.destroyed).toBe(true))
})

test('an ordinary answer is no tunnel: a refusal passes, a success is an error', async () => {
  let status = 403
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      await wire.request()
      wire.send(responseText(status, [], 'hm'))
    }
  })
  const gateway = await startHttp2Gateway(proxyTo(upstream.origin, { route }))
  const session = await openSession(gateway.port)
  const refused = openStream(session)
  expect((await headOf(refused))[':status']).toBe(403)
  expect(await exactly(refused, 2)).toBe('hm')
  status = 200
  const fooled = openStream(session)
  expect((await headOf(fooled))[':status']).toBe(502)
  fooled.resume()
  refused.resume()
})

test.each([
  ['a protocol that is none here', { ':protocol': 'connect-udp' }, 501],
  ['a version that is none', { 'sec-websocket-version': '12' }, 400],
])('%s is refused', async (_, more, status) => {
  const gateway = await startHttp2Gateway(proxyTo((await startUpstream(() => {})).origin, { route }))
  const stream = openStream(await openSession(gateway.port), more)
  expect((await headOf(stream))[':status']).toBe(status)
  stream.resume()
})

test('an HTTP/2 upstream gets an extended CONNECT, from clients of both versions', async () => {
  const lists: (readonly string[])[] = []
  const origin = await http2Upstream(
    (stream, list) => {
      lists.push(list)
      stream.respond([':status', '200', 'sec-websocket-protocol', 'chat'])
      stream.write('hello')
      stream.on('data', chunk => stream.write(chunk))
      stream.on('end', () => stream.end())
    },
    { settings: { enableConnectProtocol: true } },
  )
  const gateway = await startHttp2Gateway(proxyTo(origin, { route, service: { protocol: 'http2' } }))
  const { wire, response } = await openWebSocket(gateway.port, '/x')
  expect(lineValue(response.lines, 'sec-websocket-accept')).toBe(sampleAccept)
  expect(lineValue(response.lines, 'upgrade')).toBe('websocket')
  expect(await wire.exactly(5)).toBe('hello')
  wire.send('echo')
  expect(await wire.exactly(4)).toBe('echo')
  wire.socket.end()
  await wire.gone()
  expect(lists[0]).toEqual(expect.arrayContaining([':method', 'CONNECT', ':protocol', 'websocket', ':path', '/x']))
  expect(lists[0]).not.toContain('sec-websocket-key')
  const stream = openStream(await openSession(gateway.port))
  const greeted = exactly(stream, 5)
  expect((await headOf(stream))[':status']).toBe(200)
  expect(await greeted).toBe('hello')
  stream.write('two')
  expect(await exactly(stream, 3)).toBe('two')
  stream.close(8)
  await eventually(() => expect(gateway.gateway.connections).toEqual([]))
})

test('an HTTP/2 upstream that takes no tunnels, or refuses', async () => {
  const plain = await http2Upstream(() => {})
  const first = await startHttp2Gateway(proxyTo(plain, { route, service: { protocol: 'http2' } }))
  expect((await openWebSocket(first.port)).response.status).toBe(502)
  const refusing = await http2Upstream(
    stream => {
      stream.respond([':status', '403', 'content-length', '2'])
      stream.end('no')
    },
    { settings: { enableConnectProtocol: true } },
  )
  const second = await startHttp2Gateway(proxyTo(refusing, { route, service: { protocol: 'http2' } }))
  const { response } = await openWebSocket(second.port)
  expect([response.status, response.body]).toEqual([403, 'no'])
})

test('TLS on both sides', async () => {
  const authority = await createAuthority()
  const { cert, key } = await authority.issue({ names: ['DNS:localhost', 'IP:127.0.0.1'] })
  const server = createTlsServer({ cert, key }, async socket => {
    const wire = new Wire(socket)
    wire.send(acceptText(await wire.request()))
    wire.send((await wire.exactly(4)) ?? '')
    await wire.rest()
    socket.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup('upstreams', async () => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const gateway = await startHttp2Gateway(
    proxyTo(`https://127.0.0.1:${port}`, {
      route,
      service: { tls: { ca: authority.cert } },
      listen: { tls: { cert, key } },
    }),
  )
  const socket = connectTls({ port: gateway.port, host: '127.0.0.1', ca: authority.cert, ALPNProtocols: ['http/1.1'] })
  const wire = new Wire(socket)
  wire.send(upgradeText())
  expect((await wire.response()).status).toBe(101)
  wire.send('over')
  expect(await wire.exactly(4)).toBe('over')
  socket.end()
  await wire.gone()
})
