import type { Context, Summary, Tunnel } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { lineValue } from '../../support/message.ts'
import { expectProblem } from '../../support/problem.ts'
import { rawUpstream, refusingOrigin } from '../../support/upstream.ts'
import {
  acceptText,
  openWebSocket,
  sampleAccept,
  sampleKey,
  upgradeText,
  websocketUpstream,
} from '../../support/websocket.ts'
import { connect, requestText, responseText } from '../../support/wire.ts'

const onTunnel = () => {}

describe('opening', () => {
  test('each side has a handshake of its own; the fields pass, and bytes both ways', async () => {
    let asked: readonly string[] = []
    const upstream = await websocketUpstream(
      (_, request) => {
        asked = request.lines
      },
      ['Sec-WebSocket-Protocol: chat', 'Set-Cookie: a=b'],
    )
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel } }))
    const { wire, response } = await openWebSocket(gateway.port, '/chat?x=1', [
      'Sec-WebSocket-Protocol: chat, other',
      'Sec-WebSocket-Extensions: permessage-deflate',
    ])
    expect(response.status).toBe(101)
    expect(response.lines).toEqual(
      expect.arrayContaining([
        'Connection: Upgrade',
        'Upgrade: websocket',
        `Sec-WebSocket-Accept: ${sampleAccept}`,
        'Sec-WebSocket-Protocol: chat',
        'Set-Cookie: a=b',
      ]),
    )
    expect(response.lines.filter(line => /^sec-websocket-accept/i.test(line))).toHaveLength(1)
    expect(lineValue(asked, 'sec-websocket-protocol')).toBe('chat, other')
    expect(lineValue(asked, 'sec-websocket-extensions')).toBe('permessage-deflate')
    expect(lineValue(asked, 'sec-websocket-version')).toBe('13')
    expect(lineValue(asked, 'x-forwarded-proto')).toBe('http')
    expect(asked.filter(line => /^sec-websocket-key/i.test(line))).toHaveLength(1)
    expect(lineValue(asked, 'sec-websocket-key')).not.toBe(sampleKey)
    const peer = await upstream.connection(1)
    wire.send('\0ping\xff')
    expect(await peer.exactly(6)).toBe('\0ping\xff')
    peer.send('\xfepong')
    expect(await wire.exactly(5)).toBe('\xfepong')
  })

  test('what either side sends too early is not lost', async () => {
    const upstream = await rawUpstream(async wire => {
      const request = await wire.request()
      wire.send(`${acceptText(request)}early`)
    })
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel } }))
    const wire = await connect(gateway.port)
    wire.send(`${upgradeText()}too early`)
    expect((await wire.response()).status).toBe(101)
    expect(await wire.exactly(5)).toBe('early')
    expect(await (await upstream.connection(1)).exactly(9)).toBe('too early')
  })

  test('a route without onTunnel refuses, and the connection goes on', async () => {
    const gateway = await startGateway(proxyTo(await refusingOrigin()))
    const { wire, response } = await openWebSocket(gateway.port)
    expectProblem(gateway, response, 'GATEWAY_UPGRADE_NOT_SUPPORTED', { route: 'all' })
    wire.send(upgradeText())
    expect((await wire.response()).status).toBe(501)
  })

  test.each([
    ['without a key', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']],
    [
      'with a key that is none',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: abc'],
    ],
    [
      'of another version',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 8', `Sec-WebSocket-Key: ${sampleKey}`],
    ],
  ])('%s is refused', async (what, lines) => {
    const gateway = await startGateway(proxyTo(await refusingOrigin(), { route: { onTunnel } }))
    const wire = await connect(gateway.port)
    wire.send(requestText('GET /', lines))
    const response = await wire.response()
    expectProblem(gateway, response, 'GATEWAY_BAD_REQUEST', { route: 'all' })
    expect(lineValue(response.lines, 'sec-websocket-version')).toBe(what === 'of another version' ? '13' : undefined)
  })

  test('by POST, or with a body, it is refused', async () => {
    const gateway = await startGateway(proxyTo(await refusingOrigin(), { route: { onTunnel } }))
    const wire = await connect(gateway.port)
    wire.send(upgradeText('/', ['Content-Length: 2']).concat('hi'))
    expect((await wire.response()).status).toBe(400)
    wire.send(upgradeText().replace('GET', 'POST').replace('Upgrade\r\n', 'Upgrade\r\nContent-Length: 0\r\n'))
    expect((await wire.response()).status).toBe(400)
  })

  test("the upstream's refusal is the client's answer", async () => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send(responseText(403, ['X-Why: because'], 'not you'))
    })
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel } }))
    const { response } = await openWebSocket(gateway.port)
    expect([response.status, response.body, lineValue(response.lines, 'x-why')]).toEqual([403, 'not you', 'because'])
  })

  test.each([
    ['another protocol', (request: string) => request.replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['a wrong proof', (request: string) => request.replace(/Accept: ./, 'Accept: ?')],
    ['no proof', (request: string) => request.replace(/Sec-WebSocket-Accept: .*\r\n/, '')],
  ])('an upstream that answers with %s has not accepted', async (_, change) => {
    const upstream = await rawUpstream(async wire => {
      const request = await wire.request()
      wire.send(change(acceptText(request)))
    })
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel } }))
    const { response } = await openWebSocket(gateway.port)
    expectProblem(gateway, response, 'GATEWAY_UPSTREAM_INVALID', { route: 'all' })
    await (await upstream.connection(1)).gone()
  })

  test('a service with a connector takes no tunnels', async () => {
    const { defineExtension, definePlugin, GatewayError } = await import('@gateway/core')
    const speaks = definePlugin({
      name: 'speaks',
      extensions: [
        defineExtension({
          point: 'connector',
          name: 'speech',
          create: () => ({ open: () => Promise.reject(new GatewayError('X', 'x')) }),
        }),
      ],
    })
    const config = proxyTo('http://127.0.0.1:1', {
      plugins: [speaks()],
      service: { connector: 'speech' },
      route: { onTunnel },
    })
    await expect(startGateway(config)).rejects.toThrow('has a connector')
  })
})

