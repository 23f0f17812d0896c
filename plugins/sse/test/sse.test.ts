import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { sse } from '@gateway/sse'
import { pluginSuite, testGateway } from '@gateway/testing'
import { describe, expect, test, vi } from 'vitest'
import { onCleanup } from '../../../test/support/cleanup.ts'
import { openStream } from '../../../test/support/event-client.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { eventServer, opened } from './event-server.ts'

for (const { name, run } of pluginSuite(() => sse(), { routeOptions: true })) test(name, run)

/** A gateway whose one route has these options. */
function startSse(origin: string, options: unknown = true, route: object = {}) {
  return startGateway(proxyTo(origin, { plugins: [sse()], route: { sse: options, ...route } }))
}

/** A stream by the clock of a test gateway: `read` gives what has come since, or throws what broke it off. */
async function fakeStream(options: object) {
  let upstream: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      upstream = controller
    },
  })
  const headers = { 'Content-Type': 'text/event-stream' }
  const config = proxyTo('http://events.test', { plugins: [sse()], route: { sse: options } })
  const gateway = await testGateway(config, { upstreams: { backend: () => new Response(body, { headers }) } })
  onCleanup('gateways', () => gateway.close())
  const response = await gateway.fetch('/')
  let text = ''
  let failure: unknown
  const reading = async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk)
  }
  reading().catch(error => {
    failure = error
  })
  return {
    gateway,
    send: (events: string) => upstream?.enqueue(Buffer.from(events)),
    async read() {
      await gateway.clock.advance(0)
      if (failure !== undefined) throw failure
      const read = text
      text = ''
      return read
    },
  }
}

describe('a stream', () => {
  test('passes event by event, with the fields that keep others from holding it back', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin)
    const client = await openStream(port, { 'Accept-Encoding': 'gzip', 'Last-Event-ID': '41' })
    const { request, send } = await upstream.stream(1)
    expect(request.headers).toMatchObject({ 'accept-encoding': 'identity', 'last-event-id': '41' })
    expect(client.answer.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    })
    send('id: 42\ndata: one\n\ndata: tw')
    await client.until('one')
    send('o\n\n')
    await client.until('one', 'two')
    expect(client.text).toBe('id: 42\ndata: one\n\ndata: two\n\n')
  })

  test('keeps the Cache-Control of its upstream', async () => {
    const upstream = await eventServer(response =>
      response
        .writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' })
        .flushHeaders(),
    )
    const { port } = await startSse(upstream.origin)
    expect((await openStream(port)).answer.headers['cache-control']).toBe('no-store')
  })

  test('ends when its upstream does, with what came last', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin)
    const client = await openStream(port)
    const { response } = await upstream.stream(1)
    response.end('data: one\n\ndata: [DONE]')
    await eventually(() => expect(client.over).toBe('end'))
    expect(client.data).toEqual(['one', '[DONE]'])
  })

  test('is cut off when its upstream is', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin)
    const client = await openStream(port)
    const { response, send } = await upstream.stream(1)
    send('data: one\n\n')
    await client.until('one')
    response.destroy()
    await eventually(() => expect(client.over).toBe('cut'))
  })

  test('is given up when its client leaves', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin)
    const client = await openStream(port)
    const { response } = await upstream.stream(1)
    const closed = once(response, 'close')
    client.leave()
    await closed
  })

  test('is cut off at an event that is too large', async () => {
    const upstream = await eventServer()
    const { port, log } = await startSse(upstream.origin, { maxEventSize: '1kb' })
    const client = await openStream(port)
    const { send } = await upstream.stream(1)
    send(`data: one\n\ndata: ${'a'.repeat(2_000)}`)
    await eventually(() => expect(client.over).toBe('cut'))
    expect(log.all.some(({ fields }) => (fields as { code?: string }).code === 'SSE_EVENT_TOO_LARGE')).toBe(true)
  })

  test('gets comments while its upstream is silent, but never within an event', async () => {
    const { gateway, send, read } = await fakeStream({ heartbeat: '15s' })
    send('data: a\n')
    await gateway.clock.advance('14999ms')
    expect(await read()).toBe('')
    await gateway.clock.advance(1)
    expect(await read()).toBe(':\n\n')
    await gateway.clock.advance('10s')
    send('data: b\n\n')
    await gateway.clock.advance('14s')
    expect(await read()).toBe('data: a\ndata: b\n\n')
    await gateway.clock.advance('31s')
    expect(await read()).toBe(':\n\n'.repeat(3))
  })

  test('may be silent for the idle timeout of its own, which comments satisfy', async () => {
    const { gateway, send, read } = await fakeStream({ heartbeat: 0, idleTimeout: '10m' })
    for (let times = 0; times < 3; times++) {
      await gateway.clock.advance('9m')
      send(':\n\n')
      expect(await read()).toBe(':\n\n')
    }
    await gateway.clock.advance('599s')
    expect(gateway.log).not.toContainEqual(expect.objectContaining({ level: 'error' }))
    await gateway.clock.advance('2s')
    await expect(read()).rejects.toThrow()
    expect(gateway.log.map(({ fields }) => fields.code)).toContain('GATEWAY_UPSTREAM_IDLE_TIMEOUT')
  })

  test('of a client that does not read holds up its upstream, not the memory', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { heartbeat: 5 })
    const client = await openStream(port)
    client.answer.pause()
    const { response } = await upstream.stream(1)
    const event = `data: ${'a'.repeat(10_000)}\n\n`
    let sent = 0
    const send = () => {
      do sent += event.length
      while (response.write(event) && sent < 64e6)
    }
    response.on('drain', send)
    send()
    // As much as goes: sockets have buffers of their own, and then nothing is taken any more.
    let before = 0
    await vi.waitFor(
      () => {
        const stopped = sent === before
        before = sent
        expect(stopped).toBe(true)
      },
      { timeout: 15_000, interval: 200 },
    )
    expect(sent).toBeLessThan(32e6)
  })
})

