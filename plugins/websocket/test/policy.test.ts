import { identity } from '@gateway/auth/contract'
import { definePlugin } from '@gateway/core'
import { websocket } from '@gateway/websocket'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { openWebSocket } from '../../../test/support/websocket.ts'
import { exchange } from '../../../test/support/wire.ts'
import { carrying, closing, message, wsClient, wsServer } from './support.ts'

describe('origins', () => {
  const open = async (settings: unknown, origin: string | undefined) => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, settings)
    const lines = origin === undefined ? [] : [`Origin: ${origin}`]
    const { response } = await openWebSocket(port, '/', ['Host: a.test', ...lines])
    return response.status
  }

  test.each([
    [true, undefined, 101],
    [true, 'http://a.test', 101],
    [true, 'https://a.test', 101],
    [true, 'https://evil.test', 403],
    [true, 'http://a.test:81', 403],
    [true, 'null', 403],
    [{ origins: '*' }, 'https://evil.test', 101],
    [{ origins: ['https://app.example', 'https://*.example.com'] }, 'https://app.example', 101],
    [{ origins: ['https://app.example', 'https://*.example.com'] }, 'https://a.b.example.com', 101],
    [{ origins: ['https://app.example', 'https://*.example.com'] }, 'https://example.com', 403],
    [{ origins: ['https://app.example'] }, 'https://app.example.evil.test', 403],
    [{ origins: ['https://app.example'] }, undefined, 101],
  ])('%j, from %s: %i', async (settings, origin, status) => {
    expect(await open(settings, origin)).toBe(status)
  })

  test.each([['https://app.example/'], ['app.example'], ['https://app.example:443'], ['HTTPS://app.example']])(
    '%s is no origin',
    async origin => {
      await expect(carrying('http://127.0.0.1:1', { origins: [origin] })).rejects.toThrow('must be an origin')
    },
  )
})

describe('limits', () => {
  test.each([
    ['of a route', { maxConnections: 2 }, {}, 503],
    ['of a route and client', { maxConnectionsPerClient: 2 }, {}, 429],
    ['of all', true, { maxConnections: 2 }, 503],
    ['of all and client', true, { maxConnectionsPerClient: 2 }, 429],
  ])('%s, kept across a reload, and room again when one has gone', async (_, settings, plugin, status) => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, settings, { plugin })
    const first = await wsClient(port)
    await gateway.reload({
      ...proxyTo(upstream.origin, {
        plugins: [websocket(plugin)],
        route: { websocket: settings },
        timeouts: { head: '9s' },
      }),
      listen: { port: 0, host: '127.0.0.1' },
    })
    await wsClient(port)
    expect((await openWebSocket(port)).response.status).toBe(status)
    first.close()
    await eventually(() => expect(gateway.connections).toHaveLength(1))
    await wsClient(port)
  })

  test('of a client hold for its network where it has one (IPv6)', async () => {
    const upstream = await wsServer()
    const settings = { maxConnectionsPerClient: 1 }
    const { port } = await carrying(upstream.origin, settings, { listen: { trust: ['127.0.0.1'] } })
    await wsClient(port, { headers: { 'X-Forwarded-For': '2001:db8:1:2::3' } })
    const lines = ['X-Forwarded-For: 2001:db8:1:2:ffff::4']
    expect((await openWebSocket(port, '/', lines)).response.status).toBe(429)
  })

  test('a handshake that fails gives its place back', async () => {
    const upstream = await recordingBackend()
    const { port } = await carrying(upstream.origin, { maxConnections: 1 })
    for (let i = 0; i < 3; i++) expect((await openWebSocket(port)).response.status).toBe(200)
  })
})

describe('time', () => {
  test('without a byte: 1001; with some it stays', async () => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, { idleTimeout: 500 })
    const socket = await wsClient(port)
    const seen = closing(socket)
    const until = performance.now() + 700
    while (performance.now() < until) {
      await new Promise(resolve => setTimeout(resolve, 5))
      socket.send('x')
      await message(socket)
    }
    expect(await seen).toEqual({ code: 1001, reason: 'idle' })
  })

  test.each([[{}], [{ frames: {} }]])('a whole life, %j: 1001', async more => {
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, { maxAge: 50, ...more })
    const socket = await wsClient(port)
    expect(await closing(socket)).toEqual({ code: 1001, reason: 'maximum age' })
  })

  test.each([true, false])('credentials that end close it where that is asked for: %j', async closeOnExpiry => {
    const who = { id: 'a', method: 'jwt', scopes: [], roles: [], claims: {} } as const
    const auth = definePlugin({
      name: 'auth',
      stage: 'identify',
      writes: [identity],
      setup: () => ({
        onRoute: () => ({ onRequest: ctx => ctx.set(identity, { ...who, expiresAt: Date.now() + 60 }) }),
      }),
    })
    const upstream = await wsServer()
    const { port } = await carrying(upstream.origin, { closeOnExpiry, maxAge: 200 }, { plugins: [auth()] })
    const socket = await wsClient(port)
    const reason = closeOnExpiry ? { code: 1008, reason: 'credentials ended' } : { code: 1001, reason: 'maximum age' }
    expect(await closing(socket)).toEqual(reason)
  })

  test('a peer that does not answer a Close is cut', async () => {
    const upstream = await wsServer()
    const { port, gateway } = await carrying(upstream.origin, { maxAge: 30 })
    const { wire } = await openWebSocket(port)
    await wire.exactly(2)
    await eventually(() => expect(gateway.connections).toEqual([]))
  })
})

describe('a route', () => {
  test('serves plain requests, too, unless it is for WebSockets only', async () => {
    const upstream = await recordingBackend()
    const { port } = await carrying(upstream.origin)
    expect(await exchange(port, 'GET /')).toMatchObject({ status: 200 })
    const other = await carrying(upstream.origin, { only: true })
    const refused = await exchange(other.port, 'GET /')
    expect(refused.status).toBe(400)
    expect(refused.body).toContain('WEBSOCKET_REQUIRED')
  })

  test.each([{ websocket: false }, {}])('with %j carries none', async route => {
    const upstream = await wsServer()
    const { port } = await startGateway(proxyTo(upstream.origin, { plugins: [websocket()], route }))
    expect((await openWebSocket(port)).response.status).toBe(501)
  })

  test('without a service can carry none', async () => {
    const config = {
      plugins: [websocket()],
      routes: { a: { match: 'GET /', redirect: '/b', websocket: true } },
    }
    await expect(startGateway(config)).rejects.toThrow('WebSockets need a service')
  })
})
