import { describe, expect, test } from 'vitest'
import { GatewayError } from '../contract/errors.ts'
import { HeadReader } from './head-reader.ts'
import { messages } from './messages.vectors.ts'
import { parseRequestHead, parseResponseHead, requestHead, responseHead } from './parse-head.ts'

const latin1 = (text: string) => Buffer.from(text, 'latin1')

/** What becomes of a message that comes in these pieces; compared as a whole. */
function outcome(pieces: readonly Buffer[]): unknown {
  const reader = new HeadReader('request')
  let seen = 0
  try {
    for (const piece of pieces) {
      if (!reader.read(piece, 0)) {
        seen += piece.length
        continue
      }
      const { fields, ...rest } = requestHead(reader)
      return { ...rest, fields: [...fields], text: reader.text, consumed: seen + reader.consumed }
    }
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, message: error.message }
    throw error
  }
  return 'incomplete'
}

describe('requests', () => {
  test.each(messages)('%s', (_name, message, verdict) => {
    const result = outcome([latin1(message)])
    expect(result).toMatchObject(typeof verdict === 'number' ? { bodyLength: verdict } : { code: verdict })
  })

  // Beyond this length every cut would be too many; what is special there lies near the limits, which smaller limits show below.
  test.each(messages.filter(([, message]) => message.length < 3000))('%s: cut anywhere', (_name, message) => {
    const bytes = latin1(`${message}GET /next`)
    const whole = outcome([bytes])
    for (let at = 1; at < bytes.length; at++) {
      expect(outcome([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(whole)
    }
    expect(outcome(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), 'byte by byte').toEqual(whole)
  })

  test.each(messages.filter(([, message]) => message.length >= 3000))('%s: in small pieces', (_name, message) => {
    const bytes = latin1(`${message}GET /next`)
    const whole = outcome([bytes])
    for (const size of [1, 7, 1000, 16_383, 16_384, 16_385]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      expect(outcome(pieces), `pieces of ${size}`).toEqual(whole)
    }
  })

  test('the limits of a listener hold', () => {
    const head = latin1('GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n')
    expect(parseRequestHead(head, { maxHeadBytes: head.length, maxFields: 2 })?.fields.size).toBe(2)
    expect(() => parseRequestHead(head, { maxHeadBytes: head.length - 1, maxFields: 2 })).toThrow('too many bytes')
    expect(() => parseRequestHead(head, { maxHeadBytes: head.length, maxFields: 1 })).toThrow('too many fields')
  })

  test('one reader reads one head after another', () => {
    const reader = new HeadReader('request')
    const bytes = latin1('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nPUT /2 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabcGET /3')
    expect(reader.idle).toBe(true)
    expect(reader.read(bytes, 0)).toBe(true)
    expect(requestHead(reader)).toMatchObject({ method: 'GET', target: '/1', version: '1.1', keepAlive: true })
    expect(reader.read(bytes, reader.consumed)).toBe(true)
    expect(requestHead(reader)).toMatchObject({
      method: 'PUT',
      target: '/2',
      version: '1.0',
      keepAlive: false,
      bodyLength: 3,
    })
    expect(reader.idle).toBe(true)
    expect(reader.read(bytes, reader.consumed + 3)).toBe(false)
    expect(reader.idle).toBe(false)
  })

  test.each([
    ['1.1', '', true],
    ['1.1', 'Connection: close\r\n', false],
    ['1.1', 'Connection: x, CLOSE\r\n', false],
    ['1.1', 'Connection: keep-alive\r\nConnection: close\r\n', false],
    ['1.0', '', false],
    ['1.0', 'Connection: Keep-Alive\r\n', true],
    ['1.0', 'Connection: keep-alive, close\r\n', false],
  ])('HTTP/%s with %j keeps alive: %s', (version, lines, keepAlive) => {
    expect(parseRequestHead(latin1(`GET / HTTP/${version}\r\nHost: a\r\n${lines}\r\n`))?.keepAlive).toBe(keepAlive)
  })

  test.each([
    ['1.1', 'Connection: Upgrade\r\nUpgrade: WebSocket\r\n', 'websocket'],
    ['1.1', 'Connection: keep-alive, upgrade\r\nUpgrade: a/1\r\nUpgrade: b\r\n', 'a/1, b'],
    ['1.1', 'Upgrade: websocket\r\n', undefined],
    ['1.1', 'Connection: upgrade\r\n', undefined],
    ['1.0', 'Connection: upgrade\r\nUpgrade: websocket\r\n', undefined],
  ])('HTTP/%s with %j upgrades to %s', (version, lines, upgrade) => {
    expect(parseRequestHead(latin1(`GET / HTTP/${version}\r\nHost: a\r\n${lines}\r\n`))?.upgrade).toBe(upgrade)
  })

  test.each([
    ['1.1', 'Content-Length: 1\r\n', true],
    ['1.1', 'Content-Length: 0\r\n', false],
    ['1.1', '', false],
    ['1.0', 'Content-Length: 1\r\n', false],
  ])('HTTP/%s with Expect and %j is to be told to continue: %s', (version, lines, expects) => {
    const head = parseRequestHead(latin1(`PUT / HTTP/${version}\r\nHost: a\r\nExpect: 100-continue\r\n${lines}\r\n`))
    expect(head?.expectsContinue).toBe(expects)
  })

  test('the host of an absolute-form target is the host', () => {
    const head = parseRequestHead(latin1('GET http://b:81/x HTTP/1.1\r\nHost: a\r\nC: d\r\n\r\n'))
    expect(head?.target).toBe('http://b:81/x')
    expect(head?.fields.getAll('host')).toEqual(['b:81'])
  })
})

describe('responses', () => {
  test.each([
    ['HTTP/1.1 200 OK\r\nA: b\r\n\r\n', { status: 200, reason: 'OK', minor: 1 }],
    ['HTTP/1.0 404 Not Found here\r\n\r\n', { status: 404, reason: 'Not Found here', minor: 0 }],
    ['HTTP/1.1 299 \r\n\r\n', { status: 299, reason: '', minor: 1 }],
    ['HTTP/1.1 204\r\n\r\n', { status: 204, reason: '', minor: 1 }],
    ['HTTP/1.1 200 d\xe9j\xe0\tvu\r\n\r\n', { status: 200, reason: 'd\xe9j\xe0\tvu', minor: 1 }],
    ['HTTP/1.1 100 Continue\r\n\r\n', { status: 100, reason: 'Continue', minor: 1 }],
  ])('%j, cut anywhere', (message, head) => {
    const bytes = latin1(message)
    expect(parseResponseHead(bytes)).toMatchObject(head)
    for (let at = 1; at < bytes.length; at++) {
      const reader = new HeadReader('response')
      expect(reader.read(bytes.subarray(0, at), 0)).toBe(false)
      expect(reader.read(bytes.subarray(at), 0)).toBe(true)
      expect(responseHead(reader)).toMatchObject(head)
    }
  })

  test.each([
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 600 OK\r\n\r\n',
    'HTTP/1.1 2x0 OK\r\n\r\n',
    'HTTP/1.1 200\tOK\r\n\r\n',
    'HTTP/1.1 200 O\0K\r\n\r\n',
    'HTTP/1.1 200 OK\n\r\n',
    'HTTP/1.1\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA : b\r\n\r\n',
    'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n',
  ])('refuses %j', message => {
    expect(() => parseResponseHead(latin1(message))).toThrow(
      expect.objectContaining({ code: 'GATEWAY_UPSTREAM_INVALID' }),
    )
  })
})