describe('what is no stream', () => {
  test.each([
    [404, 'text/event-stream'],
    [200, 'application/json'],
  ])('%i %s passes as it is', async (status, type) => {
    const upstream = await eventServer(response =>
      response.writeHead(status, { 'Content-Type': type, 'Content-Length': '2' }).end('{}'),
    )
    const { port } = await startSse(upstream.origin, { heartbeat: 1, share: true, reconnect: true })
    const client = await openStream(port)
    await eventually(() => expect(client.over).toBe('end'))
    expect([client.answer.statusCode, client.text]).toEqual([status, '{}'])
    expect(client.answer.headers).toMatchObject({ 'content-type': type, 'content-length': '2' })
    expect(client.answer.headers).not.toHaveProperty('x-accel-buffering')
  })
})

describe('limits', () => {
  test('by route and by client, and whoever leaves makes room', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { maxConnections: 2 })
    const [first] = await Promise.all([openStream(port), openStream(port)])
    const refused = await openStream(port)
    expect([refused.answer.statusCode, refused.answer.headers['retry-after']]).toEqual([503, '5'])
    first.leave()
    await eventually(async () => expect((await openStream(port)).answer.statusCode).toBe(200))
  })

  test('by client address', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { maxConnectionsPerClient: 1 })
    await openStream(port)
    expect((await openStream(port)).answer.statusCode).toBe(429)
  })

  test('by the network of an IPv6 client, who has as many addresses as it likes', async () => {
    const upstream = await eventServer()
    const route = { sse: { maxConnectionsPerClient: 1 } }
    const { port } = await startGateway(
      proxyTo(upstream.origin, { plugins: [sse()], listen: { trust: ['127.0.0.1'] }, route }),
    )
    const statusFrom = async (address: string) =>
      (await openStream(port, { 'X-Forwarded-For': address })).answer.statusCode
    expect(await statusFrom('2001:db8:1:2::3')).toBe(200)
    expect(await statusFrom('2001:db8:1:2:ffff::4')).toBe(429)
    expect(await statusFrom('2001:db8:1:3::3')).toBe(200)
  })
})

