import type { Context, Summary } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxyTo, startGateway } from '../../support/gateway.ts'
import { rawUpstream } from '../../support/upstream.ts'
import { acceptText, openWebSocket, upgradeText, websocketUpstream } from '../../support/websocket.ts'
import { connect } from '../../support/wire.ts'

/** A gateway that carries WebSockets, one opened through it, and both its ends. */
async function standing(more: object = {}) {
  const ended = Promise.withResolvers<Summary>()
  const upstream = await websocketUpstream()
  const route = { onTunnel() {}, onFinish: (_: Context, summary: Summary) => ended.resolve(summary) }
  const config = proxyTo(upstream.origin, { route, ...more })
  const running = await startGateway(config)
  const { wire: client } = await openWebSocket(running.port)
  return { ...running, config, upstream, client, server: await upstream.connection(1), ended: ended.promise }
}

/** Until the number is the same as a while ago. */
async function standsStill(look: () => number): Promise<void> {
  let before: number
  do {
    before = look()
    await new Promise(resolve => setTimeout(resolve, 60))
  } while (look() !== before)
}

describe('an end', () => {
  test.each(['client', 'server'] as const)('of the %s passes on, and the other direction stays open', async side => {
    const tunnel = await standing()
    const [first, last] = side === 'client' ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
    last.socket.allowHalfOpen = true
    first.socket.end('last words')
    expect(await last.rest()).toBe('last words')
    last.send('still here')
    expect(await first.exactly(10)).toBe('still here')
    last.socket.end()
    await Promise.all([first.gone(), last.gone()])
    expect(await tunnel.ended).toMatchObject({ error: undefined, status: 101 })
  })

  test('a client that breaks off takes the upstream along', async () => {
    const { client, server, ended } = await standing()
    client.socket.resetAndDestroy()
    await server.gone()
    expect((await ended).error?.code).toBe('GATEWAY_CLIENT_CLOSED')
  })

  test('an upstream that breaks off takes the client along', async () => {
    const { client, server, ended } = await standing()
    server.socket.resetAndDestroy()
    await client.rest()
    client.socket.end()
    await client.gone()
    expect((await ended).error?.code).toBe('GATEWAY_UPSTREAM_CLOSED')
  })

  test('of the route’s total time is none for a tunnel', async () => {
    const { client, server } = await standing({ route: { onTunnel() {}, timeout: { total: 60, idle: 60 } } })
    await new Promise(resolve => setTimeout(resolve, 200))
    client.send('on')
    expect(await server.exactly(2)).toBe('on')
  })
})

describe('a client that leaves', () => {
  test('before the upstream has answered, leaves nothing', async () => {
    const upstream = await rawUpstream(() => {})
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel() {} } }))
    const wire = await connect(gateway.port)
    wire.send(upgradeText())
    await (await upstream.connection(1)).request()
    wire.socket.resetAndDestroy()
    await (await upstream.connection(1)).gone()
  })

  test.each(['onResponse', 'onTunnel'])('while %s waits, leaves nothing', async hook => {
    const waits = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const wait = () => {
      reached.resolve()
      return waits.promise
    }
    const upstream = await rawUpstream(async wire => wire.send(acceptText(await wire.request())))
    const gateway = await startGateway(proxyTo(upstream.origin, { route: { onTunnel() {}, [hook]: wait } }))
    const wire = await connect(gateway.port)
    wire.send(upgradeText())
    await reached.promise
    wire.socket.resetAndDestroy()
    await (await upstream.connection(1)).gone()
    waits.resolve()
  })
})

describe('back-pressure', () => {
  test.each(['client', 'server'] as const)('a %s that stops reading stops the other', async side => {
    const tunnel = await standing()
    const [sender, reader] = side === 'server' ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
    reader.socket.pause()
    const chunk = Buffer.alloc(65_536, 'x')
    const total = 64 * 1024 * 1024
    const before = process.memoryUsage().rss
    let sent = 0
    const push = () => {
      while (sent < total) {
        sent += chunk.length
        if (!sender.socket.write(chunk)) return
      }
      sender.socket.off('drain', push)
      sender.socket.end()
    }
    sender.socket.on('drain', push)
    push()
    await standsStill(() => sent)
    expect(sent).toBeLessThan(total)
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024)
    let got = 0
    reader.socket.removeAllListeners('data')
    reader.socket.on('data', text => {
      got += text.length
    })
    reader.socket.resume()
    await eventually(() => expect(got).toBe(total))
    reader.socket.end()
  })
})

describe('whoever runs the gateway', () => {
  test('sees the connections and can close them', async () => {
    const signal = Promise.withResolvers<AbortSignal>()
    const tunnel = await standing({ route: { onTunnel: (ctx: Context) => signal.resolve(ctx.signal) } })
    const { gateway, client, server, upstream } = tunnel
    client.send('four')
    await server.exactly(4)
    const [info, ...more] = gateway.connections
    expect(more).toEqual([])
    expect(info).toMatchObject({
      protocol: 'websocket',
      route: 'all',
      client: '127.0.0.1',
      target: upstream.origin,
      bytesIn: 4,
      bytesOut: 0,
      messages: 0,
    })
    expect(gateway.closeConnection('none')).toBe(false)
    expect(gateway.closeConnection(info?.id ?? '')).toBe(true)
    await Promise.all([client.gone(), server.gone()])
    expect((await signal.promise).reason.code).toBe('GATEWAY_CONNECTION_CLOSED')
    await eventually(() => expect(gateway.connections).toEqual([]))
  })

  test('reloads without its being noticed, also past the drain time', async () => {
    const { gateway, config, client, server } = await standing({ drainTimeout: 20 })
    await gateway.reload({ ...config, listen: { port: 0, host: '127.0.0.1' }, timeouts: { head: '9s' } })
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    client.send('still')
    expect(await server.exactly(5)).toBe('still')
    server.send('here')
    expect(await client.exactly(4)).toBe('here')
    expect(gateway.connections).toHaveLength(1)
  })

  test('takes its listener away, and it goes on', async () => {
    const { gateway, config, client, server } = await standing({ drainTimeout: 20 })
    const { port } = new URL(gateway.addresses[0]?.url ?? '')
    await gateway.reload({ ...config, listen: { port: 0, host: '127.0.0.2' } })
    await eventually(() => expect(gateway.generations).toHaveLength(1))
    await eventually(() => expect(connect(Number(port))).rejects.toThrow())
    client.send('still')
    expect(await server.exactly(5)).toBe('still')
  })

  test('stops it: the tunnel has the drain time, then is told, then is cut', async () => {
    const reasons: unknown[] = []
    const { gateway, client, server, ended } = await standing({
      drainTimeout: 50,
      route: {
        onTunnel: (ctx: Context) => ctx.signal.addEventListener('abort', () => reasons.push(ctx.signal.reason.code)),
      },
    })
    const closing = gateway.close()
    client.send('meanwhile')
    expect(await server.exactly(9)).toBe('meanwhile')
    await closing
    await Promise.all([client.gone(), server.gone()])
    expect(reasons).toEqual(['GATEWAY_SHUTTING_DOWN'])
    void ended
  })
})
