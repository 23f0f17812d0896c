import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createGateway, defineConfig, silentLog } from '@gateway/core'
import { pluginSuite } from '@gateway/testing'
import { transform } from '@gateway/transform'
import { describe, expect, test } from 'vitest'
import { proxyTo, startGateway } from '../../../test/support/gateway.ts'
import type { Message } from '../../../test/support/message.ts'
import { answering, recordingBackend, startUpstream } from '../../../test/support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../../test/support/wire.ts'

type Options = NonNullable<Parameters<typeof transform>[0]>

const rules: Options = { request: { headers: { remove: ['x-a'] } }, response: { headers: { set: { 'X-B': 'b' } } } }
for (const { name, run } of pluginSuite(() => transform(), { routeOptions: rules })) test(name, run)

async function startWith(options: Options, { lines = [] as string[], body = '', route = {} } = {}) {
  const backend = await recordingBackend(() => responseText(200, lines, body))
  const { port } = await startGateway(proxyTo(backend.origin, { plugins: [transform(options)], route }))
  return { backend, port }
}

/** Lines of a message whose names begin with `x-`. */
const own = ({ lines }: Message) => lines.filter(line => /^x-(?!request-id|forwarded|real)/i.test(line))
const codeOf = ({ status, body }: Message) => `${status} ${(JSON.parse(body) as { code: string }).code}`

describe('fields of a request', () => {
  test.each<[string, NonNullable<Options['request']>['headers'], string[], string[]]>([
    ['set', { set: { 'X-A': 'new' } }, ['X-A: 1', 'X-A: 2'], ['X-A: new']],
    ['set by a function', { set: { 'X-A': ctx => `${ctx.method} ${ctx.route}` } }, [], ['X-A: POST all']],
    ['set to nothing', { set: { 'X-A': () => undefined } }, ['X-A: 1'], ['X-A: 1']],
    ['append', { append: { 'X-A': '2' } }, ['X-A: 1'], ['X-A: 1', 'X-A: 2']],
    ['remove', { remove: ['x-a'] }, ['X-A: 1', 'X-B: 2'], ['X-B: 2']],
    ['rename', { rename: { 'X-A': 'X-B' } }, ['X-A: 1', 'X-A: 2', 'X-B: 3'], ['X-B: 1', 'X-B: 2']],
    ['rename what is not there', { rename: { 'X-A': 'X-B' } }, ['X-B: 3'], ['X-B: 3']],
    ['replace', { replace: { 'X-A': { pattern: '\\d', with: '#' } } }, ['X-A: a1b2'], ['X-A: a#b#']],
    ['replace once', { replace: { 'X-A': { pattern: /\d/ } } }, ['X-A: a1b2'], ['X-A: ab2']],
    [
      'all in order',
      { rename: { 'X-A': 'X-B' }, remove: ['X-C'], set: { 'X-C': 'c' } },
      ['X-A: 1', 'X-C: 2'],
      ['X-B: 1', 'X-C: c'],
    ],
  ])('%s', async (_, headers, sent, arrived) => {
    const { port, backend } = await startWith({ request: { headers } })
    await exchange(port, 'POST /', sent, 'body')
    expect(own(backend.only)).toEqual(arrived)
  })
})