test('is listed with its events while it is open, and an operator can end it', async () => {
  const upstream = await eventServer()
  const { port, gateway } = await startSse(upstream.origin, { retry: 2_000 })
  const client = await openStream(port)
  const { send } = await upstream.stream(1)
  send('data: one\n\n:\n\ndata: two\n\n')
  await client.until('one', 'two')
  const [open] = gateway.connections
  expect(open).toMatchObject({ protocol: 'sse', route: 'all', client: '127.0.0.1', messages: 2, bytesIn: 0 })
  expect([open?.target, open?.bytesOut]).toEqual([upstream.origin, client.text.length])
  expect(gateway.connectionCounts).toEqual([{ route: 'all', protocol: 'sse', open: 1, opened: 1 }])
  expect(gateway.closeConnection(open?.id ?? '')).toBe(true)
  await eventually(() => expect(client.over).toBe('end'))
  expect(client.text).toMatch(/retry: [23]\d{3}\n\n$/)
  await eventually(() => expect(gateway.connections).toEqual([]))
  expect(gateway.connectionCounts).toEqual([{ route: 'all', protocol: 'sse', open: 0, opened: 1 }])
})

describe('reconnection', () => {
  const reconnect = { attempts: 2, delay: 1, maxDelay: 5 }

  test('goes on after the last event, unnoticed, and half an event is not seen twice', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { reconnect: { ...reconnect, attempts: 1 } })
    const client = await openStream(port, { Authorization: 'Bearer t', 'Last-Event-ID': '6' })
    const first = await upstream.stream(1)
    first.send('id: 7\ndata: one\n\nid: 8\ndata: ha')
    await client.until('one')
    first.response.destroy()
    const second = await upstream.stream(2)
    expect(second.request.headers).toMatchObject({ 'last-event-id': '7', authorization: 'Bearer t' })
    expect(second.request.headers.via).toBe(first.request.headers.via)
    second.send('id: 8\ndata: half\n\n')
    await client.until('one', 'half')
    // An end is a loss, too.
    second.response.end()
    const third = await upstream.stream(3)
    expect(third.request.headers['last-event-id']).toBe('8')
    third.send('data: three\n\n')
    await client.until('one', 'half', 'three')
    expect(client.over).toBeUndefined()
  })

  test('begins with what the client had seen', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { reconnect })
    await openStream(port, { 'Last-Event-ID': '6' })
    ;(await upstream.stream(1)).response.destroy()
    expect((await upstream.stream(2)).request.headers['last-event-id']).toBe('6')
  })

  test('is given up after so many in a row', async () => {
    const upstream = await eventServer((response, number) => {
      if (number === 1) opened(response)
      else response.writeHead(503).end()
    })
    const { port } = await startSse(upstream.origin, { reconnect })
    const client = await openStream(port)
    ;(await upstream.stream(1)).response.end()
    await eventually(() => expect(client.over).toBe('cut'))
    expect(upstream.asked.length).toBe(3)
  })

  test('ends with an upstream that wants no more of it', async () => {
    const upstream = await eventServer((response, number) => {
      if (number === 1) opened(response)
      else response.writeHead(204).end()
    })
    const { port } = await startSse(upstream.origin, { reconnect })
    const client = await openStream(port)
    ;(await upstream.stream(1)).response.end()
    await eventually(() => expect(client.over).toBe('end'))
    expect(upstream.asked.length).toBe(2)
  })

  test('waits as long as the upstream asks for', async () => {
    const upstream = await eventServer()
    const { port } = await startSse(upstream.origin, { reconnect: { ...reconnect, maxDelay: 10_000 } })
    const client = await openStream(port)
    const first = await upstream.stream(1)
    first.send('retry: 200\ndata: one\n\n')
    await client.until('one')
    const from = performance.now()
    first.response.end()
    await upstream.stream(2)
    expect(performance.now() - from).toBeGreaterThan(190)
  })
})

