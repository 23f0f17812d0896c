import { createServer } from 'node:net'
import { createGateway, type Gateway, GatewayError, silentLog } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { onCleanup } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { listening } from '../../support/listening.ts'
import { rawUpstream } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'

const config = (listen: unknown, more: object = {}) => ({
  listen,
  routes: { all: { match: 'ANY /*', reply: { status: 200, body: 'ok' } } },
  ...more,
})
const local = { host: '127.0.0.1' }

async function start(listen: unknown, more: object = {}): Promise<Gateway> {
  const gateway = await createGateway(config(listen, more), { log: silentLog })
  onCleanup('gateways', () => gateway.close())
  await gateway.listen()
  return gateway
}

/** A port that somebody else has, until the test ends. */
const takenPort = async (host = '127.0.0.1') => (await listening(createServer(), { host })).port

const answers = async (port: number, host = '127.0.0.1') => {
  const client = await connect({ port, host })
  client.send(requestText('GET /', ['Connection: close']))
  return (await client.response()).status
}
const refuses = (port: number, host = '127.0.0.1') => expect(connect({ port, host })).rejects.toThrow('ECONNREFUSED')
const ports = (gateway: Gateway) => gateway.addresses.map(({ port }) => port)

test('ports are added and removed; those that stay keep their connections', async () => {
  const [a, b, c] = [await freePort(), await freePort(), await freePort()]
  const gateway = await start([
    { ...local, port: a },
    { ...local, port: b },
  ])
  const kept = await connect(a)
  kept.send(requestText('GET /'))
  await kept.response()
  await gateway.reload(
    config([
      { ...local, port: c },
      { ...local, port: a },
    ]),
  )
  expect(ports(gateway)).toEqual([c, a])
  expect([await answers(a), await answers(c)]).toEqual([200, 200])
  await refuses(b)
  kept.send(requestText('GET /'))
  expect((await kept.response()).status).toBe(200)
})

test('on a port that is removed, what is under way ends, and idle connections close', async () => {
  const upstream = await rawUpstream(() => {})
  const [a, b] = [await freePort(), await freePort()]
  const more = {
    services: { backend: { targets: [upstream.origin] } },
    routes: { all: { match: 'ANY /*', service: 'backend' } },
  }
  const gateway = await start(
    [
      { ...local, port: a },
      { ...local, port: b },
    ],
    more,
  )
  const idle = await connect(b)
  const busy = await connect(b)
  busy.send(requestText('GET /'))
  const server = await upstream.connection(1)
  await server.request()
  await gateway.reload(config({ ...local, port: a }))
  await idle.rest()
  server.send(responseText(200, [], 'ended'))
  const response = await busy.response()
  expect([response.body, response.lines.includes('Connection: close')]).toEqual(['ended', true])
  await busy.rest()
})

test('on a port that is removed, what outlasts the drain time is cut', async () => {
  const upstream = await rawUpstream(() => {})
  const [a, b] = [await freePort(), await freePort()]
  const more = {
    drainTimeout: 20,
    services: { backend: { targets: [upstream.origin] } },
    routes: { all: { match: 'ANY /*', service: 'backend' } },
  }
  const gateway = await start(
    [
      { ...local, port: a },
      { ...local, port: b },
    ],
    more,
  )
  const busy = await connect(b)
  busy.send(requestText('GET /'))
  const server = await upstream.connection(1)
  await server.request()
  await gateway.reload(config({ ...local, port: a }))
  await busy.gone()
  await server.gone()
})

describe('another host for the same port', () => {
  test.each([
    ['all addresses', undefined, '127.0.0.1'],
    ['one of all addresses', '127.0.0.1', undefined],
    ['another address', '127.0.0.1', '127.0.0.2'],
  ])('%s', async (_, from, to) => {
    const port = await freePort('0.0.0.0')
    const at = (host: string | undefined) => config({ port, ...(host === undefined ? {} : { host }) })
    const gateway = await createGateway(at(from), { log: silentLog })
    onCleanup('gateways', () => gateway.close())
    await gateway.listen()
    expect(await answers(port)).toBe(200)
    await gateway.reload(at(to))
    expect(await answers(port, to ?? '127.0.0.2')).toBe(200)
    if (to === '127.0.0.2') await refuses(port, '127.0.0.1')
    if (to === '127.0.0.1') await refuses(port, '127.0.0.2')
    await gateway.reload(at(from))
    expect(await answers(port, '127.0.0.1')).toBe(200)
  })

  test('when another port cannot be had, the old one is opened again', async () => {
    const port = await freePort('0.0.0.0')
    const taken = await takenPort()
    const gateway = await start({ port })
    await expect(
      gateway.reload(
        config([
          { port, host: '127.0.0.1' },
          { ...local, port: taken },
        ]),
      ),
    ).rejects.toThrow('is in use')
    expect(ports(gateway)).toEqual([port])
    expect([await answers(port), await answers(port, '127.0.0.2')]).toEqual([200, 200])
    await gateway.reload(config({ port }))
    expect(await answers(port, '127.0.0.2')).toBe(200)
  })
})

