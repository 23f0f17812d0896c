import { definePlugin } from '@gateway/core'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Pool } from '../../../core/src/upstream/pool.ts'
import { startGateway } from '../../support/gateway.ts'
import { rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'
import { ask, gate, hooked, startAnswering, turn } from '../plugins/support.ts'

const proxying = (origin: string, more: object = {}) => ({
  services: { backend: { targets: [origin] } },
  routes: { all: { match: 'ANY /*', service: 'backend' } },
  ...more,
})

test('everything is closed: ports, idle clients, connections to upstreams, generations, shared state', async () => {
  const backend = await recordingBackend()
  const closed: string[] = []
  const plugin = definePlugin({
    name: 'a',
    setup(host) {
      host.defer(() => void closed.push('clean-up'))
      host.share({ name: 'a.x', create: () => 1, close: () => void closed.push('shared') })
    },
  })()
  const { gateway, port } = await startGateway(proxying(backend.origin, { plugins: [plugin] }))
  await exchange(port, 'GET /')
  const idle = await connect(port)
  await gateway.close()
  expect(closed).toEqual(['clean-up', 'shared'])
  expect([gateway.generations, gateway.addresses, gateway.shared]).toEqual([[], [], []])
  await idle.rest()
  await expect(connect(port)).rejects.toThrow('ECONNREFUSED')
  await backend.wires[0]?.gone()
})

test('requests under way end, each by its own means', async () => {
  const upstream = await rawUpstream(() => {})
  const { gateway, port } = await startGateway(proxying(upstream.origin))
  const client = await connect(port)
  client.send(requestText('GET /'))
  const fetched = gateway.fetch('http://x/')
  const servers = [await upstream.connection(1), await upstream.connection(2)]
  for (const server of servers) await server.request()
  let over = false
  const closing = gateway.close().then(() => {
    over = true
  })
  for (const server of servers) server.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  await client.through('half')
  const response = await fetched
  expect([over, gateway.generations]).toMatchObject([false, [{ id: 1, state: 'draining', inFlight: 2 }]])
  for (const server of servers) server.send('full')
  await client.through('full')
  expect(await response.text()).toBe('halffull')
  await client.rest()
  client.socket.destroy()
  await closing
})

test('what outlasts the drain time is cut off, on sockets and in fetch, before a head and after', async () => {
  const upstream = await rawUpstream(async wire => {
    if ((await wire.request()).target === '/within') wire.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf')
  })
  const { gateway, port, log } = await startGateway(proxying(upstream.origin, { drainTimeout: 50 }))
  const before = await connect(port)
  before.send(requestText('GET /before'))
  const within = await connect(port)
  within.send(requestText('GET /within'))
  await within.through('half')
  const fetchedBefore = gateway.fetch('http://x/before')
  const fetchedWithin = await gateway.fetch('http://x/within')
  for (const number of [1, 2, 3, 4]) await upstream.connection(number)
  const failed = expect(fetchedBefore).rejects.toMatchObject({ code: 'GATEWAY_SHUTTING_DOWN' })
  const cut = expect(fetchedWithin.text()).rejects.toMatchObject({ code: 'GATEWAY_SHUTTING_DOWN' })
  await gateway.close()
  await Promise.all([failed, cut])
  expect(await before.rest()).toBe('')
  expect(await within.rest()).toBe('')
  expect(gateway.generations).toEqual([])
  expect(log.access).toHaveLength(4)
  // Their end was waited for: nobody's drain time ran out.
  expect(log.all.filter(({ level }) => level === 'warn')).toEqual([])
})

test('connections to upstreams are waited for', async () => {
  const backend = await recordingBackend()
  const { gateway, port } = await startGateway(proxying(backend.origin))
  await exchange(port, 'GET /')
  const open = gate()
  const { close } = Pool.prototype
  vi.spyOn(Pool.prototype, 'close').mockImplementation(async function (this: Pool) {
    await close.call(this)
    await open.promise
  })
  onTestFinished(() => void vi.restoreAllMocks())
  let over = false
  const closing = gateway.close().then(() => {
    over = true
  })
  await backend.wires[0]?.gone()
  await turn()
  expect(over).toBe(false)
  open.resolve()
  await closing
})

test('twice is once', async () => {
  const { gateway } = await startAnswering([])
  const first = gateway.close()
  expect(gateway.close()).toBe(first)
  await first
  await gateway.close()
})

test('afterwards there is no way back: reload and listen reject, fetch answers 503', async () => {
  const running = await startAnswering([])
  await running.gateway.close()
  await expect(running.gateway.reload({ routes: {} })).rejects.toThrow('the gateway is closed')
  await expect(running.gateway.listen()).rejects.toThrow('the gateway is closed')
  const response = await running.gateway.fetch('http://x/', { headers: { 'X-Request-ID': 'mine' } })
  expect([response.status, response.headers.get('x-request-id'), response.headers.get('content-type')]).toEqual([
    503,
    'mine',
    'application/problem+json',
  ])
  expect(await response.json()).toMatchObject({ code: 'GATEWAY_SHUTTING_DOWN', requestId: 'mine' })
})

test('from the moment of close() no new request begins', async () => {
  const open = gate()
  const running = await startAnswering([hooked('holding', { onRequest: () => open.promise })])
  const old = ask(running)
  const closing = running.gateway.close()
  expect(await ask(running)).toMatch(/^503 .*GATEWAY_SHUTTING_DOWN/)
  open.resolve()
  expect(await old).toBe('200 own')
  await closing
})

describe('during a reload', () => {
  const slow = (open: Promise<void>, lines: string[]) =>
    definePlugin({
      name: 'slow',
      async setup(host) {
        lines.push('set up')
        host.defer(() => void lines.push('cleaned up'))
        await open
      },
    })()

  test('the reload is finished first, and what it opened is closed with the rest', async () => {
    const open = gate()
    const lines: string[] = []
    const { gateway } = await startAnswering([])
    const reloading = gateway.reload({
      listen: { port: 0, host: '127.0.0.1' },
      plugins: [slow(open.promise, lines)],
      routes: {},
    })
    await Promise.resolve()
    const closing = gateway.close()
    open.resolve()
    expect(await reloading).toMatchObject({ generation: 2 })
    await closing
    expect(lines).toEqual(['set up', 'cleaned up'])
    expect(gateway.generations).toEqual([])
  })

  test('one that had not begun does not begin', async () => {
    const lines: string[] = []
    const { gateway } = await startAnswering([])
    const reloads = [1, 2].map(() => gateway.reload({ plugins: [slow(Promise.resolve(), lines)], routes: {} }))
    const closing = gateway.close()
    expect((await Promise.allSettled(reloads)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await closing
    expect(lines).toEqual([])
  })
})

test('with older generations still draining: all of them end', async () => {
  const gates = [gate(), gate()]
  const holding = (index: number) => ({
    listen: { port: 0, host: '127.0.0.1' },
    plugins: [hooked('holding', { onRequest: () => gates[index]?.promise })],
    routes: { all: { match: 'ANY /*', reply: { status: 200, body: `${index}` } } },
  })
  const running = await startGateway(holding(0))
  const zero = ask(running)
  await running.gateway.reload(holding(1))
  const one = ask(running)
  const closing = running.gateway.close()
  gates[1]?.resolve()
  expect(await one).toBe('200 1')
  gates[0]?.resolve()
  expect(await zero).toBe('200 0')
  await closing
})

test('an upstream that answers after all had been given up harms nobody', async () => {
  const upstream = await rawUpstream(() => {})
  const { gateway } = await startGateway(proxying(upstream.origin, { drainTimeout: 1 }))
  const fetched = gateway.fetch('http://x/')
  const failed = expect(fetched).rejects.toMatchObject({ code: 'GATEWAY_SHUTTING_DOWN' })
  const server = await upstream.connection(1)
  await server.request()
  await gateway.close()
  server.send(responseText(200))
  await server.gone()
  await failed
})
