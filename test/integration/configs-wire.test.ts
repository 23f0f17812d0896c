import { copyFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../support/certificates.ts'
import { openStream } from '../support/event-client.ts'
import { makeFolder } from '../support/folder.ts'
import { type LooseConfig, startGateway } from '../support/gateway.ts'
import { listening } from '../support/listening.ts'
import { frame, openWebSocket, upgradeText } from '../support/websocket.ts'
import { requestText } from '../support/wire.ts'
import { connectTls, failure, getTls } from './listen/tls-client.ts'
import { ask, textOf } from './yaml/ask.ts'
import { startBackend } from './yaml/backend.ts'
import { loadFile, onFreePorts } from './yaml/load-yaml.ts'

const folder = join(import.meta.dirname, '../../configs')

/** A folder of certificates as the examples name them. */
const certs = makeFolder()
const authority = await createAuthority()
const copy = (from: { readonly certFile: string; readonly keyFile: string }, name: string) => {
  copyFileSync(from.certFile, join(certs, `${name}.crt`))
  copyFileSync(from.keyFile, join(certs, `${name}.key`))
}
copy(await authority.issue({ names: ['DNS:gateway.test'] }), 'server')
copy(await authority.issue({ subject: '/CN=gateway' }), 'gateway')
copy(authority, 'clients-ca')
copy(authority, 'upstreams-ca')
const client = await authority.issue({ subject: '/CN=ada' })
const ledger = await authority.issue({ names: ['DNS:ledger.internal'] })

afterEach(() => void vi.unstubAllEnvs())

/** The config with a server for each target, which tells the target's port; and the ports that the gateway listens on. */
async function started(file: string, serve = startBackend): Promise<readonly number[]> {
  vi.stubEnv('CERTS', certs)
  const config = onFreePorts(await loadFile(join(folder, file)))
  const ports = new Map<string, Promise<number>>()
  const local = async (origin: string) => {
    const { protocol, port } = new URL(origin)
    const known = ports.get(port) ?? serve(port)
    ports.set(port, known)
    return `${protocol}//127.0.0.1:${await known}`
  }
  const services: Record<string, LooseConfig> = {}
  for (const [name, service] of Object.entries(config.services as Record<string, LooseConfig>)) {
    const targets = (service.targets as (string | { url: string })[]).map(async target =>
      typeof target === 'string' ? local(target) : { ...target, url: await local(target.url) },
    )
    services[name] = { ...service, targets: await Promise.all(targets) }
  }
  const { gateway } = await startGateway({ ...config, services })
  return gateway.addresses.map(({ port }) => port)
}

describe.each(['ts', 'yaml'])('.%s', kind => {
  test('base/gateway: methods, the most specific path, balancing by weight, a limit for bodies', async () => {
    const [port = 0] = await started(`base/gateway.${kind}`)
    expect(await textOf(port, 'GET /api/orders/7?a=b')).toMatch(/^300[01] GET \/api\/orders\/7\?a=b$/)
    expect(await textOf(port, 'POST /api/orders/')).toMatch(/^300[01] POST/)
    const names = await Promise.all(Array.from({ length: 9 }, async () => (await textOf(port, 'PUT /a')).slice(0, 4)))
    expect(names.toSorted()).toEqual([...Array(6).fill('3000'), ...Array(3).fill('3001')])
    expect((await ask(port, 'POST /upload', [], 'x'.repeat(1_048_577))).status).toBe(413)
  })

  test('dev/gateway: the app with its WebSockets, the API with its events, under one origin', async () => {
    const [port = 0] = await started(`dev/gateway.${kind}`)
    expect(await textOf(port, 'GET /index.html')).toBe('5173 GET /index.html')
    expect(await textOf(port, 'PATCH /api/users/7')).toBe('3000 PATCH /users/7')
    const stream = await openStream(port, { accept: 'text/event-stream' }, '/api/events')
    await stream.until('3000')
    expect(stream.answer.headers['x-accel-buffering']).toBe('no')
    stream.leave()
    const { wire, response } = await openWebSocket(port, '/', ['Origin: http://localhost:5173'])
    expect(response.status).toBe(101)
    await echoes(wire)
  })

  test('tls: HTTP/2 and HTTP/1.1, and WebSockets on a port of TLS 1.3', async () => {
    const [https = 0, wss = 0] = await started(`examples/tls.${kind}`)
    const trusting = { ca: authority.cert, servername: 'gateway.test', rejectUnauthorized: true }
    expect(await getTls(https, trusting)).toMatchObject({ status: 200, body: '3001 GET /' })
    const { socket } = await connectTls(https, { ...trusting, ALPNProtocols: ['h2', 'http/1.1'] })
    expect(socket.alpnProtocol).toBe('h2')
    const cipher = async (name: string) => {
      const { socket } = await connectTls(https, { ...trusting, maxVersion: 'TLSv1.2', ciphers: name })
      return socket.getCipher().name
    }
    expect(await cipher('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('ECDHE-ECDSA-AES128-GCM-SHA256')
    await expect(cipher('ECDHE-ECDSA-AES256-GCM-SHA384')).rejects.toThrow(/handshake failure/)
    const wire = await connectTls(wss, trusting)
    wire.send(upgradeText('/live'))
    expect((await wire.response()).status).toBe(101)
    await echoes(wire)
    expect(await failure(wss, { ...trusting, maxVersion: 'TLSv1.2' })).toMatch(/PROTOCOL_VERSION/)
  })

  test('mtls: a client without a certificate stays outside; the upstream sees that of the gateway', async () => {
    const [port = 0] = await started(`examples/mtls.${kind}`, startLedger)
    const trusting = { ca: authority.cert, servername: 'gateway.test', rejectUnauthorized: true }
    const wire = await connectTls(port, { ...trusting, cert: client.cert, key: client.key })
    wire.send(requestText('GET /ledger/7'))
    expect(await wire.response()).toMatchObject({ status: 200, body: 'TLSv1.3 gateway GET /ledger/7' })
    expect(await failure(port, trusting)).toMatch(/CERTIFICATE_REQUIRED/)
  })

  test('websocket-port: whole messages of the pages that may, members of a room together', async () => {
    const [http = 0, port = 0] = await started(`examples/websocket-port.${kind}`)
    const open = async (lines: readonly string[], path = '/rooms/tea?member=ada') =>
      openWebSocket(port, path, ['Sec-WebSocket-Protocol: chat.v1, chat.v2', ...lines])
    const { wire, response } = await open(['Origin: https://app.example.com'])
    expect(response.status).toBe(101)
    await echoes(wire)
    wire.send(frame(1, 'x'.repeat(65_537), { mask: true }))
    // 1009: too big.
    expect((await wire.exactly(4))?.slice(2)).toBe('\x03\xf1')
    expect((await open(['Origin: https://evil.test'])).response.status).toBe(403)
    expect((await ask(port, 'GET /rooms/tea')).status).toBe(400)
    expect((await openWebSocket(http, '/rooms/tea')).response.status).toBe(501)
    const rooms = await Promise.all(Array.from({ length: 6 }, () => textOf(http, 'GET /rooms/tea?member=ada')))
    expect(new Set(rooms).size).toBe(1)
  })

  test('websockets: frames pass to who is at home; chat has rules', async () => {
    const [port = 0] = await started(`examples/websockets.${kind}`)
    const { wire } = await openWebSocket(port, '/live')
    await echoes(wire)
    const lines = ['Sec-WebSocket-Protocol: chat.v2', 'Origin: https://one.preview.example.com']
    expect((await openWebSocket(port, '/chat/tea', lines)).response.status).toBe(101)
    expect((await openWebSocket(port, '/chat/tea', ['Origin: https://example.com'])).response.status).toBe(403)
  })

  test('sse: a stream for who accepts one', async () => {
    const [port = 0] = await started(`examples/sse.${kind}`)
    const stream = await openStream(port, { accept: 'text/event-stream' }, '/news')
    await stream.until('3001')
    expect(stream.answer.headers['x-accel-buffering']).toBe('no')
    stream.leave()
    expect(await textOf(port, 'GET /news')).toBe('3001 GET /news')
  })
})

async function echoes(wire: { send(data: string): void; exactly(count: number): Promise<string | undefined> }) {
  wire.send(frame(1, 'hello', { mask: true }))
  expect(await wire.exactly(7)).toBe(frame(1, 'hello'))
}

/** An upstream that lets nobody in without a certificate of the authority. */
async function startLedger(): Promise<number> {
  const { cert, key } = ledger
  const server = createServer({ cert, key, ca: authority.cert, requestCert: true }, (request, response) => {
    const socket = request.socket as TLSSocket
    const { CN } = socket.getPeerCertificate().subject
    response.end(`${socket.getProtocol()} ${CN} ${request.method} ${request.url}`)
  })
  return (await listening(server)).port
}
