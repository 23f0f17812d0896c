import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { rawUpstream, recordingBackend, startUpstream } from '../../support/upstream.ts'
import { responseText } from '../../support/wire.ts'
import { ask, askProblem, hooked, startAnswering, startProxy } from './support.ts'

const stream = (
  pieces: readonly unknown[],
  then: (controller: ReadableStreamDefaultController) => void = controller => controller.close(),
) =>
  new ReadableStream({
    pull(controller) {
      const [piece, ...rest] = pieces
      pieces = rest
      if (piece === undefined) then(controller)
      else controller.enqueue(piece)
    },
  })
const bytes = (text: string) => new TextEncoder().encode(text)
const post = (body: unknown, more: object = {}) => ({ method: 'POST', body, duplex: 'half', ...more }) as RequestInit

describe('a request', () => {
  test('reaches plugins and upstream as one from a socket does', async () => {
    const backend = await recordingBackend()
    const seen: unknown[] = []
    const running = await startProxy(backend.origin, [
      hooked('a', {
        onRequest: ctx =>
          void seen.push([ctx.method, ctx.host, ctx.path, ctx.query, ctx.client, ctx.headers.get('x-a')]),
      }),
    ])
    const request = new Request('https://user.test:8443/a/b?c=d#e', {
      method: 'PUT',
      body: 'body',
      headers: { 'X-A': '1, 2', 'X-Request-ID': 'mine' },
    })
    const response = await running.gateway.fetch(request)
    expect([response.status, await response.text(), response.headers.get('x-request-id')]).toEqual([
      200,
      'hello',
      'mine',
    ])
    expect(seen).toEqual([
      ['PUT', 'user.test', '/a/b', 'c=d', expect.objectContaining({ address: '127.0.0.1', scheme: 'https' }), '1, 2'],
    ])
    expect([
      backend.only.start,
      backend.only.body,
      lineValue(backend.only.lines, 'x-forwarded-proto'),
      lineValue(backend.only.lines, 'x-forwarded-host'),
    ]).toEqual(['PUT /a/b?c=d HTTP/1.1', 'body', 'https', 'user.test:8443'])
  })

  test('may be a string, a URL, with an init, and name another host', async () => {
    const hosts: string[] = []
    const running = await startAnswering([hooked('a', { onRequest: ctx => void hosts.push(ctx.host) })])
    await running.gateway.fetch('http://one/')
    await running.gateway.fetch(new URL('http://two/'))
    await running.gateway.fetch(new Request('http://three/'), { headers: { Host: 'four' } })
    expect(hosts).toEqual(['one', 'two', 'four'])
    await expect(running.gateway.fetch('nonsense')).rejects.toThrow('URL')
  })

  test('with a body in pieces', async () => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [])
    expect(await ask(running, '/', post(stream([bytes('one '), bytes('two')])))).toBe('200 hello')
    expect([backend.only.framing, backend.only.body]).toEqual(['chunked', 'one two'])
  })

  test.each(['0', '-5', 'x', '1e3', ''])('with %j for a length is sent in pieces', async length => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [])
    expect(await ask(running, '/', post('hello', { headers: { 'Content-Length': length } }))).toBe('200 hello')
    expect([backend.only.framing, backend.only.body]).toEqual(['chunked', 'hello'])
  })

  test('with a length that is right keeps it', async () => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [])
    expect(
      await ask(running, '/', post(stream([bytes('one '), bytes('two')]), { headers: { 'Content-Length': '7' } })),
    ).toBe('200 hello')
    expect([backend.only.framing, backend.only.body]).toEqual(['length', 'one two'])
  })

  test.each([
    ['too long', 'hello world', '5'],
    ['too short', 'hello', '50'],
  ])('with a body that is %s for its length rejects, and the upstream never gets it whole', async (_, body, length) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [])
    await expect(
      running.gateway.fetch('http://x/', post(body, { headers: { 'Content-Length': length } })),
    ).rejects.toThrow('Content-Length')
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
    expect(backend.requests.filter(request => request.complete)).toEqual([])
  })

  test.each<[string, ReadableStream, string]>([
    ['fails', stream([bytes('half')], controller => controller.error(new Error('disk'))), 'disk'],
    ['is not made of bytes', stream(['text']), 'a piece of the body is not a Uint8Array'],
  ])('with a body that %s rejects, and the upstream never gets it whole', async (_, body, reason) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [])
    await expect(running.gateway.fetch('http://x/', post(body))).rejects.toThrow(reason)
    await eventually(() =>
      expect(running.log.access.map(({ fields }) => fields.code)).toEqual(['GATEWAY_CLIENT_CLOSED']),
    )
    expect(backend.requests.filter(request => request.complete)).toEqual([])
  })

  test('whose body nobody reads: it is cancelled with the answer', async () => {
    let cancelled = false
    const endless = new ReadableStream({
      pull: controller => controller.enqueue(new Uint8Array(1024)),
      cancel() {
        cancelled = true
      },
    })
    const { origin } = await startUpstream(
      (_request, response) => void response.writeHead(413, { connection: 'close' }).end('too much'),
    )
    const running = await startProxy(origin, [])
    expect(await ask(running, '/', post(endless))).toBe('413 too much')
    await eventually(() => expect(cancelled).toBe(true))
  })

  test('waits for a slow upstream', async () => {
    let pulled = 0
    const reading = Promise.withResolvers<{ resume(): void }>()
    const { origin } = await startUpstream((request, response) => {
      request.pause()
      request.on('end', () => response.end('done'))
      reading.resolve(request)
    })
    const body = new ReadableStream({
      pull(controller) {
        pulled++
        if (pulled > 500) controller.close()
        else controller.enqueue(new Uint8Array(100_000))
      },
    })
    const running = await startProxy(origin, [])
    const answered = ask(running, '/', post(body))
    const request = await reading.promise
    let before = -1
    await eventually(() => {
      const now = pulled
      const still = now === before
      before = now
      expect(still).toBe(true)
    })
    expect(pulled).toBeLessThan(300)
    request.resume()
    expect(await answered).toBe('200 done')
  })
})

