import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Secret } from './environment/secret.ts'
import { type Report, validate } from './issues.ts'
import {
  duration,
  headerRules,
  listener,
  origin,
  routeShape,
  secretText,
  serviceShape,
  show,
  size,
  timeouts,
} from './schema.ts'

/** The parsed value, or what is wrong with it as `path: message`. */
function read(schema: z.ZodType, value: unknown): unknown {
  const told: string[] = []
  const report: Report = ({ path = [], message }) => told.push(`${path.join('.')}: ${message}`)
  const result = validate(schema, value, [], report)
  return result === undefined ? told : result.value
}

test('durations and sizes for plugins: units resolved, and a message with the remedy', () => {
  expect(read(duration(), '1.5m')).toBe(90_000)
  expect(read(size(), '16kb')).toBe(16_384)
  expect(read(duration(), '10x')).toEqual([
    `: must be a duration, such as 250 (milliseconds), '10s' or '1m', not "10x"`,
  ])
  expect(read(size(), '10s')).toEqual([`: must be a size, such as 1024 (bytes), '16kb' or '10mb', not "10s"`])
  expect(read(z.object({ wait: duration().prefault('1s') }), {})).toEqual({ wait: 1000 })
})

test('secrets for plugins: always a Secret, and no text in a message', () => {
  const given = new Secret('GIVEN', () => 'x')
  expect(read(secretText(), given)).toBe(given)
  const made = read(secretText(), 'sw0rdfish')
  expect(made instanceof Secret && [made.value, String(made)]).toEqual(['sw0rdfish', '[secret inline]'])
  const forms = "must be secret('NAME'), secret.file(path) or a string"
  expect(read(secretText(), 5)).toEqual([`: ${forms}`])
  expect(read(secretText(), '')).toEqual([': must not be empty'])
  expect(read(z.object({ token: secretText() }), {})).toEqual([`token: is missing: it ${forms}`])
  expect(read(z.object({ token: secretText().optional() }), {})).toEqual({})
  // Where text is asked for, a secret is named and not told.
  expect(read(z.object({ name: z.string() }), { name: given })).toEqual(['name: must be a string, not [secret GIVEN]'])
})

test('values are shown short', () => {
  expect(['a', 'x'.repeat(61), 5, null, undefined, [1], {}, () => {}, true].map(show)).toEqual([
    '"a"',
    'a string of 61 characters',
    '5',
    'null',
    'undefined',
    'an array',
    'an object',
    'a function',
    'true',
  ])
})

describe('listener', () => {
  test('defaults, with every limit on', () => {
    expect(read(listener, { port: 80 })).toEqual({
      port: 80,
      exclusive: false,
      trust: [],
      http2: true,
      proxyProtocol: false,
      limits: {
        headSize: 16_384,
        headFields: 100,
        headTimeout: 10_000,
        bodySize: 0,
        bodyIdleTimeout: 30_000,
        writeIdleTimeout: 60_000,
        keepAliveTimeout: 60_000,
        requestsPerConnection: 10_000,
        connections: 20_000,
        connectionsPerClient: 1_000,
        pendingBytes: 65_536,
        http2: {
          maxConcurrentStreams: 100,
          streamWindow: 65_536,
          resetBurst: 1_000,
          resetRate: 100,
          pingBurst: 2_000,
          pingRate: 1_000,
          settingsBurst: 50,
          settingsRate: 5,
        },
      },
      paths: { encodedSlashes: 'refuse', dotSegments: 'refuse', emptySegments: 'merge', parameters: 'keep' },
    })
  })

  test.each<[unknown, string[]]>([
    [5, [': must be an object, not 5']],
    [{}, ['port: must be a port, 0 to 65535, not undefined']],
    [{ port: '80' }, ['port: must be a port, 0 to 65535, not "80"']],
    [{ port: -1 }, ['port: must be a port, 0 to 65535, not -1']],
    [{ port: 65_536 }, ['port: must be a port, 0 to 65535, not 65536']],
    [{ port: 80.5 }, ['port: must be a port, 0 to 65535, not 80.5']],
    [{ port: 1, host: '' }, ['host: must have at least 1 characters']],
    [{ port: 1, trust: 'all' }, [`trust: must be 'none' or an array of CIDRs, not "all"`]],
    [
      { port: 1, trust: ['10.0.0.0/33'] },
      [`trust.0: must be an address or a CIDR such as '10.0.0.0/8', not "10.0.0.0/33"`],
    ],
    [{ port: 1, trust: ['::1/129', 'x', '1.2.3.4/', '1.2.3.4/8/8'] }, ['trust.0', 'trust.1', 'trust.2', 'trust.3']],
    [{ port: 1, limits: { headSize: '10b' } }, ['limits.headSize: must lie between 256b and 1mb']],
    [{ port: 1, limits: { headFields: 0 } }, ['limits.headFields: must be at least 1']],
    [{ port: 1, limits: { pendingBytes: 0 } }, ['limits.pendingBytes: must lie between 1kb and 16mb']],
    [
      { port: 1, limits: { http2: { maxConcurrentStreams: 0, resetRate: 0, streamWindow: '1gb', streams: 1 } } },
      [
        'limits.http2.maxConcurrentStreams: must be at least 1',
        'limits.http2.streamWindow: must lie between 1kb and 16mb',
        'limits.http2.resetRate: must be at least 1',
        'limits.http2.streams: unknown key "streams"',
      ],
    ],
    [{ port: 1, limits: { connections: -1 } }, ['limits.connections: must be at least 0']],
    [{ port: 1, paths: { dotSegments: 'keep' } }, ['paths.dotSegments: must be "refuse" or "resolve", not "keep"']],
  ])('%j', (value, expected) => {
    const told = read(listener, value)
    expect(Array.isArray(told) && told.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected)
  })

  test('trust takes addresses and CIDRs of both families, or none', () => {
    const trust = ['10.0.0.0/8', '192.168.1.1', '::1', 'fe80::/10']
    expect(read(listener, { port: 1, trust })).toMatchObject({ trust })
    expect(read(listener, { port: 1, trust: 'none' })).toMatchObject({ trust: [] })
  })
})

