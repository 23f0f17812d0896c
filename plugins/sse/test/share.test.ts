import { once } from 'node:events'
import { sse } from '@gateway/sse'
import { describe, expect, test } from 'vitest'
import { openStream } from '../../../test/support/event-client.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { eventServer, opened } from './event-server.ts'

function startShared(origin: string, share: unknown = true, options: object = {}, more: object = {}) {
  return startGateway(proxyTo(origin, { plugins: [sse()], route: { sse: { share, ...options } }, ...more }))
}

describe('a shared stream', () => {
  test('is one upstream stream for all who ask for the same, until the last has left', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin)
    const clients = await Promise.all([1, 2, 3].map(() => openStream(port)))
    const { send, response } = await upstream.stream(1)
    send('data: one\n\n')
    for (const client of clients) await client.until('one')
    const late = await openStream(port)
    send('data: two\n\n')
    await late.until('two')
    for (const client of clients) await client.until('one', 'two')
    expect(upstream.asked.length).toBe(1)
    expect(late.answer.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    const closed = once(response, 'close')
    for (const client of [...clients, late]) client.leave()
    await closed
  })

  test('is not one for other URLs and other credentials, and tells the upstream of nothing else', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin)
    await openStream(port, { Cookie: 'session=a', 'User-Agent': 'one', 'X-User': 'alice' })
    await openStream(port, { Cookie: 'session=a', 'User-Agent': 'two' })
    await openStream(port, { Cookie: 'session=b' })
    await openStream(port, { Authorization: 'Bearer t' })
    await openStream(port, {}, '/?room=2')
    expect(
      upstream.asked.map(({ request }) => [request.url, request.headers.cookie, request.headers.authorization]),
    ).toEqual([
      ['/', 'session=a', undefined],
      ['/', 'session=b', undefined],
      ['/', undefined, 'Bearer t'],
      ['/?room=2', undefined, undefined],
    ])
    const first = upstream.asked[0]?.request.headers
    expect(first).toMatchObject({ accept: 'text/event-stream', 'accept-encoding': 'identity' })
    expect(first).not.toHaveProperty('user-agent')
    expect(first).not.toHaveProperty('x-user')
  })

  test('may be one for different users where the route says so, and then tells of none', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, { vary: [] })
    await openStream(port, { Cookie: 'session=a' })
    await openStream(port, { Cookie: 'session=b' })
    expect(upstream.asked.map(({ request }) => request.headers.cookie)).toEqual([undefined])
  })

  test('survives its upstream, and who came first', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, true, { reconnect: { delay: 1 } })
    const opener = await openStream(port)
    const other = await openStream(port)
    const first = await upstream.stream(1)
    first.send('id: 1\ndata: one\n\n')
    await other.until('one')
    opener.leave()
    await eventually(() => expect(opener.over).toBeDefined())
    first.response.destroy()
    const second = await upstream.stream(2)
    expect(second.request.headers['last-event-id']).toBe('1')
    second.send('data: two\n\n')
    await other.until('one', 'two')
  })

  test('is opened anew for a client that has seen what is not known here', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin)
    const client = await openStream(port)
    ;(await upstream.stream(1)).send('id: 5\ndata: five\n\n')
    await client.until('five')
    const behind = await openStream(port, { 'Last-Event-ID': '3' })
    expect((await upstream.stream(2)).request.headers['last-event-id']).toBe('3')
    const level = await openStream(port, { 'Last-Event-ID': '5' })
    ;(await upstream.stream(1)).send('id: 6\ndata: six\n\n')
    await level.until('six')
    await client.until('five', 'six')
    expect([upstream.asked.length, behind.data]).toEqual([2, []])
  })

  test('takes as many clients as it may', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, { maxClients: 1 })
    await openStream(port)
    expect((await openStream(port)).answer.statusCode).toBe(503)
  })

  test('that cannot be opened is answered to each', async () => {
    const upstream = await eventServer(response => response.writeHead(401).end('no'))
    const { port } = await startShared(upstream.origin)
    const clients = await Promise.all([openStream(port), openStream(port)])
    expect(clients.map(({ answer }) => answer.statusCode)).toEqual([401, 401])
  })

  test('is kept over reloads, and opened again by the config of whoever came last', async () => {
    const [before, now] = [await eventServer(), await eventServer()]
    const configOf = (origin: string) =>
      proxyTo(origin, {
        plugins: [sse()],
        route: { sse: { share: true, reconnect: { delay: 1 } } },
        drainTimeout: 20,
        log: { access: true },
        listen: { port: 0, host: '127.0.0.1' },
      })
    const { port, gateway } = await startGateway(configOf(before.origin))
    const client = await openStream(port)
    await gateway.reload(configOf(now.origin))
    await eventually(() => expect(gateway.generations.length).toBe(1))
    const other = await openStream(port)
    const first = await before.stream(1)
    first.send('data: one\n\n')
    await client.until('one')
    await other.until('one')
    first.response.destroy()
    ;(await now.stream(1)).send('data: two\n\n')
    await client.until('one', 'two')
    await other.until('one', 'two')
    expect([before.asked.length, now.asked.length]).toEqual([1, 1])
  })
})

