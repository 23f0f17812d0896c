import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable, Transform } from 'node:stream'
import type { BodyFilter, BodyStream, RouteHooks } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { lineValue } from '../../support/message.ts'
import { recordingBackend, startUpstream } from '../../support/upstream.ts'
import { connect, exchange, rawRequest, requestText, responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, hooked, startAnswering, startProxy, untyped } from './support.ts'

const text = (chunk: Uint8Array) => Buffer.from(chunk).toString('latin1')
const map = (change: (text: string) => string | undefined, end?: () => string | undefined): BodyFilter => {
  const bytes = (changed: string | undefined) => (changed === undefined ? undefined : Buffer.from(changed, 'latin1'))
  return { push: chunk => bytes(change(text(chunk))), ...(end === undefined ? {} : { end: () => bytes(end()) }) }
}
const upper = () => map(chunk => chunk.toUpperCase())
const swallow = () => map(() => undefined)
const collect = () => {
  let all = ''
  return map(
    chunk => {
      all += chunk
      return undefined
    },
    () => `[${all}]`,
  )
}
const double = () => map(chunk => chunk + chunk)
const tail = (more: string) =>
  map(
    chunk => chunk,
    () => more,
  )

/** The body that each side gets of one that says `hello`, through these filters. */
async function through(filters: readonly (() => BodyFilter | undefined)[]): Promise<{ up: string; down: string }> {
  const backend = await recordingBackend()
  const up = await startProxy(
    backend.origin,
    filters.map((make, i) => hooked(`p${i}`, { onRequestBody: make } as RouteHooks)),
  )
  expect((await exchange(up.port, 'POST /', [], 'hello')).status).toBe(200)
  const down = await startProxy(
    backend.origin,
    filters.map((make, i) => hooked(`p${i}`, { onResponseBody: make } as RouteHooks)),
  )
  const response = await exchange(down.port, 'GET /')
  expect(response.complete).toBe(true)
  const [request] = backend.requests
  expect(request?.complete).toBe(true)
  return { up: request?.body ?? '', down: response.body }
}

describe('a filter that is a stream', () => {
  const slow = (change: (text: string) => string) => ({
    stream: new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => setImmediate(() => done(null, change(text(chunk)))),
      flush: done => setImmediate(() => done(null, '.')),
    }),
  })

  test.each(['upstream', 'plugin', 'plugin, as a stream'])('stands in its place: an answer of a %s', async from => {
    const backend = await recordingBackend()
    const body = () => (from === 'plugin' ? 'hello' : Readable.from([Buffer.from('hel'), Buffer.from('lo')]))
    const { port } = await startProxy(backend.origin, [
      hooked('last', { onResponseBody: () => map(chunk => chunk.replace('.', '!')) }),
      hooked('slow', { onResponseBody: () => slow(chunk => `<${chunk}>`) }),
      hooked('first', { onResponseBody: upper }),
      hooked('answers', { onRequest: () => (from === 'upstream' ? undefined : { status: 200, body: body() }) }),
    ])
    const response = await exchange(port, 'GET /')
    expect(response.body).toBe(from === 'plugin, as a stream' ? '<HEL><LO>!' : '<HELLO>!')
    expect((await exchange(port, 'HEAD /')).status).toBe(200)
  })

  test('has back-pressure, and ends with its client', async () => {
    let sent = 0
    const closed = Promise.withResolvers<void>()
    const { origin } = await startUpstream((_request, response) => {
      const send = () => {
        do sent += 65_536
        while (response.write(Buffer.alloc(65_536)) && sent < 256e6)
      }
      response.on('drain', send).on('close', closed.resolve)
      send()
    })
    const stream = new PassThrough()
    const { port } = await startProxy(origin, [hooked('a', { onResponseBody: () => ({ stream }) })])
    const client = await connect(port)
    client.socket.pause()
    client.send(requestText('GET /'))
    let before = -1
    await eventually(async () => {
      const stalled = sent === before
      before = sent
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(stalled && sent > 0).toBe(true)
    })
    expect(sent).toBeLessThan(64e6)
    client.socket.destroy()
    await closed.promise
    await eventually(() => expect(stream.destroyed).toBe(true))
  })

  test.each<[string, () => BodyFilter | BodyStream]>([
    [
      'the stream',
      () => ({ stream: new Transform({ transform: (_chunk, _encoding, done) => done(new Error('no')) }) }),
    ],
    ['a filter before it', () => ({ push: () => 'text' as never })],
  ])('cuts the client off where %s fails', async (_, fails) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [
      hooked('stream', { onResponseBody: () => ({ stream: new PassThrough() }) }),
      hooked('bad', { onResponseBody: fails }),
    ])
    expect(await rawRequest(running.port, requestText('GET /'))).not.toMatch(/\r\n0\r\n/)
    expect(errorsOf(running)).toHaveLength(1)
  })
})

