import { describe, expect, test } from 'vitest'
import { GatewayError } from '../contract/errors.ts'
import { BodyDecoder } from './body-decoder.ts'
import { CHUNKED, UNTIL_CLOSE } from './framing.ts'

const latin1 = (text: string) => Buffer.from(text, 'latin1')

function decode(length: number, pieces: readonly Buffer[], pauseEvery = 0): unknown {
  const decoder = new BodyDecoder('client')
  decoder.start(length)
  let body = ''
  let trailers: unknown = 'none'
  let ended = 0
  let calls = 0
  const sink = {
    onData(chunk: Buffer) {
      expect(chunk.length).toBeGreaterThan(0)
      body += chunk.toString('latin1')
      return pauseEvery === 0 || ++calls % pauseEvery !== 0
    },
    onEnd(fields: Iterable<[string, string]> | undefined) {
      ended++
      if (fields !== undefined) trailers = [...fields]
    },
  }
  let rest = ''
  try {
    for (const piece of pieces) {
      let at = 0
      // A pause gives back the bytes that were not taken; going on with them must change nothing.
      while (at < piece.length && !decoder.done) at = decoder.decode(piece, at, sink)
      rest += piece.toString('latin1', at)
    }
  } catch (error) {
    if (error instanceof GatewayError) return { body, code: error.code }
    throw error
  }
  return { body, trailers, rest, ended, done: decoder.done }
}

const whole = (body: string, rest: string, trailers: unknown = 'none') => ({
  body,
  trailers,
  rest,
  ended: 1,
  done: true,
})
const bad = 'GATEWAY_BAD_REQUEST'
const tooLarge = 'GATEWAY_HEAD_TOO_LARGE'

const good: [message: string, result: unknown][] = [
  ['0\r\n\r\n', whole('', '')],
  ['5\r\nhello\r\n0\r\n\r\nGET', whole('hello', 'GET')],
  ['2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n', whole('abcde', '')],
  ['A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n', whole('01234567890123456789', '')],
  ['0000000000000003\r\nabc\r\n0\r\n\r\n', whole('abc', '')],
  ['3;a=b;c="d e"\r\nabc\r\n0;x\r\n\r\n', whole('abc', '')],
  [`3;${'x'.repeat(256)}\r\nabc\r\n0\r\n\r\n`, whole('abc', '')],
  ['3\r\n\r\n0\r\n0\r\n\r\n', whole('\r\n0', '')],
  [
    '0\r\nX-Sum: 1\r\nX-B:  c \r\n\r\nrest',
    whole('', 'rest', [
      ['X-Sum', '1'],
      ['X-B', 'c'],
    ]),
  ],
  ['0\r\nhost: x\r\nAuthorization: y\r\nX: 1\r\n\r\n', whole('', '', [['X', '1']])],
  ['0\r\nHost: 9\r\n\r\n', whole('', '')],
]

const refused: [message: string, body: string, code?: string][] = [
  ['\r\n', ''],
  ['x\r\n', ''],
  [' 5\r\nhello\r\n', ''],
  ['5 \r\nhello\r\n', ''],
  ['5 ;a\r\nhello\r\n', ''],
  ['0x5\r\nhello\r\n', ''],
  ['-1\r\n', ''],
  ['+1\r\n', ''],
  ['5\nhello\r\n', ''],
  ['5\rhello\r\n', ''],
  ['5;a\nhello\r\n', ''],
  ['5;\0\r\nhello\r\n', ''],
  [`5;${'x'.repeat(257)}\r\n`, ''],
  ['00000000000000003\r\nabc\r\n', ''],
  ['fffffffffffffffff\r\n', ''],
  ['20000000000000\r\n', ''],
  ['3\r\nabcd\r\n', 'abc'],
  ['3\r\nabc\n0\r\n\r\n', 'abc'],
  ['3\r\nabc0\r\n\r\n', 'abc'],
  ['3\r\nabc\r\r\n', 'abc'],
  ['0\r\n\n', ''],
  ['0\r\nContent-Length: 9\r\n\r\n', ''],
  ['0\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n', ''],
  ['0\r\nA\r\n\r\n', ''],
  ['0\r\nA : b\r\n\r\n', ''],
  ['0\r\n A: b\r\n\r\n', ''],
  ['0\r\nA: \0\r\n\r\n', ''],
  [`0\r\n${Array.from({ length: 101 }, (_, i) => `A${i}: b\r\n`).join('')}\r\n`, '', tooLarge],
  [`0\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`, '', tooLarge],
  [`${`1;${'x'.repeat(250)}\r\na\r\n`.repeat(40)}0\r\n\r\n`, 'a'.repeat(32)],
]