describe('origins', () => {
  test.each([
    'http://a',
    'https://a:8443',
    'HTTP://127.0.0.1:3001',
    'http://[::1]:80',
    'http://a/',
    'unix:/run/a.sock',
  ])('%s', text => {
    expect(read(origin, text)).toBe(text)
  })

  test.each<[unknown, string]>([
    [5, `: must be an origin such as 'http://127.0.0.1:3001', not 5`],
    ['', `: must be an origin such as 'http://127.0.0.1:3001', not ""`],
    ['localhost:3000', `: must be an origin such as 'http://127.0.0.1:3001', not "localhost:3000"`],
    ['ftp://a', `: must be an origin such as 'http://127.0.0.1:3001', not "ftp://a"`],
    ['http:a', `: must be an origin such as 'http://127.0.0.1:3001', not "http:a"`],
    ['http://user:secret@a', ': must not hold a user or a password'],
    ['http://a:0', ': has the port 0, on which nobody listens'],
    ['http://a/path', ': is an origin and has no path: take "http://a" and rewrite the path on the route'],
    ['http://a?x', ': is an origin and has no path: take "http://a" and rewrite the path on the route'],
    ['http://a#', ': is an origin and has no path: take "http://a" and rewrite the path on the route'],
  ])('%j is refused', (text, message) => {
    expect(read(origin, text)).toEqual([message])
  })
})

describe('header rules', () => {
  test('as they are written', () => {
    const rules = { set: { 'X-A': 'é\tb' }, append: { 'x-b': '' }, remove: ['Server', 'connection'] }
    expect(read(headerRules, rules)).toEqual(rules)
  })

  test.each<[unknown, string[]]>([
    [{ set: { 'x a': '1' } }, ['set.x a: its name "x a" is not a header name']],
    [{ set: { '': '1' } }, ['set.: its name "" is not a header name']],
    [
      { set: { 'Content-Length': '5' } },
      ['set.Content-Length: its name "Content-Length" is set by the gateway itself'],
    ],
    [
      { append: { 'transfer-encoding': 'x' } },
      ['append.transfer-encoding: its name "transfer-encoding" is set by the gateway itself'],
    ],
    [
      { set: { a: 'x\r\ny: z' } },
      ['set.a: holds a character that a header value may not have (CR, LF, NUL or beyond Latin-1)'],
    ],
    [
      { set: { a: '\u0100' } },
      ['set.a: holds a character that a header value may not have (CR, LF, NUL or beyond Latin-1)'],
    ],
    [{ set: { a: 5 } }, ['set.a: must be a string, not 5']],
    [{ remove: ['a:'] }, ['remove.0: "a:" is not a header name']],
    [{ sett: {} }, ['sett: unknown key "sett"']],
    [JSON.parse('{"set":{"__proto__":"x"}}'), ['set: cannot have the name "__proto__"']],
    [{ set: 5 }, ['set: must be an object, not 5']],
    [{ set: null }, ['set: must be an object, not null']],
  ])('%j is refused', (rules, expected) => {
    expect(read(headerRules, rules)).toEqual(expected)
  })

  test('a name that every object has is a name like any other', () => {
    const rules = { set: { constructor: 'a', tostring: 'b' } }
    expect(read(headerRules, rules)).toEqual(rules)
  })
})