describe.each([
  ['drop', 'cut'],
  ['skip', undefined],
] as const)('a slow client: %s', (slowClients, over) => {
  test('never slows the others, and is never held more than its bound for', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, { maxBuffer: '64kb', slowClients })
    const [slow, quick] = await Promise.all([openStream(port), openStream(port)])
    const { send } = await upstream.stream(1)
    slow.answer.pause()
    const padding = 'a'.repeat(100_000)
    // Far more than sockets hold, each sent when the last has come to the quick one.
    for (let n = 1; n <= 200; n++) {
      send(`data: ${n}\n: ${padding}\n\n`)
      await eventually(() => expect(quick.text.endsWith(`data: ${n}\n: ${padding}\n\n`)).toBe(true))
      quick.text = ''
    }
    slow.answer.resume()
    send('data: last\n\n')
    await quick.until('last')
    if (over !== undefined) return eventually(() => expect(slow.over).toBe(over))
    // Once it keeps up again.
    await eventually(() => {
      send('data: again\n\n')
      expect(slow.data.at(-1)).toBe('again')
    })
    expect(slow.data.length).toBeLessThan(200)
    expect(slow.over).toBeUndefined()
  })
})

describe('replay', () => {
  test('gives a client that comes back what it has missed, and goes on', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, true, { replay: { events: 2 } })
    const stays = await openStream(port)
    const { send } = await upstream.stream(1)
    for (const id of [1, 2, 3]) send(`id: ${id}\ndata: ${id}\n\n`)
    await stays.until('1', '2', '3')
    const back = await openStream(port, { 'Last-Event-ID': '2' })
    await back.until('3')
    send('id: 4\ndata: 4\n\n')
    await back.until('3', '4')
    expect(upstream.asked.length).toBe(1)
    // What is not kept any more, the upstream may know.
    await openStream(port, { 'Last-Event-ID': '1' })
    expect(upstream.asked[1]?.request.headers['last-event-id']).toBe('1')
  })

  test('outlives the last client: the stream is taken up where it stopped', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, true, { replay: true })
    const client = await openStream(port)
    const first = await upstream.stream(1)
    for (const id of [1, 2]) first.send(`id: ${id}\ndata: ${id}\n\n`)
    await client.until('1', '2')
    const closed = once(first.response, 'close')
    client.leave()
    await closed
    const back = await openStream(port, { 'Last-Event-ID': '1' })
    const second = await upstream.stream(2)
    expect(second.request.headers['last-event-id']).toBe('2')
    second.send('id: 3\ndata: 3\n\n')
    await back.until('2', '3')
  })

  test('is not for a client that asks for the first time', async () => {
    const upstream = await eventServer()
    const { port } = await startShared(upstream.origin, true, { replay: true })
    const client = await openStream(port)
    const first = await upstream.stream(1)
    first.send('id: 1\ndata: 1\n\n')
    await client.until('1')
    const closed = once(first.response, 'close')
    client.leave()
    await closed
    const fresh = await openStream(port)
    const second = await upstream.stream(2)
    expect(second.request.headers).not.toHaveProperty('last-event-id')
    second.send('id: 2\ndata: 2\n\n')
    await fresh.until('2')
  })
})

test('streams that a closing gateway shares end with the hint as well', async () => {
  const upstream = await eventServer((response, number) =>
    number === 1 ? opened(response) : response.writeHead(204).end(),
  )
  const { port, gateway } = await startShared(upstream.origin, true, { retry: 100, reconnect: true })
  const clients = await Promise.all([openStream(port), openStream(port)])
  const { response } = await upstream.stream(1)
  const closed = once(response, 'close')
  await gateway.close()
  await closed
  for (const client of clients) {
    await eventually(() => expect(client.over).toBe('end'))
    expect(client.text).toMatch(/^retry: 1\d\d\n\n$/)
  }
})