test('a filter may keep what it sees, and pass it on', async () => {
  const body = randomBytes(3_000_000)
  const upstream = await startUpstream((request, response) => void request.pipe(response))
  const kept: Uint8Array[][] = []
  const keep = (): BodyFilter => {
    const pieces: Uint8Array[] = []
    kept.push(pieces)
    return {
      push(piece) {
        pieces.push(piece)
        return piece
      },
    }
  }
  const { port } = await startProxy(upstream.origin, [hooked('a', { onRequestBody: keep, onResponseBody: keep })])
  const client = await connect(port)
  const response = client.response()
  client.send(requestText('POST /', [`Content-Length: ${body.length}`], body.toString('latin1')))
  expect((await response).body === body.toString('latin1')).toBe(true)
  expect(kept.map(pieces => Buffer.concat(pieces).equals(body))).toEqual([true, true])
})

test.each<[string, (() => BodyFilter | undefined)[], string, string?]>([
  ['changed', [upper], 'HELLO'],
  ['swallowed', [swallow], ''],
  ['kept for the end', [collect], '[hello]'],
  ['grown', [double], 'hellohello'],
  ['added to at the end', [() => tail('!')], 'hello!'],
  ['left alone', [() => undefined], 'hello'],
  // A request passes the plugins forward, a response backward.
  ['passed on, what ends one going through the next', [collect, upper, () => tail('.')], '[HELLO].', '[HELLO.]'],
  ['swallowed before the next sees it', [swallow, () => tail('end')], 'end', ''],
])('a body is %s', async (_, filters, up, down = up) => {
  expect(await through(filters)).toEqual({ up, down })
})

test('a filtered body has no length that could be wrong', async () => {
  const backend = await recordingBackend()
  const running = await startProxy(backend.origin, [hooked('a', { onRequestBody: double, onResponseBody: double })])
  const response = await exchange(running.port, 'POST /', [], 'hello')
  expect([response.framing, response.body]).toEqual(['chunked', 'hellohello'])
  expect([backend.only.framing, backend.only.body]).toEqual(['chunked', 'hellohello'])
  expect(lineValue(backend.only.lines, 'content-length')).toBeUndefined()
  expect(running.log.access.map(({ fields }) => [fields.bytesIn, fields.bytesOut])).toEqual([[5, 10]])
})

test('without a filter the bytes and their length pass untouched', async () => {
  const backend = await recordingBackend()
  const running = await startProxy(backend.origin, [hooked('a', { onRequestBody() {}, onResponseBody() {} })])
  const response = await exchange(running.port, 'POST /', [], 'hello')
  expect([response.framing, backend.only.framing]).toEqual(['length', 'length'])
})

test('who made the answer does not matter: a reply, a problem, a stream', async () => {
  const running = await startAnswering([
    hooked('a', {
      onResponseBody: upper,
      onRequest(ctx) {
        if (ctx.path === '/fail') throw new Error('no')
        return ctx.path === '/reply' ? { status: 200, body: 'reply' } : undefined
      },
    }),
  ])
  expect(await ask(running, '/')).toBe('200 OWN')
  expect(await ask(running, '/reply')).toBe('200 REPLY')
  expect(await ask(running, '/fail')).toMatch(/^500 .*"CODE":"GATEWAY_PLUGIN_FAILED"/)
})

