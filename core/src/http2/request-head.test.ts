import { describe, expect, test } from 'vitest'
import { GatewayError } from '../contract/errors.ts'
import { known } from '../http1/known-fields.ts'
import { requestHead } from './request-head.ts'

const limits = { maxHeadBytes: 16_384, maxFields: 100 }
const pseudo = [':method', 'GET', ':scheme', 'https', ':authority', 'a.test:1', ':path', '/p?q']
const read = (list: string[], endStream = true) => requestHead(list, endStream, limits)
const code = (list: string[], endStream = true) => {
  try {
    read(list, endStream)
    return undefined
  } catch (error) {
    return error instanceof GatewayError ? error.code : error
  }
}

describe('a request', () => {
  test('has its pseudo-header fields where the exchange looks for them', () => {
    const head = read([...pseudo, 'accept', '*/*'])
    expect(head).toMatchObject({ method: 'GET', target: '/p?q', bodyLength: 0, expectsContinue: false })
    expect(head.fields.toText()).toBe('host: a.test:1\r\naccept: */*\r\n')
    expect(head.fields.getKnown(known.host)).toBe('a.test:1')
  })

  test('without :authority takes its host from Host', () => {
    const head = read([':method', 'GET', ':scheme', 'http', ':path', '/', 'a', 'b', 'host', 'h.test'])
    expect([...head.fields]).toEqual([
      ['host', 'h.test'],
      ['a', 'b'],
    ])
  })

  test('has one Cookie line, made of all crumbs', () => {
    const head = read([...pseudo, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'cookie', 'c=3'])
    expect(head.fields.getAll('cookie')).toEqual(['a=1; b=2; c=3'])
    expect(head.fields.get('x')).toBe('y')
  })

  test('keeps other lines of one name apart, and lets them be changed like those of HTTP/1.1', () => {
    const { fields } = read([...pseudo, 'accept', 'a', 'accept', 'b', 'te', 'trailers', 'x', 'y'])
    expect(fields.getAll('accept')).toEqual(['a', 'b'])
    fields.removeHopByHop()
    fields.set('X', 'z')
    expect(fields.toText()).toBe('host: a.test:1\r\naccept: a\r\naccept: b\r\nX: z\r\n')
  })

  test('has a body unless it ends with its header section', () => {
    expect(read(pseudo, false).bodyLength).toBe(-1)
    expect(read([...pseudo, 'content-length', '12'], false).bodyLength).toBe(12)
    expect(read([...pseudo, 'content-length', '0'], false).bodyLength).toBe(0)
  })

  test('may expect 100-continue, if it has a body', () => {
    expect(read([...pseudo, 'expect', '100-Continue'], false).expectsContinue).toBe(true)
    expect(read([...pseudo, 'expect', '100-continue'], true).expectsContinue).toBe(false)
    expect(code([...pseudo, 'expect', 'x'])).toBe('GATEWAY_EXPECTATION_FAILED')
  })

  test('CONNECT names host and port', () => {
    expect(read([':method', 'CONNECT', ':authority', 'a.test:443'], false).target).toBe('a.test:443')
  })

  test('OPTIONS may be about the server', () => {
    expect(read([':method', 'OPTIONS', ':scheme', 'http', ':authority', 'a', ':path', '*']).target).toBe('*')
  })

  test('a field named __proto__ is a field', () => {
    expect(read([...pseudo, '__proto__', 'x']).fields.get('__proto__')).toBe('x')
  })
})

test.each([
  ['no host', [':method', 'GET', ':scheme', 'http', ':path', '/']],
  ['an empty host', [':method', 'GET', ':scheme', 'http', ':authority', '', ':path', '/']],
  ['Host unlike :authority', [...pseudo, 'host', 'b.test']],
  ['Host with another port', [...pseudo, 'host', 'a.test']],
  ['Host twice', [...pseudo, 'host', 'a.test:1', 'host', 'a.test:1']],
  ['another scheme', [':method', 'GET', ':scheme', 'ftp', ':authority', 'a', ':path', '/']],
  ['an absolute URI for a path', [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', 'http://b/']],
  ['an empty path', [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '']],
  ['* with GET', [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '*']],
  ['a pseudo-header field of tunnels', [...pseudo, ':protocol', 'websocket']],
  ['a late pseudo-header field', [...pseudo, 'a', 'b', ':path', '/c']],
  ['Connection', [...pseudo, 'connection', 'close']],
  ['Transfer-Encoding', [...pseudo, 'transfer-encoding', 'chunked']],
  ['Upgrade', [...pseudo, 'upgrade', 'h2c']],
  ['HTTP2-Settings', [...pseudo, 'http2-settings', 'AAMAAABk']],
  ['a space before a value', [...pseudo, 'a', ' b']],
  ['a tab after a value', [...pseudo, 'a', 'b\t']],
])('%s is refused', (_, list) => {
  expect(code(list)).toBe('GATEWAY_BAD_REQUEST')
})

test('Host that agrees with :authority but for case is one host', () => {
  expect(read([...pseudo, 'host', 'A.test:1']).fields.getAll('host')).toEqual(['a.test:1'])
})

test('limits are those of HTTP/1.1', () => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => [`a${i}`, 'b']).flat()
  expect(code([...pseudo, ...fields(99)])).toBeUndefined()
  expect(code([...pseudo, ...fields(100)])).toBe('GATEWAY_HEAD_TOO_LARGE')
  expect(code([...pseudo, 'a', 'b'.repeat(16_300)])).toBeUndefined()
  expect(code([...pseudo, 'a', 'b'.repeat(16_400)])).toBe('GATEWAY_HEAD_TOO_LARGE')
  const long = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', `/${'p'.repeat(17_000)}`]
  expect(code(long)).toBe('GATEWAY_URI_TOO_LONG')
})