test('settings of a listener that stays hold for what comes from then on', async () => {
  const listen = { ...local, port: await freePort() }
  const gateway = await start(listen)
  const upload = (port: number) => exchange(port, 'POST /', [], 'x'.repeat(100))
  expect((await upload(listen.port)).status).toBe(200)
  const open = await connect(listen.port)
  await gateway.reload(config({ ...listen, limits: { bodySize: 10, headSize: 256 } }))
  expect((await upload(listen.port)).status).toBe(413)
  const long = [`X-Long: ${'x'.repeat(300)}`]
  expect((await exchange(listen.port, 'GET /', long)).status).toBe(431)
  // The limits of the wire are those that a connection was accepted with.
  open.send(requestText('GET /', long))
  expect((await open.response()).status).toBe(200)
})

describe('a port that cannot be had', () => {
  test('when the gateway begins: none is open', async () => {
    const [free, taken] = [await freePort(), await takenPort()]
    const gateway = await createGateway(
      config([
        { ...local, port: free },
        { ...local, port: taken },
      ]),
      { log: silentLog },
    )
    onCleanup('gateways', () => gateway.close())
    const error: unknown = await gateway.listen().catch(reason => reason)
    expect(error).toBeInstanceOf(GatewayError)
    expect(error).toMatchObject({
      code: 'GATEWAY_LISTEN_FAILED',
      message: `cannot listen on 127.0.0.1:${taken}: it is in use by another process`,
    })
    expect(gateway.addresses).toEqual([])
    await refuses(free)
    expect((await gateway.fetch('http://x/')).status).toBe(200)
  })

  test('at a reload: everything stays, and what was opened is closed', async () => {
    const [a, b, taken] = [await freePort(), await freePort(), await takenPort()]
    const gateway = await start({ ...local, port: a })
    let cleaned = 0
    const plugin = {
      name: 'a',
      options: undefined,
      definition: { name: 'a', setup: (host: { defer(run: () => void): void }) => host.defer(() => void cleaned++) },
    }
    const next = config(
      [
        { ...local, port: b },
        { ...local, port: taken },
      ],
      { plugins: [plugin] },
    )
    await expect(gateway.reload(next)).rejects.toMatchObject({ code: 'GATEWAY_LISTEN_FAILED' })
    expect(cleaned).toBe(1)
    expect(ports(gateway)).toEqual([a])
    expect(gateway.generations).toMatchObject([{ id: 1, state: 'serving', inFlight: 0 }])
    expect(await answers(a)).toBe(200)
    await refuses(b)
  })

  test('an address that is not of this machine', async () => {
    const gateway = await createGateway(config({ port: 0, host: '192.0.2.1' }), { log: silentLog })
    onCleanup('gateways', () => gateway.close())
    await expect(gateway.listen()).rejects.toThrow('cannot listen on 192.0.2.1:0: it is not an address of this machine')
  })
})

test('several listeners may ask for any port, and keep theirs', async () => {
  const gateway = await start([
    { ...local, port: 0 },
    { ...local, port: 0 },
  ])
  const before = ports(gateway)
  expect(new Set(before).size).toBe(2)
  await gateway.reload(
    config([
      { ...local, port: 0 },
      { ...local, port: 0 },
      { ...local, port: 0 },
    ]),
  )
  expect(ports(gateway).slice(0, 2)).toEqual(before)
  await gateway.reload(config([{ ...local, port: 0 }]))
  expect(ports(gateway)).toEqual(before.slice(0, 1))
  await gateway.close()
  for (const port of before) await refuses(port)
})

test('before listen() a reload opens nothing; listen() twice is once', async () => {
  const gateway = await createGateway(config({ ...local, port: 0 }), { log: silentLog })
  onCleanup('gateways', () => gateway.close())
  await gateway.reload(config({ ...local, port: 0 }))
  expect(gateway.addresses).toEqual([])
  const [first, second] = await Promise.all([gateway.listen(), gateway.listen()])
  expect(first).toEqual(second)
  expect(gateway.addresses).toEqual(first)
  await eventually(() => expect(gateway.generations).toHaveLength(1))
})

test('a gateway may have no listener at all', async () => {
  const gateway = await start([])
  expect(gateway.addresses).toEqual([])
  expect((await gateway.fetch('http://x/')).status).toBe(200)
  await gateway.reload(config({ ...local, port: 0 }))
  expect(gateway.addresses).toHaveLength(1)
})