describe('nobody is asked for a filter of a body that is not there', () => {
  const statuses = { '/204': 204, '/304': 304, '/empty': 200 } as const

  test('of a response to HEAD, a 204, a 304, an empty one', async () => {
    const asked: string[] = []
    const { origin } = await startUpstream((request, response) => {
      response.writeHead(
        statuses[request.url as keyof typeof statuses] ?? 200,
        request.url === '/empty' ? { 'content-length': 0 } : {},
      )
      response.end(request.url === '/' && request.method === 'GET' ? 'body' : undefined)
    })
    const running = await startProxy(origin, [
      hooked('a', { onResponseBody: ctx => void asked.push(`${ctx.method} ${ctx.path}`) }),
    ])
    for (const path of Object.keys(statuses)) await exchange(running.port, `GET ${path}`)
    await exchange(running.port, 'HEAD /')
    expect(asked).toEqual([])
    await exchange(running.port, 'GET /')
    expect(asked).toEqual(['GET /'])
  })

  test('of a request without a body', async () => {
    const asked: string[] = []
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [
      hooked('a', { onRequestBody: ctx => void asked.push(ctx.method) }),
    ])
    await exchange(running.port, 'GET /')
    await exchange(running.port, 'POST /', ['Content-Length: 0'])
    expect(asked).toEqual([])
    await exchange(running.port, 'PUT /', [], 'x')
    expect(asked).toEqual(['PUT'])
  })

  test('a status without a body, set by a plugin, drops the body that came', async () => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [
      hooked('a', {
        onResponse: (_ctx, head) => {
          head.status = 204
        },
      }),
    ])
    const client = await connect(running.port)
    client.send(requestText('GET /1') + requestText('GET /2', ['Connection: close']))
    for (const _ of [1, 2]) {
      const response = await client.response()
      expect([response.status, response.framing]).toEqual([204, 'none'])
    }
    expect(await client.rest()).toBe('')
  })
})

test('a filter belongs to one request', async () => {
  const backend = await recordingBackend(request => responseText(200, [], request.target))
  const running = await startProxy(backend.origin, [hooked('a', { onResponseBody: collect })])
  expect(await Promise.all(['/a', '/b', '/c'].map(path => ask(running, path)))).toEqual([
    '200 [/a]',
    '200 [/b]',
    '200 [/c]',
  ])
})

test('a request that is sent twice is asked for its filter once', async () => {
  let asked = 0
  const backend = await recordingBackend((_request, connection) =>
    connection === 1 ? responseText(200, [], 'hello') : responseText(200),
  )
  const refused = (await startUpstream(() => {})).origin
  const closed = refused.replace(/\d+$/, '9')
  const running = await startProxy(
    [closed, backend.origin],
    [
      hooked('a', {
        onRequestBody() {
          asked++
          return upper()
        },
      }),
    ],
  )
  for (let i = 0; i < 2; i++) expect((await exchange(running.port, 'POST /', [], 'again')).status).toBe(200)
  expect(backend.requests.map(request => request.body)).toEqual(['AGAIN', 'AGAIN'])
  expect(asked).toBe(2)
})

