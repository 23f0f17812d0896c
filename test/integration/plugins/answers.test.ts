import { PassThrough, Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { GatewayError, type RouteHooks } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText } from '../../support/wire.ts'
import {
  ask,
  askProblem,
  errorsOf,
  hooked,
  startAnswering,
  startProxy,
  thenable,
  unreadableThenable,
  untyped,
} from './support.ts'

const noting = (name: string, calls: string[]): RouteHooks => ({
  onRequest: () => void calls.push(`${name}.onRequest`),
  onResponse: () => void calls.push(`${name}.onResponse`),
  onResponseBody: () => void calls.push(`${name}.onResponseBody`),
  onFinish: (_ctx, { status }) => void calls.push(`${name}.onFinish ${status}`),
})

describe.each([
  ['at once', <T>(value: T) => value],
  ['later', <T>(value: T) => Promise.resolve(value)],
  ['by a promise of another realm', <T>(value: T) => runInNewContext('async value => value')(value) as Promise<T>],
])('an answer in onRequest, %s', (_, giving) => {
  test('ends the way forward: the upstream and later plugins never hear of it, those before see it', async () => {
    const calls: string[] = []
    const backend = await recordingBackend()
    const answering = {
      ...noting('answering', calls),
      onRequest: () => giving({ status: 401, headers: { 'WWW-Authenticate': ['Basic', 'Bearer'] }, body: 'who?' }),
    }
    const running = await startProxy(
      backend.origin,
      [
        hooked('first', noting('first', calls)),
        hooked('answering', answering),
        hooked('never', noting('never', calls)),
      ],
      {
        route: noting('config', calls),
      },
    )
    const response = await running.gateway.fetch('http://x/')
    expect([response.status, response.headers.get('www-authenticate'), await response.text()]).toEqual([
      401,
      'Basic, Bearer',
      'who?',
    ])
    expect(backend.requests).toEqual([])
    expect(calls).toEqual([
      'first.onRequest',
      'answering.onResponse',
      'first.onResponse',
      'answering.onResponseBody',
      'first.onResponseBody',
      'answering.onFinish 401',
      'first.onFinish 401',
    ])
  })

  test('may have no body, bytes, a string or a stream', async () => {
    const bodies: Record<string, () => unknown> = {
      '/none': () => undefined,
      '/bytes': () => Buffer.from('bytes'),
      '/text': () => 'text ü',
      '/empty': () => '',
      '/stream': () => Readable.from([Buffer.from('str'), 'eam']),
    }
    const running = await startAnswering([
      hooked('a', { onRequest: ctx => giving({ status: 200, body: bodies[ctx.path]?.() as string }) }),
    ])
    for (const [path, expected] of Object.entries({
      '/none': '',
      '/bytes': 'bytes',
      '/text': 'text ü',
      '/empty': '',
      '/stream': 'stream',
    })) {
      expect(await ask(running, path)).toBe(`200 ${expected}`)
      expect((await exchange(running.port, `GET ${path}`)).body).toBe(Buffer.from(expected).toString('latin1'))
    }
  })
})

test('a promise of any kind is waited for: a callable one, one that calls back at once, one that calls back twice', async () => {
  const reply = { status: 200, body: 'thenable' }
  const promises = [
    thenable((resolve: (value: unknown) => void) => resolve(reply)),
    thenable((resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
      setImmediate(() => {
        resolve(reply)
        resolve({ status: 500 })
        reject(new Error('twice'))
      })
    }),
    // Inherited, and beside a field that a reply has.
    Object.assign(Object.create(thenable((resolve: (value: unknown) => void) => resolve(reply))), { status: 299 }),
  ]
  for (const promise of promises) {
    const running = await startAnswering([untyped('a', { onRequest: () => promise })])
    expect(await ask(running)).toBe('200 thenable')
    expect(errorsOf(running)).toEqual([])
  }
})

test.each([
  [
    'a then that throws',
    thenable(() => {
      throw new Error('then')
    }),
  ],
  ['a then that cannot be read', unreadableThenable()],
])('%s is a failure of the plugin', async (_, promise) => {
  const running = await startAnswering([untyped('thrower', { onRequest: () => promise })])
  expect(await askProblem(running)).toBe('500 GATEWAY_PLUGIN_FAILED')
  expect(errorsOf(running)).toEqual(['plugin "thrower" failed in onRequest: then'])
})

const read = Readable.from(['read'])
read.destroy()

