import { cache } from '@gateway/cache'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import { rawUpstream } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText, responseText, type Wire } from '../../../test/support/wire.ts'
import { pass, shown, stopTime } from './support.ts'

afterEach(() => void vi.useRealTimers())

const maxAge = 'Cache-Control: max-age=60'

/** A gateway whose upstream answers by hand, and clients that have sent their requests. */
async function startHeld(options: object = {}) {
  const asked: Wire[] = []
  const upstream = await rawUpstream(async wire => {
    for (;;) {
      await wire.request()
      asked.push(wire)
    }
  })
  const { port, gateway } = await startGateway(
    proxyTo(upstream.origin, { plugins: [cache()], route: { cache: { coalesce: true, ...options } } }),
  )
  const inFlight = () => gateway.generations.reduce((sum, generation) => sum + generation.inFlight, 0)
  const client = async (lines: readonly string[] = []) => {
    const wire = await connect(port)
    // Of its own, and of what it sends upstream where it is the first.
    const before = inFlight()
    wire.send(requestText('GET /', lines))
    await eventually(() => expect(inFlight()).toBeGreaterThan(before))
    return wire
  }
  /** One that is answered at once. */
  const hit = async () => shown(await exchange(port, 'GET /'))
  /** The requests that came to the upstream, once there are so many. */
  const came = async (count: number) => {
    await eventually(() => expect(asked.length).toBeGreaterThanOrEqual(count))
    expect(asked).toHaveLength(count)
    return asked
  }
  return { client, hit, came }
}

const tell = async (clients: readonly Wire[]) => Promise.all(clients.map(async wire => shown(await wire.response())))

describe('requests for the same at the same time', () => {
  test('are one', async () => {
    const { client, hit, came } = await startHeld()
    const clients = [await client(), await client(), await client()]
    const [upstream] = await came(1)
    upstream?.send(responseText(200, [maxAge], 'one'))
    expect(await tell(clients)).toEqual([
      '200 one fwd=uri-miss; stored',
      '200 one fwd=uri-miss; stored; collapsed',
      '200 one fwd=uri-miss; stored; collapsed',
    ])
    expect(await hit()).toMatch('200 one hit')
    await came(1)
  })

  test('are one also where nothing is kept, and the next is another', async () => {
    const { client, came } = await startHeld({ store: false })
    const clients = [await client(), await client()]
    const [upstream] = await came(1)
    upstream?.send(responseText(200, [], 'one'))
    expect(await tell(clients)).toEqual(['200 one fwd=uri-miss', '200 one fwd=uri-miss; collapsed'])
    const next = await client()
    ;(await came(2))[1]?.send(responseText(200, [], 'two'))
    expect(await tell([next])).toEqual(['200 two fwd=uri-miss'])
  })

  test.each<[string, string[], string[], string[]]>([
    ['private', ['Cache-Control: private'], [], []],
    ['not to be used without asking', ['Cache-Control: no-cache', 'ETag: "a"'], [], []],
    ['stale at once', ['Cache-Control: max-age=0'], [], []],
    ['with a cookie', [maxAge, 'Set-Cookie: a=b'], [], []],
    ['of another language', [maxAge, 'Vary: Accept-Language'], ['Accept-Language: en'], ['Accept-Language: de']],
    ['for somebody else', [maxAge], [], ['Authorization: b']],
    ['of somebody else', [maxAge], ['Authorization: a'], []],
    ['of a session', [], [], ['Cookie: a=b']],
  ])('each have their own where the answer is %s', async (_, lines, first, second) => {
    const { client, came } = await startHeld()
    const clients = [await client(first), await client(second), await client(second)]
    const [upstream] = await came(1)
    upstream?.send(responseText(200, lines, 'one'))
    // Nobody waits for another a second time.
    for (const wire of (await came(3)).slice(1)) wire.send(responseText(200, ['Cache-Control: private'], 'own'))
    expect((await tell(clients)).map(told => told.slice(0, 7))).toEqual(['200 one', '200 own', '200 own'])
  })

  test('share a failure', async () => {
    const { client, came } = await startHeld()
    const clients = [await client(), await client()]
    const [upstream] = await came(1)
    upstream?.socket.end('no HTTP\r\n\r\n')
    expect(await tell(clients)).toEqual(['502 GATEWAY_UPSTREAM_INVALID -', '502 GATEWAY_UPSTREAM_INVALID -'])
    await came(1)
  })

  test.each(['before the head', 'within the body'])('go on when the first client leaves %s', async when => {
    const { client, hit, came } = await startHeld()
    const first = await client()
    const second = await client()
    const [upstream] = await came(1)
    if (when === 'within the body') {
      upstream?.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nContent-Length: 8\r\n\r\nhalf`)
      await Promise.all([first.through('half'), second.through('half')])
      first.socket.destroy()
      await first.gone()
      upstream?.send('half')
      expect(await second.exactly(4)).toBe('half')
    } else {
      first.socket.destroy()
      await first.gone()
      upstream?.send(responseText(200, [maxAge], 'one'))
      expect(await tell([second])).toEqual(['200 one fwd=uri-miss; stored; collapsed'])
    }
    expect(await hit()).toMatch('hit')
  })

  test('are given up when the last client has left', async () => {
    const { client, came } = await startHeld()
    const clients = [await client(), await client()]
    const [upstream] = await came(1)
    for (const wire of clients) wire.socket.destroy()
    await upstream?.gone()
  })

  test('have what has come already when they come later', async () => {
    const { client, came } = await startHeld()
    const first = await client()
    const [upstream] = await came(1)
    upstream?.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nContent-Length: 8\r\n\r\nhalf`)
    await first.through('half')
    const second = await client()
    await second.through('half')
    upstream?.send('rest')
    expect([await first.exactly(4), await second.exactly(4)]).toEqual(['rest', 'rest'])
    await came(1)
  })
})

test('a client that does not keep up with a body too large for the cache is cut off, and the others are not', async () => {
  const { client, came } = await startHeld({ maxEntrySize: '64kb' })
  const slow = await client()
  slow.socket.pause()
  const fast = await client()
  const [upstream] = await came(1)
  const piece = 'x'.repeat(65_536)
  upstream?.send(`HTTP/1.1 200 OK\r\n${maxAge}\r\nTransfer-Encoding: chunked\r\n\r\n`)
  // More than all buffers between here and there hold.
  for (let sent = 0; sent < 40e6; sent += piece.length) upstream?.send(`10000\r\n${piece}\r\n`)
  upstream?.send('0\r\n\r\n')
  expect((await fast.response()).complete).toBe(true)
  slow.socket.resume()
  expect((await slow.response()).complete).toBe(false)
})

test('while a stale answer is given, one request is enough', async () => {
  stopTime()
  const { client, hit, came } = await startHeld({ ttl: '9s', staleWhileRevalidate: '1h' })
  const first = await client()
  ;(await came(1))[0]?.send(responseText(200, [], 'one'))
  await tell([first])
  pass(10)
  for (let round = 0; round < 3; round++) expect(await hit()).toMatch('200 one hit; ttl=-')
  const [, second] = await came(2)
  second?.send(responseText(200, [], 'two'))
  await eventually(async () => expect(await hit()).toMatch('200 two hit'))
})
