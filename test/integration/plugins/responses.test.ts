import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, gate, hooked, startAnswering, startProxy } from './support.ts'

test('the head may be changed: status and fields, of an upstream, a reply and a problem alike', async () => {
  const { origin } = await recordingBackend(() =>
    responseText(201, ['X-Up: 1', 'Set-Cookie: a=1', 'Set-Cookie: b=2'], 'hello'),
  )
  const changing = hooked('a', {
    onResponse(_ctx, head) {
      head.headers.set('X-Was', `${head.status} ${head.fromUpstream} ${head.headers.getAll('set-cookie').join('|')}`)
      head.headers.delete('X-Up')
      head.headers.append('Set-Cookie', 'c=3')
      head.status = 299
    },
  })
  const proxy = await startProxy(origin, [changing])
  const response = await exchange(proxy.port, 'GET /')
  expect([response.status, response.body]).toEqual([299, 'hello'])
  expect(response.lines).toEqual(
    expect.arrayContaining(['X-Was: 201 true a=1|b=2', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Set-Cookie: c=3']),
  )
  expect(response.lines).not.toContain('X-Up: 1')
  const own = await startAnswering([changing], {
    route: {
      onRequest: (ctx: { path: string }) => (ctx.path === '/fail' ? Promise.reject(new Error('x')) : undefined),
    },
  })
  expect((await exchange(own.port, 'GET /')).lines).toContain('X-Was: 200 false')
  expect((await exchange(own.port, 'GET /fail')).lines).toContain('X-Was: 500 false')
})

test.each([99, 600, 0, '200', undefined, Number.NaN, '200 OK\r\nX: y'])(
  'a status of %j is a 500, and not what goes out',
  async status => {
    const { origin } = await recordingBackend()
    const bad = hooked('a', {
      onResponse(_ctx, head) {
        if (head.fromUpstream) head.status = status as number
      },
    })
    expect(await askProblem(await startProxy(origin, [bad]))).toBe('500 GATEWAY_INTERNAL')
  },
)

describe('a response that a plugin replaces', () => {
  test.each([
    ['at once', <T>(value: T) => value],
    ['later', <T>(value: T) => Promise.resolve(value)],
  ])('%s: those before see the replacement, and the upstream is given up', async (_, giving) => {
    const seen: unknown[] = []
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf')
    })
    const watching = (name: string) =>
      hooked(name, { onResponse: (_ctx, head) => void seen.push([name, head.status, head.fromUpstream]) })
    const running = await startProxy(upstream.origin, [
      watching('first'),
      hooked('replacing', { onResponse: () => giving({ status: 203, body: 'replaced' }) }),
      watching('last'),
    ])
    expect(await ask(running)).toBe('203 replaced')
    expect(seen).toEqual([
      ['last', 200, true],
      ['first', 203, false],
    ])
    await (await upstream.connection(1)).gone()
  })

  test('may be replaced again', async () => {
    const running = await startAnswering(
      ['a', 'b', 'c'].map(name => hooked(name, { onResponse: () => ({ status: 200, body: name }) })),
    )
    expect(await ask(running)).toBe('200 a')
  })

  test('of a request that answers HEAD has no body either', async () => {
    const running = await startAnswering([hooked('a', { onResponse: () => ({ status: 200, body: 'replaced' }) })])
    const client = await connect(running.port)
    client.send(requestText('HEAD /', ['Connection: close']))
    const response = await client.response('HEAD')
    expect(response.lines).toContain('Content-Length: 8')
    expect(await client.rest()).toBe('')
  })
})

describe('while onResponse is waited for', () => {
  async function waiting(more: Parameters<typeof startProxy>[2] = {}) {
    const asked = gate()
    const open = gate()
    const upstream = await rawUpstream(() => {})
    const slow = hooked('slow', {
      onResponse(_ctx, head) {
        asked.resolve()
        return head.fromUpstream ? open.promise : undefined
      },
    })
    const running = await startProxy(upstream.origin, [slow], more)
    const client = await connect(running.port)
    client.send(requestText('GET /', ['Connection: close']))
    const server = await upstream.connection(1)
    await server.request()
    return { asked, open, server, client, running }
  }

  test('a whole response may arrive, and waits', async () => {
    const { asked, open, server, client, running } = await waiting()
    server.send(responseText(200, [], 'whole'))
    await asked.promise
    expect(client.received).toBe('')
    open.resolve()
    expect((await client.response()).body).toBe('whole')
    expect(running.log.access.map(({ fields }) => fields.bytesOut)).toEqual([5])
  })

  test('a body may come in pieces, trailers and all', async () => {
    const { asked, open, server, client } = await waiting()
    server.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n')
    await asked.promise
    server.send('4\r\nlate\r\n')
    open.resolve()
    await client.through('early')
    server.send('0\r\nX-Trailer: 1\r\n\r\n')
    expect(await client.rest()).toContain('late\r\n0\r\nX-Trailer: 1\r\n\r\n')
  })

  test('a large body is held back at its source', async () => {
    const { asked, open, server, client } = await waiting()
    const size = 32 << 20
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    server.send(Buffer.alloc(size, 'x'))
    await asked.promise
    let before = -1
    await eventually(() => {
      const now = server.socket.writableLength
      const still = now === before
      before = now
      expect(still).toBe(true)
    })
    expect(server.socket.writableLength).toBeGreaterThan(16 << 20)
    open.resolve()
    expect((await client.response()).body.length).toBe(size)
  })

  test('an upstream that breaks off is an error, since nothing has been sent', async () => {
    const { asked, open, server, client, running } = await waiting()
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    await asked.promise
    server.socket.destroy()
    expect((await client.response()).status).toBe(502)
    open.resolve()
    expect(running.log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([
      [502, 'GATEWAY_UPSTREAM_TRUNCATED'],
    ])
  })

  test('a client that leaves takes the upstream with it', async () => {
    const { asked, open, server, client, running } = await waiting()
    server.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    await asked.promise
    client.socket.destroy()
    await server.gone()
    open.resolve()
    expect(errorsOf(running)).toEqual([])
  })
})