describe.each(['onRequest', 'onResponse', 'onError'])(
  'a reply from %s that is none is a 500 that names plugin and hook',
  hook => {
    test.each<[string, () => unknown, string]>([
      ['true', () => true, "a reply's status is 200 to 599, not undefined"],
      ['a string', () => 'hello', "a reply's status is 200 to 599, not undefined"],
      ['a number', () => 200, "a reply's status is 200 to 599, not undefined"],
      ['no status', () => ({}), "a reply's status is 200 to 599, not undefined"],
      ['a status of 100', () => ({ status: 100 }), "a reply's status is 200 to 599, not 100"],
      ['a status of 600', () => ({ status: 600 }), "a reply's status is 200 to 599, not 600"],
      ['a status of 200.5', () => ({ status: 200.5 }), "a reply's status is 200 to 599, not 200.5"],
      ['a status in text', () => ({ status: '200' }), "a reply's status is 200 to 599, not 200"],
      ['a header name', () => ({ status: 200, headers: { 'a b': 'x' } }), 'not a field name: "a b"'],
      [
        'a header value',
        () => ({ status: 200, headers: { a: 'x\r\ny: z' } }),
        'field a: the value holds a character that may not stand there',
      ],
      [
        'a header of a number',
        () => ({ status: 200, headers: { a: 5 } }),
        "a reply's header is a string or an array of strings, unlike a",
      ],
      [
        'an object as body',
        () => ({ status: 200, body: {} }),
        "a reply's body is a string, a Uint8Array or a Readable",
      ],
      ['null as body', () => ({ status: 200, body: null }), "a reply's body is a string, a Uint8Array or a Readable"],
      ['a stream that was closed', () => ({ status: 200, body: read }), "a reply's body was read or closed before"],
    ])('%s', async (_name, make, reason) => {
      const plugin = untyped('bad', { [hook]: make })
      const route = hook === 'onError' ? { onRequest: () => Promise.reject(new GatewayError('NOPE', 'no')) } : {}
      const running = await startAnswering([plugin], { route })
      expect(await askProblem(running)).toBe('500 GATEWAY_PLUGIN_FAILED')
      expect(errorsOf(running)).toContain(`plugin "bad" failed in ${hook}: ${reason}`)
    })
  },
)

test('what frames a message is not for plugins to say', async () => {
  const framing = {
    'Content-Length': '1',
    'Transfer-Encoding': 'gzip',
    Connection: 'x-own',
    'X-Own': '1',
    Upgrade: 'h2c',
    'X-Kept': '1',
  }
  const running = await startAnswering([
    hooked('a', {
      onRequest: ctx => (ctx.path === '/reply' ? { status: 200, headers: framing, body: 'reply' } : undefined),
      onResponse: (_ctx, { headers }) => {
        for (const [name, value] of Object.entries(framing)) headers.set(name, value)
      },
    }),
  ])
  for (const path of ['/reply', '/other']) {
    const response = await exchange(running.port, `GET ${path}`)
    expect(response.lines.filter(line => !/^(x-request-id|date|content-type)/i.test(line))).toEqual([
      'X-Kept: 1',
      `Content-Length: ${path === '/reply' ? 5 : 3}`,
      'Connection: close',
    ])
  }
})

describe('a streamed answer', () => {
  test('is closed when nobody is to get it', async () => {
    const streams: PassThrough[] = []
    const stream = () => {
      const one = new PassThrough()
      streams.push(one)
      one.write('begun')
      return one
    }
    const running = await startAnswering([
      hooked('replacing', {
        onResponse: ctx => (ctx.path === '/replaced' ? { status: 200, body: 'other' } : undefined),
      }),
      hooked('failing', { onResponse: ctx => (ctx.path === '/failed' ? Promise.reject(new Error('no')) : undefined) }),
      hooked('streaming', { onRequest: () => ({ status: 200, body: stream() }) }),
    ])
    expect(await ask(running, '/replaced')).toBe('200 other')
    expect(await askProblem(running, '/failed')).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect((await running.gateway.fetch('http://x/head', { method: 'HEAD' })).status).toBe(200)
    const aborted = await running.gateway.fetch('http://x/cancelled')
    await aborted.body?.cancel()
    expect(streams.map(one => one.destroyed)).toEqual([true, true, true, true])
  })

  test('that comes when the client has left is closed', async () => {
    const { promise, resolve } = Promise.withResolvers<{ status: number; body: PassThrough }>()
    const asked = Promise.withResolvers<void>()
    const running = await startAnswering([
      hooked('late', {
        onRequest() {
          asked.resolve()
          return promise
        },
      }),
    ])
    const controller = new AbortController()
    const response = running.gateway.fetch('http://x/', { signal: controller.signal })
    await asked.promise
    controller.abort()
    await expect(response).rejects.toThrow('aborted')
    const body = new PassThrough()
    resolve({ status: 200, body })
    await new Promise(done => body.once('close', done))
  })

  test('that fails before its head is sent is a 500', async () => {
    const running = await startAnswering([
      hooked('waiting', { onResponse: () => new Promise(resolve => setImmediate(() => setImmediate(resolve))) }),
      hooked('failing', {
        onRequest() {
          const body = new PassThrough()
          process.nextTick(() => body.destroy(new Error('disk')))
          return { status: 200, body }
        },
      }),
    ])
    expect(await askProblem(running)).toBe('500 GATEWAY_INTERNAL')
    expect(errorsOf(running)).toEqual(['disk'])
  })

  test.each<[string, (body: PassThrough) => void, string]>([
    ['fails', body => void body.destroy(new Error('disk')), 'disk'],
    ['closes early', body => void body.destroy(), "a reply's body closed before its end"],
  ])('that %s within is cut off', async (_, end, reason) => {
    const body = new PassThrough()
    const running = await startAnswering([hooked('a', { onRequest: () => ({ status: 200, body }) })])
    const client = await connect(running.port)
    client.send(requestText('GET /'))
    body.write('half')
    await client.through('half')
    end(body)
    expect(await client.rest()).not.toContain('0\r\n\r\n')
    expect(errorsOf(running)).toEqual([reason])
  })

  test('of objects is cut off', async () => {
    const running = await startAnswering([
      hooked('a', { onRequest: () => ({ status: 200, body: Readable.from([{ no: 'bytes' }]) }) }),
    ])
    const client = await connect(running.port)
    client.send(requestText('GET /'))
    await client.rest()
    expect(errorsOf(running)).toEqual(["a reply's body is made of bytes or text"])
  })

  test('waits for its reader', async () => {
    let made = 0
    const body = new Readable({
      read() {
        made++
        this.push(made > 4_000 ? null : Buffer.alloc(16_384, 'x'))
      },
    })
    const running = await startAnswering([hooked('a', { onRequest: () => ({ status: 200, body }) })])
    const response = await running.gateway.fetch('http://x/')
    await new Promise(resolve => setImmediate(resolve))
    expect(made).toBeLessThan(50)
    expect((await response.arrayBuffer()).byteLength).toBe(4_000 * 16_384)
  })
})