describe('hooks', () => {
  test('see the upgrade in order, and its end', async () => {
    const seen: unknown[] = []
    let summary: Summary | undefined
    const upstream = await websocketUpstream()
    const gateway = await startGateway(
      proxyTo(upstream.origin, {
        route: {
          onRequest: () => void seen.push('request'),
          onAttempt: () => void seen.push('attempt'),
          onAttemptEnd: (_: Context, __: unknown, outcome: { status: number }) => void seen.push(outcome.status),
          onResponse: (_: Context, head: { status: number; headers: Headers }) => {
            seen.push(`response ${head.status}`)
            head.headers.set('X-Mark', 'yes')
          },
          onTunnel: async (_: Context, tunnel: Tunnel) => {
            await new Promise(resolve => setImmediate(resolve))
            seen.push(`tunnel ${tunnel.headers.get('x-mark')}`)
          },
          onFinish: (_: Context, given: Summary) => {
            seen.push('finish')
            summary = given
          },
        },
      }),
    )
    const { wire, response } = await openWebSocket(gateway.port)
    expect(lineValue(response.lines, 'x-mark')).toBe('yes')
    const peer = await upstream.connection(1)
    wire.send('four')
    await peer.exactly(4)
    peer.send('fiver')
    await wire.exactly(5)
    wire.socket.end()
    expect(await peer.rest()).toBe('')
    peer.socket.end()
    await wire.gone()
    await eventually(() => expect(seen.at(-1)).toBe('finish'))
    expect(seen).toEqual(['request', 'attempt', 101, 'response 101', 'tunnel yes', 'finish'])
    expect(summary).toMatchObject({ status: 101, bytesIn: 4, bytesOut: 5, error: undefined, attempts: 1 })
  })

  test('an answer in place of the 101 lets the upstream go', async () => {
    const upstream = await websocketUpstream()
    const route = { onTunnel, onResponse: () => ({ status: 418, body: 'no' }) }
    const gateway = await startGateway(proxyTo(upstream.origin, { route }))
    const { response } = await openWebSocket(gateway.port)
    expect([response.status, response.body]).toEqual([418, 'no'])
    await (await upstream.connection(1)).gone()
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('onTunnel that %s ends both sides', async (_, broken) => {
    const upstream = await websocketUpstream()
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel: broken } }))
    const { wire } = await openWebSocket(gateway.port)
    await wire.gone()
    await (await upstream.connection(1)).gone()
    await eventually(() =>
      expect(gateway.log.all.filter(line => line.level === 'error')).toMatchObject([
        { message: expect.stringContaining('broken') },
      ]),
    )
  })

  test('filters see, change and swallow what passes, and have the last word', async () => {
    const upstream = await websocketUpstream()
    const upper = { push: (chunk: Buffer) => Buffer.from(chunk.toString().toUpperCase()), end: () => Buffer.from('.') }
    const gateway = await startGateway(
      proxyTo(upstream.origin, {
        route: {
          onTunnel: (_: Context, tunnel: Tunnel) => {
            tunnel.fromClient = { push: () => undefined }
            tunnel.fromUpstream = upper
          },
        },
      }),
    )
    const { wire } = await openWebSocket(gateway.port)
    const peer = await upstream.connection(1)
    wire.send('swallowed')
    peer.send('hello')
    expect(await wire.exactly(5)).toBe('HELLO')
    peer.socket.end()
    expect(await wire.rest()).toBe('.')
    wire.socket.end()
    expect(await peer.rest()).toBe('')
  })

  test('a tunnel that is taken belongs to the plugin', async () => {
    const upstream = await websocketUpstream()
    const gateway = await startGateway(
      proxyTo(upstream.origin, {
        route: {
          onTunnel: (_: Context, tunnel: Tunnel) => {
            tunnel.take()
            expect(() => tunnel.take()).toThrow('already')
            tunnel.client.on('data', chunk => tunnel.client.write(`you said ${chunk}`))
            tunnel.client.on('end', () => tunnel.client.end())
            tunnel.client.resume()
            tunnel.upstream.end('only me')
            tunnel.upstream.resume()
          },
        },
      }),
    )
    const { wire } = await openWebSocket(gateway.port)
    expect(await (await upstream.connection(1)).rest()).toBe('only me')
    wire.send('this')
    expect(await wire.exactly(13)).toBe('you said this')
  })
})