describe('a response', () => {
  test.each([204, 205, 304])('of status %i has no body', async status => {
    const running = await startAnswering([
      hooked('a', { onRequest: () => ({ status, body: status === 205 ? '' : 'dropped' }) }),
    ])
    const response = await running.gateway.fetch('http://x/')
    expect([response.status, response.body]).toEqual([status, null])
  })

  test('to HEAD has the length of one to GET', async () => {
    const running = await startAnswering([])
    const response = await running.gateway.fetch('http://x/', { method: 'HEAD' })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '3', ''])
  })

  test('keeps several cookies, and no field of the connection', async () => {
    const { origin } = await recordingBackend(() =>
      responseText(200, ['Set-Cookie: a=1', 'Set-Cookie: b=2', 'Connection: keep-alive, x-hop', 'X-Hop: 1']),
    )
    const response = await (await startProxy(origin, [])).gateway.fetch('http://x/')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([
      response.headers.get('connection'),
      response.headers.get('x-hop'),
      response.headers.get('content-length'),
    ]).toEqual([null, null, '0'])
  })

  test('that breaks off fails while it is read', async () => {
    const { origin } = await rawUpstream(async wire => {
      await wire.request()
      wire.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    const response = await (await startProxy(origin, [])).gateway.fetch('http://x/')
    await expect(response.text()).rejects.toMatchObject({ code: 'GATEWAY_UPSTREAM_TRUNCATED' })
  })

  test('waits for its reader', async () => {
    const { origin } = await startUpstream((_request, response) => {
      response.end(Buffer.alloc(64 << 20, 'x'))
      response.on('close', () => {})
    })
    const running = await startProxy(origin, [])
    const response = await running.gateway.fetch('http://x/')
    const passed = () => running.gateway.generations[0]?.inFlight
    await new Promise(resolve => setImmediate(resolve))
    expect(passed()).toBe(1)
    expect((await response.arrayBuffer()).byteLength).toBe(64 << 20)
    await eventually(() => expect(passed()).toBe(0))
  })
})

describe('giving up', () => {
  test('before the head rejects with the reason and cancels the upstream', async () => {
    const upstream = await rawUpstream(() => {})
    const running = await startProxy(upstream.origin, [])
    const controller = new AbortController()
    const fetched = running.gateway.fetch('http://x/', { signal: controller.signal })
    const server = await upstream.connection(1)
    await server.request()
    controller.abort(new Error('enough'))
    await expect(fetched).rejects.toThrow('enough')
    await server.gone()
  })

  test.each<[string, (response: Response, controller: AbortController) => Promise<unknown>]>([
    [
      'by its signal',
      async (response, controller) => {
        const read = expect(response.text()).rejects.toThrow('enough')
        controller.abort(new Error('enough'))
        await read
      },
    ],
    ['by cancelling the body', response => response.body?.cancel() ?? Promise.resolve()],
  ])('within the body, %s, cancels the upstream', async (_, leave) => {
    const upstream = await rawUpstream(async wire => {
      await wire.request()
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    const running = await startProxy(upstream.origin, [])
    const controller = new AbortController()
    const response = await running.gateway.fetch('http://x/', { signal: controller.signal })
    await leave(response, controller)
    await (await upstream.connection(1)).gone()
    await eventually(() =>
      expect(running.log.access.map(({ fields }) => [fields.status, fields.code])).toEqual([
        [200, 'GATEWAY_CLIENT_CLOSED'],
      ]),
    )
  })

  test('before it began', async () => {
    const running = await startAnswering([hooked('never', { onRequest: () => new Promise<never>(() => {}) })])
    await expect(running.gateway.fetch('http://x/', { signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow(
      'early',
    )
    expect(running.gateway.generations[0]?.inFlight).toBe(0)
  })
})

test('what is not routed is answered like any other request', async () => {
  const running = await startAnswering([], { routes: { one: { match: 'GET /one', reply: { status: 200 } } } })
  expect(await askProblem(running, '/two')).toBe('404 GATEWAY_ROUTE_NOT_FOUND')
  expect(await askProblem(running, '/one', { method: 'POST' })).toBe('405 GATEWAY_METHOD_NOT_ALLOWED')
  expect(await askProblem(running, '/a%2Fb')).toBe('400 GATEWAY_BAD_PATH')
})
