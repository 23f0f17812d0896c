import { createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  RST_STREAM,
  uint32,
} from '../../../core/src/http2/raw-peer.fixture.ts'
import { ask } from '../../../core/src/http2/server.fixture.ts'
import { createAuthority } from '../../support/certificates.ts'
import { makeFolder } from '../../support/folder.ts'
import { listening } from '../../support/listening.ts'
import { startUpstream } from '../../support/upstream.ts'
import { exchange } from '../../support/wire.ts'
import { http2Upstream, openSession, proxyTo, rawHttp2Upstream, startHttp2Gateway } from './gateway.ts'

const authority = await createAuthority()
const { cert, key } = await authority.issue({ names: ['IP:127.0.0.1'] })
const folder = makeFolder()

const http2 = (more: object = {}) => ({ service: { protocol: 'http2', ...more } })

describe('TLS', () => {
  test('HTTP/2 is agreed on by ALPN', async () => {
    const server = createSecureServer({ cert, key })
    let scheme = ''
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      scheme = headers[':scheme'] ?? ''
      stream.respond()
      stream.end('secure')
    })
    const { origin } = await listening(server)
    const { port } = await startHttp2Gateway(proxyTo(origin, http2({ tls: { ca: authority.cert } })))
    expect((await exchange(port, 'GET /')).body).toBe('secure')
    expect(scheme).toBe('https')
  })

  test.each([
    ['that offers HTTP/1.1 only', { ALPNProtocols: ['http/1.1'] }],
    ['that knows no ALPN', {}],
  ])('an upstream %s is not reached, and the log says why', async (_, options) => {
    const server = createHttpsServer({ cert, key, ...options }, (_request, response) => response.end('no'))
    const { origin } = await listening(server)
    const { port, log } = await startHttp2Gateway(proxyTo(origin, http2({ tls: { ca: authority.cert } })))
    const got = await exchange(port, 'GET /')
    expect(got.status).toBe(502)
    expect(JSON.parse(got.body)).toMatchObject({ code: 'GATEWAY_UPSTREAM_CONNECT' })
    const [failure] = log.all.filter(line => line.fields.code === 'GATEWAY_UPSTREAM_CONNECT' && line.level === 'error')
    expect(failure?.message).toMatch(/ALPN|application protocol/i)
  })

  test.each(['http1', 'http2'])(
    '%s: a certificate that is not trusted is refused, unless any is taken',
    async protocol => {
      const server = createSecureServer({ cert, key, allowHTTP1: true }, (_request, response) => response.end())
      const { origin } = await listening(server)
      const statusWith = async (tls: object) => {
        const { port } = await startHttp2Gateway(proxyTo(origin, http2({ protocol, tls })))
        return (await exchange(port, 'GET /')).status
      }
      expect([await statusWith({}), await statusWith({ verify: true }), await statusWith({ verify: false })]).toEqual([
        502, 502, 200,
      ])
    },
  )
})

test('over a Unix socket', async () => {
  const path = join(folder, 'up.sock')
  const server = createServer()
  let authorityGot = ''
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    authorityGot = headers[':authority'] ?? ''
    stream.respond()
    stream.end('local')
  })
  await listening(server, { path })
  const { port } = await startHttp2Gateway(proxyTo(`unix:${path}`, http2()))
  expect([(await exchange(port, 'GET /')).body, authorityGot]).toEqual(['local', 'localhost'])
})

test('an upstream that speaks HTTP/1.1 in clear text is not reached, and the log says why', async () => {
  const { origin } = await startUpstream((_request, response) => response.end('no'))
  const { port, log } = await startHttp2Gateway(proxyTo(origin, http2()))
  expect((await exchange(port, 'GET /')).status).toBe(502)
  expect(log.all.some(line => line.message.includes("is the service's protocol 'http1'?"))).toBe(true)
})

test('a request that is refused is sent again, whatever its method, without the client seeing it', async () => {
  const reply = (id: number) => [
    frame(HEADERS, END_HEADERS, id, block([[':status', '200']])),
    frame(DATA, END_STREAM, id, Buffer.from('ok')),
  ]
  const upstream = await rawHttp2Upstream(async peer => {
    for (let id = 1; ; id += 2) {
      await peer.until(HEADERS, id)
      peer.send(...(id % 4 === 1 ? [frame(RST_STREAM, 0, id, uint32(7))] : reply(id)))
    }
  })
  const { port, log } = await startHttp2Gateway(proxyTo(upstream.origin, http2()))
  for (const method of ['GET', 'POST'])
    expect(await exchange(port, `${method} /`)).toMatchObject({ status: 200, body: 'ok' })
  expect(log.access.map(line => line.fields.attempts)).toEqual([1, 1])
})

test('an upstream that restarts gracefully under load loses no request', async () => {
  let served = 0
  const origin = await http2Upstream(stream => {
    const { session } = stream
    stream.respond()
    setTimeout(() => {
      stream.end('x')
      // GOAWAY after every 40 requests, with others under way.
      if (++served % 40 === 0) session?.close()
    }, 2)
  })
  const { port } = await startHttp2Gateway(proxyTo(origin, http2()))
  const session = await openSession(port)
  const worker = async () => {
    for (let i = 0; i < 40; i++)
      expect(await ask(session, { ':method': 'POST' })).toMatchObject({ status: 200, body: 'x' })
  }
  await Promise.all(Array.from({ length: 25 }, worker))
  expect(served).toBe(1_000)
})

test('idempotent requests survive an upstream that hangs up', async () => {
  let served = 0
  const origin = await http2Upstream(stream => {
    if (++served % 50 === 0) return void stream.session?.destroy()
    stream.respond()
    stream.end('x')
  })
  const { port } = await startHttp2Gateway(proxyTo([origin, origin], http2()))
  const session = await openSession(port)
  let lost = 0
  for (let i = 0; i < 200; i++) if ((await ask(session)).status !== 200) lost++
  expect(lost).toBe(0)
})

test.each(['spdy', 2])('protocol %j is a mistake in the config', async protocol => {
  await expect(startHttp2Gateway(proxyTo('http://127.0.0.1:1', { service: { protocol } }))).rejects.toThrow(/protocol/)
})
