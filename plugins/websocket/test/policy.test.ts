import { identity } from '@gateway/auth/contract'
import { definePlugin } from '@gateway/core'
import { websocket } from '@gateway/websocket'
import { describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { recordingBackend } from '../../../test/support/upstream.ts'
import { openWebSocket, websocketUpstream } from '../../../test/support/websocket.ts'
import { exchange } from '../../../test/support/wire.ts'
import { carrying, carryingByClock, closing, message, wsClient, wsServer } from './support.ts'

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
  const echoed = async (socket: WebSocket) => {
    const answer = message(socket)
    socket.send('x')
    await answer
  }

  test.each([[{}], [{ frames: { pingInterval: 0 } }]])('without a byte: 1001; with some it stays, %j', async more => {
    const upstream = await wsServer()
    const { port, clock } = await carryingByClock(upstream.origin, { idleTimeout: '5m', ...more })
    const socket = await wsClient(port)
    const seen = closing(socket)
    for (let i = 0; i < 3; i++) {
      await clock.advance('299s')
      await echoed(socket)
    }
    await clock.advance('299s')
    expect(socket.readyState).toBe(socket.OPEN)
    await clock.advance('1s')
    expect(await seen).toEqual({ code: 1001, reason: 'idle' })
  })

  test.each([[{}], [{ frames: { pingInterval: 0 } }]])(
    'a whole life, longer than a timer goes, %j: 1001',
    async more => {
      const upstream = await wsServer()
      const { port, clock } = await carryingByClock(upstream.origin, { maxAge: '30d', ...more })
      const socket = await wsClient(port)
      const seen = closing(socket)
      await clock.advance('29d')
      await echoed(socket)
      await clock.advance('1d')
      expect(await seen).toEqual({ code: 1001, reason: 'maximum age' })
    },
  )

  test.each([true, false])('credentials that end close it where that is asked for: %j', async closeOnExpiry => {
    const who = { id: 'a', method: 'jwt', scopes: [], roles: [], claims: {} } as const
    const auth = definePlugin({
      name: 'auth',
      stage: 'identify',
      writes: [identity],
      setup: ({ clock }) => ({
        onRoute: () => ({ onRequest: ctx => ctx.set(identity, { ...who, expiresAt: clock.now() + 60_000 }) }),
      }),
    })
    const upstream = await wsServer()
    const settings = { closeOnExpiry, maxAge: '2m' }
    const { port, clock } = await carryingByClock(upstream.origin, settings, { plugins: [auth()] })
    const socket = await wsClient(port)
    const seen = closing(socket)
    await clock.advance('1m')
    if (!closeOnExpiry) await clock.advance('1m')
    const reason = closeOnExpiry ? { code: 1008, reason: 'credentials ended' } : { code: 1001, reason: 'maximum age' }
    expect(await seen).toEqual(reason)
  })

  test.each([[{}], [{ frames: { pingInterval: 0 } }]])('peers that do not answer a Close are cut, %j', async more => {
    const upstream = await websocketUpstream()
    const { port, gateway, clock } = await carryingByClock(upstream.origin, { maxAge: '1m', ...more })
    const { wire } = await openWebSocket(port)
    await clock.advance('1m')
    await wire.exactly(2)
    expect(gateway.connections).toHaveLength(1)
    await clock.advance('4s')
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