describe('back-pressure reaches through filters that let bodies grow', () => {
  const piece = Buffer.alloc(64 << 10, 'x')
  const grow = () => ({ push: (chunk: Uint8Array) => Buffer.concat([chunk, chunk]) })

  test('from a slow client to the upstream', async () => {
    let sent = 0
    let stop = false
    const { origin } = await startUpstream(async (_request, response) => {
      const closed = once(response, 'close').then(() => {
        stop = true
      })
      while (!stop && sent < 64 << 20) {
        sent += piece.length
        if (!response.write(piece)) await Promise.race([once(response, 'drain'), closed])
      }
      response.end()
    })
    const running = await startProxy(origin, [hooked('a', { onResponseBody: grow })])
    const client = await connect(running.port)
    client.socket.pause()
    client.send(requestText('GET /'))
    let before = -1
    await eventually(() => {
      const now = sent
      const still = now === before && now > 0
      before = now
      expect(still).toBe(true)
    })
    expect(sent).toBeLessThan(40 << 20)
  })

  test('from a slow upstream to the client', async () => {
    const started = Promise.withResolvers<IncomingMessage>()
    const { origin } = await startUpstream(request => {
      request.pause()
      started.resolve(request)
    })
    const running = await startProxy(origin, [hooked('a', { onRequestBody: grow })])
    const client = await connect(running.port)
    client.send(requestText('POST /', [`Content-Length: ${64 << 20}`]))
    for (let i = 0; i < 1024; i++) client.send(piece)
    const request = await started.promise
    let before = -1
    await eventually(() => {
      const now = client.socket.writableLength
      const still = now === before
      before = now
      expect(still).toBe(true)
    })
    expect(client.socket.writableLength).toBeGreaterThan(20 << 20)
    // Whose reading is paused cannot see its client go.
    client.socket.destroy()
    request.resume()
  })
})

describe('a filter that fails', () => {
  const bad: [string, () => unknown, string][] = [
    [
      'throws at a piece',
      () => ({
        push() {
          throw new Error('boom')
        },
      }),
      'boom',
    ],
    [
      'throws at the end',
      () => ({
        push: (chunk: Uint8Array) => chunk,
        end() {
          throw new Error('boom')
        },
      }),
      'boom',
    ],
    [
      'gives a string',
      () => ({ push: () => 'text' }),
      'a filter returns a Uint8Array, or undefined to swallow the piece',
    ],
    [
      'gives a string at the end',
      () => ({ push: () => undefined, end: () => 'text' }),
      'a filter returns a Uint8Array, or undefined to swallow the piece',
    ],
    [
      'gives a promise',
      () => ({ push: async (chunk: Uint8Array) => chunk }),
      'a filter returns a Uint8Array, or undefined to swallow the piece',
    ],
  ]

  test.each(bad)('in a request: it %s', async (_, filter, reason) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [untyped('bad', { onRequestBody: filter })])
    expect((await exchange(running.port, 'POST /', [], 'hello')).status).toBe(500)
    expect(errorsOf(running)).toEqual([`plugin "bad" failed in onRequestBody: ${reason}`])
    // The upstream must not take what it got for the whole request.
    expect(backend.requests.filter(request => request.complete)).toEqual([])
  })

  test.each(bad)('in a response, which is cut off: it %s', async (_, filter, reason) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [untyped('bad', { onResponseBody: filter })])
    // The head may be among what never left.
    expect(await rawRequest(running.port, requestText('GET /'))).toMatch(/^$|^HTTP\/1\.1 200 (?!.*\r\n0\r\n)/s)
    expect(errorsOf(running)).toEqual([`plugin "bad" failed in onResponseBody: ${reason}`])
  })

  test.each<[string, () => unknown]>([
    ['none', () => ({})],
    ['a promise', () => Promise.resolve({ push: () => undefined })],
    ['what only looks like a stream', () => ({ stream: {} })],
    ['a string', () => 'filter'],
  ])('at once, being %s', async (_, filter) => {
    const backend = await recordingBackend()
    for (const hook of ['onRequestBody', 'onResponseBody']) {
      const running = await startProxy(backend.origin, [untyped('bad', { [hook]: filter })])
      expect(await askProblem(running, '/', { method: 'POST', body: 'hello' })).toBe('500 GATEWAY_PLUGIN_FAILED')
      expect(errorsOf(running).at(0)).toBe(`plugin "bad" failed in ${hook}: a filter has a synchronous push(chunk)`)
    }
  })

  test('is never asked again about the answer to its own failure', async () => {
    let asked = 0
    const running = await startAnswering([
      hooked('bad', {
        onResponseBody() {
          asked++
          throw new Error('always')
        },
      }),
    ])
    expect(await askProblem(running)).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(asked).toBe(2)
  })
})