describe('the end of the gateway and its configs', () => {
  test('a gateway that closes ends its streams at once, and says when to come back', async () => {
    const upstream = await eventServer()
    const { port, gateway } = await startSse(upstream.origin, { retry: 2_000 }, {})
    const client = await openStream(port)
    const { send } = await upstream.stream(1)
    send('data: one\n\n')
    await client.until('one')
    await gateway.close()
    await eventually(() => expect(client.over).toBe('end'))
    const [, retry] = /^data: one\n\nretry: (\d+)\n\n$/.exec(client.text) ?? []
    expect(Number(retry)).toBeGreaterThanOrEqual(2_000)
    expect(Number(retry)).toBeLessThanOrEqual(3_000)
  })

  test('a stream that is answered while the gateway closes is sent away likewise', async () => {
    const upstream = await eventServer(() => {})
    const { port, gateway } = await startSse(upstream.origin, { retry: 100 })
    const opening = openStream(port)
    const { response } = await upstream.stream(1)
    const closed = gateway.close()
    opened(response)
    const client = await opening
    await eventually(() => expect(client.over).toBe('end'))
    expect(client.text).toMatch(/^retry: 1\d\d\n\n$/)
    await closed
  })

  test('a stream goes on over reloads and past their drain time, and can reconnect', async () => {
    const upstream = await eventServer()
    const options = { reconnect: { delay: 1 } }
    const config = proxyTo(upstream.origin, {
      plugins: [sse()],
      route: { sse: options },
      drainTimeout: 20,
      log: { access: true },
      listen: { port: 0, host: '127.0.0.1' },
    })
    const { port, gateway } = await startGateway(config)
    const client = await openStream(port)
    const first = await upstream.stream(1)
    await gateway.reload(config)
    await eventually(() => expect(gateway.generations.length).toBe(1))
    first.send('data: one\n\n')
    await client.until('one')
    first.response.destroy()
    const second = await upstream.stream(2)
    second.send('data: two\n\n')
    await client.until('one', 'two')
    expect(client.over).toBeUndefined()
  })
})

describe('what is refused', () => {
  test.each([
    [{ sse: true, timeout: '10s' }, /total/],
    [{ sse: { replay: true } }, /needs share/],
    [{ sse: { heartbeat: 'often' } }, /duration/],
  ])('%j', async (route, message) => {
    await expect(startGateway(proxyTo('http://127.0.0.1:9', { plugins: [sse()], route }))).rejects.toThrow(message)
  })
})

test('EventSource reads it, and comes back with what it has seen', async () => {
  const upstream = await eventServer()
  const { port } = await startSse(upstream.origin)
  const script = `
    const source = new EventSource('http://127.0.0.1:${port}/')
    setInterval(() => {}, 1_000)
    source.onmessage = ({ data, lastEventId }) => console.log(lastEventId, data)
  `
  const child = spawn(process.execPath, ['--experimental-eventsource', '--no-warnings', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onCleanup('clients', async () => {
    const exit = child.exitCode === null && once(child, 'exit')
    child.kill()
    await exit
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const first = await upstream.stream(1)
  first.send('retry: 10\nid: 1\ndata: one\n\n')
  await eventually(() => expect(printed).toBe('1 one\n'))
  first.response.end()
  const second = await upstream.stream(2)
  expect(second.request.headers['last-event-id']).toBe('1')
  second.send('id: 2\ndata: two\n\n')
  await eventually(() => expect(printed).toBe('1 one\n2 two\n'))
})