describe('fields of routes and services', () => {
  const route = z.strictObject(routeShape)
  const service = z.strictObject(serviceShape)
  const match = 'GET /'
  test.each<[string, z.ZodType, unknown, string[]]>([
    ['no match', route, {}, ["match: is missing: write method and path, such as 'GET /users/:id'"]],
    ['match', route, { match: 5 }, ["match: must be method and path, such as 'GET /users/:id', not 5"]],
    ['host', route, { match, host: 5 }, ['host: must be a host name or an array of them']],
    ['a host in a list', route, { match, host: ['a', 5] }, ['host.1: must be a string, not 5']],
    [
      'header predicate',
      route,
      { match, headers: { a: 5 } },
      ['headers.a: must be a string, a RegExp, true (present) or false (absent), not 5'],
    ],
    ['header name', route, { match, headers: { 'a b': 'x' } }, ['headers.a b: its name "a b" is not a header name']],
    [
      '__proto__',
      route,
      JSON.parse('{"match":"GET /","query":{"__proto__":true}}'),
      ['query: cannot have the name "__proto__"'],
    ],
    ['service', route, { match, service: 5 }, ['service: must be a string, not 5']],
    ['redirect', route, { match, redirect: 5 }, ['redirect: must be a path, a URL or { to, status }, not 5']],
    [
      'redirect status',
      route,
      { match, redirect: { to: '/', status: 200 } },
      ['redirect.status: must be 301, 302, 303, 307 or 308, not 200'],
    ],
    ['reply status', route, { match, reply: { status: 100 } }, ['reply.status: must be at least 200']],
    [
      'reply body',
      route,
      { match, reply: { status: 200, body: {} } },
      ['reply.body: must be a string or a Uint8Array'],
    ],
    [
      'reply header',
      route,
      { match, reply: { status: 200, headers: { a: 5 } } },
      ['reply.headers.a: must be a string or an array of strings'],
    ],
    [
      'reply header value',
      route,
      { match, reply: { status: 200, headers: { a: ['x\n'] } } },
      ['reply.headers.a.0: holds a character that a header value may not have (CR, LF, NUL or beyond Latin-1)'],
    ],
    ['rewrite', route, { match, rewrite: 'x' }, ['rewrite: must start with "/", unlike "x"']],
    [
      'timeout',
      route,
      { match, timeout: '10x' },
      [`timeout: must be a duration, such as 250 (milliseconds), '10s' or '1m', not "10x"`],
    ],
    ['timeout key', route, { match, timeout: { conect: '1s' } }, ['timeout.conect: unknown key "conect"']],
    [
      'timeout of a key',
      route,
      { match, timeout: { connect: true } },
      [`timeout.connect: must be a duration, such as 250 (milliseconds), '10s' or '1m', not true`],
    ],
    ['timeouts', timeouts, 5, [': must be an object, not 5']],
    ['targets', service, { targets: 'http://a' }, ['targets: must be an array, not a string']],
    [
      'a target',
      service,
      { targets: [5] },
      [`targets.0: must be an origin such as 'http://127.0.0.1:3001' or { url, weight }, not 5`],
    ],
    [
      'the path of a target',
      service,
      { targets: ['http://a/b'] },
      ['targets.0: is an origin and has no path: take "http://a" and rewrite the path on the route'],
    ],
    ['a weight', service, { targets: [{ url: 'http://a', weight: -1 }] }, ['targets.0.weight: must be at least 0']],
    [
      'a key of a target',
      service,
      { targets: [{ url: 'http://a', wieght: 1 }] },
      ['targets.0.wieght: unknown key "wieght"'],
    ],
    ['balance', service, { balance: 5 }, ['balance: must be a name, or { use: name, …options }, not 5']],
    ['balance without a name', service, { balance: { replicas: 1 } }, ['balance.use: is missing: it must be a string']],
    ['pool', service, { pool: { connections: 0 } }, ['pool.connections: must be at least 1']],
    ['tls', service, { tls: { minVersion: 'TLSv1' } }, ['tls.minVersion: must be "TLSv1.2" or "TLSv1.3", not "TLSv1"']],
  ])('%s', (_name, schema, value, expected) => {
    expect(read(schema, value)).toEqual(expected)
  })
})