describe('onError', () => {
  const failing = hooked('failing', {
    onRequest: () => Promise.reject(new GatewayError('NOPE', 'inside', { status: 418, title: 'A teapot' })),
  })

  test('sees the error, and may answer in place of the problem', async () => {
    const seen: unknown[] = []
    const running = await startAnswering([
      hooked('answering', {
        onError: (_ctx, { code, status }) => {
          seen.push([code, status])
          return { status: 200, body: 'all is well' }
        },
      }),
      failing,
    ])
    expect(await ask(running)).toBe('200 all is well')
    expect(seen).toEqual([['NOPE', 418]])
  })

  test('the first to answer decides, from the last plugin to the first', async () => {
    const calls: string[] = []
    const answering = (name: string, body?: string) =>
      hooked(name, {
        onError: () => {
          calls.push(name)
          return body === undefined ? undefined : Promise.resolve({ status: 200, body })
        },
      })
    const running = await startAnswering([answering('a', 'a'), answering('b', 'b'), answering('c'), failing])
    expect(await ask(running)).toBe('200 b')
    expect(calls).toEqual(['c', 'b'])
  })

  test('without an answer the problem goes out, and says nothing of the inside', async () => {
    const running = await startAnswering([hooked('silent', { onError: () => undefined }), failing])
    const response = await running.gateway.fetch('http://x/', { headers: { 'x-request-id': 'my-id' } })
    expect(await response.json()).toEqual({
      type: 'urn:gateway:problem:nope',
      title: 'A teapot',
      status: 418,
      code: 'NOPE',
      route: 'all',
      requestId: 'my-id',
    })
  })

  test('is not asked by an error of another request, nor twice by its own', async () => {
    let asked = 0
    const running = await startAnswering([
      hooked('thrower', {
        onError: () => {
          asked++
          throw new Error('again')
        },
      }),
      hooked('failing', {
        onRequest: ctx => {
          if (ctx.path === '/fail') throw new Error('once')
        },
      }),
    ])
    expect(await askProblem(running, '/fail')).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(await ask(running, '/well')).toBe('200 own')
    expect(asked).toBe(1)
    expect(errorsOf(running)).toEqual([
      'plugin "failing" failed in onRequest: once',
      'plugin "thrower" failed in onError: again',
    ])
  })

  test('a GatewayError that no response can be made of is a plain 500', async () => {
    for (const options of [
      { status: 99 },
      { status: 1000 },
      { headers: { 'bad name': 'x' } },
      { headers: { a: 'x\n' } },
    ]) {
      for (const onRequest of [
        () => {
          throw new GatewayError('BAD', 'bad', options)
        },
        () => Promise.reject(new GatewayError('BAD', 'bad', options)),
      ]) {
        const running = await startAnswering([hooked('a', { onRequest })])
        expect(await askProblem(running)).toBe('500 GATEWAY_INTERNAL')
      }
    }
  })
})