describe('the target of a request', () => {
  test.each<[string, NonNullable<Options['request']>, string, string]>([
    ['set', { query: { set: { a: 'x y', b: '2' } } }, '/?a=1&c=%33&a=2', '/?c=%33&a=x%20y&b=2'],
    ['set by a function', { query: { set: { m: ctx => ctx.method } } }, '/', '/?m=GET'],
    ['remove', { query: { remove: ['a b'] } }, '/?a+b=1&a%20b=2&c', '/?c'],
    ['remove all', { query: { remove: ['a'] } }, '/?a=1', '/'],
    ['rename', { query: { rename: { a: 'b&' } } }, '/?a=1&a&x=%zz', '/?b%26=1&b%26&x=%zz'],
    ['path', { path: { pattern: /^\/v(\d+)\//, with: '/api/$1/' } }, '/v2/users?v=/v1/', '/api/2/users?v=/v1/'],
  ])('%s', async (_, request, sent, arrived) => {
    const { port, backend } = await startWith({ request })
    await exchange(port, `GET ${sent}`)
    expect(backend.only.target).toBe(arrived)
  })
})

type Body = NonNullable<NonNullable<Options['request']>['body']>

describe('a JSON body', () => {
  const json = ['Content-Type: application/json; charset=utf-8']
  const cases: [string, Body, string, string][] = [
    ['set', [{ set: 'a.b', value: { c: 1 } }], '{"x":1}', '{"x":1,"a":{"b":{"c":1}}}'],
    ['set over what is no object', [{ set: 'a.b', value: 1 }], '{"a":5}', '{"a":5}'],
    [
      'set in an array',
      [
        { set: 'a.1', value: 9 },
        { set: 'a.7', value: 9 },
      ],
      '{"a":[1]}',
      '{"a":[1,9]}',
    ],
    ['set in each', [{ set: 'a.*.n', value: 0 }], '{"a":[{"n":1},{},3]}', '{"a":[{"n":0},{"n":0},3]}'],
    [
      'replace',
      [
        { replace: 'a', value: 2 },
        { replace: 'b', value: 2 },
      ],
      '{"a":1}',
      '{"a":2}',
    ],
    ['remove', [{ remove: 'a.b' }, { remove: 'no.way' }], '{"a":{"b":1,"c":2}}', '{"a":{"c":2}}'],
    [
      'remove from each',
      [{ remove: 'users.*.password' }],
      '{"users":[{"password":1,"n":1},{"n":2}]}',
      '{"users":[{"n":1},{"n":2}]}',
    ],
    ['remove all', [{ remove: 'a.*' }], '{"a":[1,2,3]}', '{"a":[]}'],
    ['rename', [{ rename: 'a.b', to: 'c.d' }], '{"a":{"b":1}}', '{"a":{},"c":{"d":1}}'],
    ['rename in each', [{ rename: 'a.*.b', to: 'a.*.c' }], '{"a":[{"b":1},{"b":2},{}]}', '{"a":[{"c":1},{"c":2},{}]}'],
    [
      'large numbers as they are',
      [{ remove: 'x' }],
      '{"id":9007199254740993,"n":[1.5,-0.25,1e3]}',
      '{"id":9007199254740993,"n":[1.5,-0.25,1000]}',
    ],
    ['of a large number nothing', [{ set: 'id.x', value: 1 }], '{"id":9007199254740993}', '{"id":9007199254740993}'],
    [
      '__proto__ as any member',
      [{ set: 'constructor', value: 1 }],
      '{"__proto__":{"a":1}}',
      '{"__proto__":{"a":1},"constructor":1}',
    ],
    ['by a function', body => ({ wrapped: body }), '[1]', '{"wrapped":[1]}'],
    ['by a function that returns nothing', () => undefined, '[1]', 'null'],
    ['a lone value', [{ set: 'a', value: 1 }], '5', '5'],
  ]

  test.each(cases)('of a request: %s', async (_, body, sent, arrived) => {
    const { port, backend } = await startWith({ request: { body } })
    await exchange(port, 'POST /', json, sent)
    expect(backend.only.body).toBe(arrived)
  })

  test.each(cases)('of a response: %s', async (_, body, sent, arrived) => {
    const { port } = await startWith({ response: { body } }, { lines: [...json, 'ETag: "1"'], body: sent })
    const response = await exchange(port, 'GET /')
    expect([response.status, response.body]).toEqual([200, arrived])
    expect(response.lines.some(line => /^etag/i.test(line))).toBe(false)
  })

  const body: Body = [{ remove: 'a' }]

  test.each<[string, string[], string, string]>([
    ['of another type', ['Content-Type: text/plain'], '{"a":1}', '{"a":1}'],
    ['without a type', [], '{"a":1}', '{"a":1}'],
    ['of a type that is JSON too', ['Content-Type: application/hal+json'], '{"a":1}', '{}'],
  ])('%s', async (_, lines, sent, arrived) => {
    const { port, backend } = await startWith({ request: { body } })
    await exchange(port, 'POST /', lines, sent)
    expect(backend.only.body).toBe(arrived)
  })

  test.each<[string, string[], string, string]>([
    ['that is none', json, '{"a":', '400 TRANSFORM_BODY_INVALID'],
    ['that is no UTF-8', json, '"\xff"', '400 TRANSFORM_BODY_INVALID'],
    ['that is coded', [...json, 'Content-Encoding: gzip'], 'x', '415 TRANSFORM_BODY_ENCODED'],
    ['that is too large', json, '"0123456789"', '413 TRANSFORM_BODY_TOO_LARGE'],
    [
      'that grows too large',
      [...json, 'Transfer-Encoding: chunked'],
      'c\r\n"0123456789"\r\n0\r\n\r\n',
      '413 TRANSFORM_BODY_TOO_LARGE',
    ],
  ])('of a request %s is refused', async (_, lines, sent, code) => {
    const { port, backend } = await startWith({ request: { body }, maxBodySize: 10 })
    expect(codeOf(await exchange(port, 'POST /', lines, sent))).toBe(code)
    expect(backend.requests.every(({ body }) => body === '')).toBe(true)
  })

  test('of a request that is nested too deep is refused', async () => {
    const { port, backend } = await startWith({ request: { body } })
    const sent = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(codeOf(await exchange(port, 'POST /', json, sent))).toBe('400 TRANSFORM_BODY_INVALID')
    expect(backend.requests.every(({ body }) => body === '')).toBe(true)
  })

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('of a response that is coded with %s all the same', async (coding, compress) => {
    const { origin } = await startUpstream((request, response) => {
      expect(request.headers['accept-encoding']).toBeUndefined()
      response.setHeader('Content-Type', 'application/json').setHeader('Content-Encoding', coding)
      response.end(compress('{"a":1,"b":2}'))
    })
    const { gateway } = await startGateway(proxyTo(origin, { plugins: [transform({ response: { body } })] }))
    const response = await gateway.fetch('http://gateway.test/', { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(await response.text()).toBe('{"b":2}')
  })

  test.each<[string, string[], string]>([
    ['that is too large', json, '"0123456789"'],
    ['in a coding that nobody knows', [...json, 'Content-Encoding: compress'], '{}'],
  ])('of a response %s is a 502', async (_, lines, sent) => {
    const { port } = await startWith({ response: { body }, maxBodySize: 10 }, { lines, body: sent })
    expect(codeOf(await exchange(port, 'GET /'))).toBe('502 TRANSFORM_RESPONSE_REFUSED')
  })

  test.each([
    ['grows too large', 'c\r\n"0123456789"\r\n0\r\n\r\n'],
    ['is none', '5\r\n{"a":\r\n0\r\n\r\n'],
  ])('of a response that %s is cut off, so that the client can tell', async (_, chunks) => {
    const upstream = await answering(`HTTP/1.1 200 OK\r\n${json[0]}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)
    const { port } = await startGateway(
      proxyTo(upstream.origin, { plugins: [transform({ response: { body }, maxBodySize: 10 })] }),
    )
    const client = await connect(port)
    client.send(requestText('GET /'))
    // Nothing of it had been sent; at most it could be a head and no last chunk.
    expect(await client.rest()).not.toContain('0\r\n\r\n')
  })

  test('that inflates beyond the limit is cut off', async () => {
    const { origin } = await startUpstream((_request, response) => {
      response.setHeader('Content-Type', 'application/json').setHeader('Content-Encoding', 'gzip')
      response.end(gzipSync(`"${'0'.repeat(100_000)}"`))
    })
    const plugins = [transform({ response: { body }, maxBodySize: '10kb' })]
    const { gateway } = await startGateway(proxyTo(origin, { plugins }))
    const response = await gateway.fetch('http://gateway.test/')
    await expect(response.text()).rejects.toThrow()
  })

  test('is asked for whole, and HEAD tells no length', async () => {
    const { port, backend } = await startWith({ response: { body } }, { lines: json, body: '{"a":1}' })
    const head = await exchange(port, 'HEAD /', ['Range: bytes=0-1'])
    expect(head.lines.some(line => /^content-length/i.test(line))).toBe(false)
    expect(backend.only.lines.some(line => /^range/i.test(line))).toBe(false)
  })
})

describe('when', () => {
  test.each<[NonNullable<NonNullable<Options['request']>['when']>, string, string[], boolean]>([
    [{ methods: ['post'] }, 'POST /', [], true],
    [{ methods: ['post'] }, 'PUT /', [], false],
    [{ headers: { 'X-Do': true } }, 'POST /', ['X-Do: x'], true],
    [{ headers: { 'X-Do': true } }, 'POST /', [], false],
    [{ headers: { 'X-Do': 'yes' } }, 'POST /', ['X-Do: no', 'X-Do: yes'], true],
    [{ headers: { 'X-Do': 'yes' } }, 'POST /', ['X-Do: no'], false],
    [{ contentType: 'JSON' }, 'POST /', ['Content-Type: application/json'], true],
    [{ contentType: 'json', methods: ['PUT'] }, 'POST /', ['Content-Type: application/json'], false],
  ])('%j: %s %j is %s', async (when, request, lines, changed) => {
    const change: Options['request'] = {
      when,
      headers: { set: { 'X-Set': '1' } },
      query: { set: { q: '1' } },
      body: () => 'new',
    }
    const { port, backend } = await startWith({ request: change })
    await exchange(port, request, ['Content-Type: application/json', ...lines].slice(-lines.length || 1), '"old"')
    expect([backend.only.lines.includes('X-Set: 1'), backend.only.target]).toEqual([changed, changed ? '/?q=1' : '/'])
  })

  test('a response has a status', async () => {
    const response: Options['response'] = { when: { status: [404] }, headers: { set: { 'X-Set': '1' } } }
    const { port } = await startWith({ response })
    expect(own(await exchange(port, 'GET /'))).toEqual([])
  })
})

test('both sides may be changed at once', async () => {
  const options: Options = { request: { query: { remove: ['a'] } }, response: { body: [{ remove: 'a' }] } }
  const { port, backend } = await startWith(options, { lines: ['Content-Type: application/json'], body: '{"a":1}' })
  expect((await exchange(port, 'GET /?a=1', ['Range: bytes=0-1'])).body).toBe('{}')
  expect([backend.only.target, backend.only.lines.some(line => /^range/i.test(line))]).toEqual(['/', false])
})

test("a route's rules take the place of the gateway's, each side by itself", async () => {
  const everywhere: Options = {
    request: { headers: { set: { 'X-A': 'gateway' } } },
    response: { headers: { set: { 'X-B': 'gateway' } } },
  }
  const route = { transform: { request: { headers: { set: { 'X-C': 'route' } } } } }
  const { port, backend } = await startWith(everywhere, { route })
  expect(own(await exchange(port, 'GET /'))).toEqual(['X-B: gateway'])
  expect(own(backend.only)).toEqual(['X-C: route'])
})

describe('a config is refused', () => {
  test.each<[unknown, RegExp]>([
    [{ request: { headers: { set: { 'X A': '1' } } } }, /name of a header field/],
    [{ request: { headers: { set: { A: 'a\r\nb' } } } }, /header field can hold/],
    [{ request: { headers: { replace: { A: { pattern: '(' } } } } }, /regular expression/i],
    [{ request: { body: [{ add: 'a', value: 1 }] } }, /must be \{ set, value \}/],
    [{ request: { body: [{ remove: 'a..b' }] } }, /must be/],
    [{ request: { body: [{ remove: '__proto__.a' }] } }, /must be|__proto__/],
    [{ response: { body: [{ rename: 'a.*.b', to: 'c' }] } }, /must be/],
    [{ response: { when: { methods: ['GET'] } } }, /methods/],
  ])('%j', async (options, message) => {
    const config = defineConfig({ plugins: [transform(options as Options)], routes: {} })
    await expect(createGateway(config, { log: silentLog })).rejects.toThrow(message)
  })
})
