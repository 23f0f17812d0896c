import { createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { listening } from '../../../test/support/listening.ts'
import { connect, requestText } from '../../../test/support/wire.ts'
import type { ListenerModel } from '../config/model.ts'
import { normalise } from '../config/normalise.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Entry } from '../exchange/route.ts'
import { Fields } from '../http1/fields.ts'
import { silentLog } from '../log.ts'
import { Listener, type ListenerEvents } from './listener.ts'
import { servers } from './protocol.ts'

function modelOf(listen: object): ListenerModel {
  const { model, problems } = normalise({ listen, routes: { a: { match: 'GET /', reply: { status: 200 } } } })
  const listener = model?.listeners[0]
  if (listener === undefined) throw new Error(JSON.stringify(problems))
  return listener
}

function listenerOf(listen: object, events: Partial<ListenerEvents> = {}): Listener {
  const all: ListenerEvents = {
    request: (_, stream) => {
      stream.sendHead(204, '', new Fields(), 0)
      stream.sendEnd(undefined)
    },
    connection: () => true,
    ...events,
  }
  const listener = new Listener(modelOf(listen), all, silentLog)
  onTestFinished(() => listener.close(0))
  return listener
}

test('says where it listens, so that it can be reached there', async () => {
  const v4 = await listenerOf({ port: 0, host: '127.0.0.1' }).listen()
  expect(v4).toEqual({ host: '127.0.0.1', port: v4.port, url: `http://127.0.0.1:${v4.port}` })
  const v6 = await listenerOf({ port: 0, host: '::1' }).listen()
  expect(v6).toEqual({ host: '::1', port: v6.port, url: `http://[::1]:${v6.port}` })
  const all = await listenerOf({ port: 0 }).listen()
  expect(all.url).toBe(`http://localhost:${all.port}`)
  expect((await fetch(all.url)).status).toBe(204)
})

test('a port in use is said to be', async () => {
  const { port } = await listening(createServer())
  const error = await listenerOf({ port, host: '127.0.0.1' })
    .listen()
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(GatewayError)
  expect(error).toMatchObject({
    code: 'GATEWAY_LISTEN_FAILED',
    source: 'config',
    message: `cannot listen on 127.0.0.1:${port}: it is in use by another process`,
  })
})

test('an address of another machine is said to be none of this one', async () => {
  const error = await listenerOf({ port: 0, host: '192.0.2.1' })
    .listen()
    .catch((reason: unknown) => reason)
  expect(error).toMatchObject({ message: 'cannot listen on 192.0.2.1:0: it is not an address of this machine' })
})

test('a connection that is not wanted is dropped without a word', async () => {
  const asked: [string, number][] = []
  const listener = listenerOf(
    { port: 0, host: '127.0.0.1' },
    {
      connection: (address, port) => {
        asked.push([address, port])
        return false
      },
    },
  )
  const { url, port } = await listener.listen()
  await expect(fetch(url)).rejects.toThrow()
  expect(asked[0]).toEqual(['127.0.0.1', port])
  expect(listener.connections).toBe(0)
})

test('a client of a dual-stack listener is known by the address that it has', async () => {
  const asked: string[] = []
  const listener = listenerOf({ port: 0 }, { connection: address => asked.push(address) > 0 })
  const { port } = await listener.listen()
  for (const host of ['127.0.0.1', '::1']) {
    const client = await connect({ port, host })
    client.send(requestText('GET /'))
    await client.response()
  }
  expect(asked).toEqual(['127.0.0.1', '::1'])
})

test('new settings hold for the next request, also on a connection that stands', async () => {
  const entries: Entry[] = []
  const listener = listenerOf(
    { port: 0, host: '127.0.0.1' },
    {
      request: (entry, stream) => {
        entries.push(entry)
        stream.sendHead(204, '', new Fields(), 0)
        stream.sendEnd(undefined)
      },
    },
  )
  const client = await connect((await listener.listen()).port)
  client.send(requestText('GET /'))
  await client.response()
  const change = listener.prepare(
    modelOf({
      port: 0,
      host: '127.0.0.1',
      trust: ['127.0.0.1'],
      limits: { bodySize: 10 },
      paths: { dotSegments: 'resolve' },
    }),
  )
  change()
  client.send(requestText('GET /'))
  await client.response()
  expect(entries.map(({ bodySize, paths, trusts }) => [bodySize, paths.dotSegments, trusts('127.0.0.1')])).toEqual([
    [0, 'refuse', false],
    [10, 'resolve', true],
  ])
})

test("its limits are the wire's", async () => {
  const serve = vi.spyOn(servers, 'http/1.1')
  onTestFinished(() => void serve.mockRestore())
  const listener = listenerOf({
    port: 0,
    host: '127.0.0.1',
    limits: {
      headSize: '1kb',
      headFields: 2,
      headTimeout: 3,
      bodyIdleTimeout: 4,
      writeIdleTimeout: 5,
      keepAliveTimeout: 6,
      requestsPerConnection: 7,
      pendingBytes: '8kb',
      http2: { maxConcurrentStreams: 9, streamWindow: '10kb', resetBurst: 11 },
    },
  })
  await fetch((await listener.listen()).url)
  expect(serve.mock.lastCall?.[1]).toMatchObject({
    maxHeadBytes: 1_024,
    maxFields: 2,
    headTimeout: 3,
    bodyIdleTimeout: 4,
    writeIdleTimeout: 5,
    keepAliveTimeout: 6,
    maxRequestsPerConnection: 7,
    maxPendingBytes: 8_192,
    maxConcurrentStreams: 9,
    streamWindow: 10_240,
    resetBurst: 11,
    resetRate: 100,
  })
})