describe('chunked', () => {
  test.each(good)('takes %j', (message, result) => {
    expect(decode(CHUNKED, [latin1(message)])).toEqual(result)
  })

  test.each(refused)('refuses %#', (message, body, code = bad) => {
    expect(decode(CHUNKED, [latin1(message)]), message).toEqual({ body, code })
  })

  const all = [...good, ...refused].map(([message]) => message).filter(message => message.length < 2000)
  test.each(all)('%j: cut anywhere, paused anywhere', message => {
    const bytes = latin1(message)
    const result = decode(CHUNKED, [bytes])
    for (let at = 1; at < bytes.length; at++) {
      const pieces = [bytes.subarray(0, at), bytes.subarray(at)]
      // A cut inside a chunk that fails later shows no other data: what was decoded is the same.
      expect(decode(CHUNKED, pieces), `cut at ${at}`).toEqual(result)
      expect(decode(CHUNKED, pieces, 1), `cut at ${at}, paused`).toEqual(result)
    }
    expect(
      decode(
        CHUNKED,
        Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
        2,
      ),
    ).toEqual(result)
  })

  test('framing in the trailers of an upstream’s body is dropped', () => {
    const decoder = new BodyDecoder('upstream')
    decoder.start(CHUNKED)
    let trailers: [string, string][] = []
    decoder.decode(latin1('0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nX: 1\r\n\r\n'), 0, {
      onData: () => true,
      onEnd: fields => {
        trailers = [...(fields ?? [])]
      },
    })
    expect(trailers).toEqual([['X', '1']])
  })

  test('slices are not copies', () => {
    const bytes = latin1('3\r\nabc\r\n0\r\n\r\n')
    const decoder = new BodyDecoder('client')
    decoder.start(CHUNKED)
    decoder.decode(bytes, 0, {
      onData(chunk) {
        expect(chunk.buffer).toBe(bytes.buffer)
        return true
      },
      onEnd() {},
    })
    expect(decoder.done).toBe(true)
  })

  test('a fault in an upstream’s body is the upstream’s', () => {
    const decoder = new BodyDecoder('upstream')
    const sink = { onData: () => true, onEnd() {} }
    decoder.start(CHUNKED)
    expect(() => decoder.decode(latin1('x'), 0, sink)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_UPSTREAM_INVALID' }),
    )
    decoder.start(CHUNKED)
    expect(() => decoder.decode(latin1('0\r\n: x\r\n\r\n'), 0, sink)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_UPSTREAM_INVALID' }),
    )
  })
})

describe('by length and by close', () => {
  test.each([1, 2, 3, 5, 9])('a length of 5 in pieces of %i', size => {
    const bytes = latin1('helloGET')
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    expect(decode(5, pieces)).toEqual(whole('hello', 'GET'))
    expect(decode(5, pieces, 1)).toEqual(whole('hello', 'GET'))
  })

  test('a length of 0 is done at once', () => {
    const decoder = new BodyDecoder('client')
    decoder.start(0)
    expect(decoder.done).toBe(true)
    expect(decoder.remaining).toBe(0)
  })

  test('until close: the end is the end', () => {
    const decoder = new BodyDecoder('upstream')
    const seen: string[] = []
    const sink = { onData: (chunk: Buffer) => seen.push(chunk.toString()) > 0, onEnd: () => void seen.push('end') }
    decoder.start(UNTIL_CLOSE)
    expect(decoder.decode(latin1('xab'), 1, sink)).toBe(3)
    expect(decoder.done).toBe(false)
    expect(decoder.finish(sink)).toBe(true)
    expect(seen).toEqual(['ab', 'end'])
  })

  test('a body that is cut off has not finished', () => {
    for (const length of [5, CHUNKED]) {
      const decoder = new BodyDecoder('client')
      const sink = { onData: () => true, onEnd: () => expect.unreachable() }
      decoder.start(length)
      decoder.decode(latin1('1\r'), 0, sink)
      expect(decoder.finish(sink)).toBe(false)
    }
  })
})
