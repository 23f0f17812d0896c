import { createServer, type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import { duplexPair } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GatewayError } from '../contract/errors.ts'
import { BodyDecoder } from './body-decoder.ts'
import { HeadReader } from './head-reader.ts'
import { requestHead } from './parse-head.ts'

/**
 * Node's own parser as the oracle. Where both take a message they must see the same one; where only one takes it, it has
 * to be Node's: what we take and llhttp refuses would be a finding. We are stricter on purpose about: any second
 * Content-Length, transfer codings, Host's grammar, the request-target's, chunk extensions' length and white space in a
 * chunk-size line, empty lines before a request, and HTTP versions.
 */
interface Seen {
  /** Where the message ends. */
  readonly end: number
  readonly method: string
  readonly target: string
  readonly body: string
}

function ours(bytes: Buffer): Seen[] {
  const seen: Seen[] = []
  const reader = new HeadReader('request')
  const decoder = new BodyDecoder('client')
  try {
    for (let at = 0; reader.read(bytes, at); ) {
      const { method, target, bodyLength, keepAlive } = requestHead(reader)
      // llhttp knows a closed list of methods; any token is one to us (RFC 9110 section 9.1).
      if (!METHODS.includes(method)) break
      at = reader.consumed
      let body = ''
      decoder.start(bodyLength)
      const sink = {
        onData(chunk: Buffer) {
          body += chunk.toString('latin1')
          return true
        },
        onEnd() {},
      }
      at = decoder.decode(bytes, at, sink)
      if (!decoder.done) break
      seen.push({ end: at, method, target, body })
      if (!keepAlive) break
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
  }
  return seen
}

const server = createServer({ insecureHTTPParser: false, maxHeaderSize: 16_384 })

/** What Node sees when it is given the bytes up to each end in turn. */
async function theirs(bytes: Buffer, ends: readonly number[]): Promise<Seen[]> {
  const seen: Seen[] = []
  const [near, far] = duplexPair()
  let at = 0
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk.toString('latin1')
    })
    request.on('end', () => {
      seen.push({ end: at, method: request.method ?? '', target: request.url ?? '', body })
      response.end()
    })
    request.on('error', () => {})
  }
  server.on('request', onRequest)
  near.on('error', () => {})
  far.on('error', () => {})
  near.resume()
  server.emit('connection', far)
  for (const [index, end] of ends.entries()) {
    near.write(bytes.subarray(at, end))
    at = end
    // Node ends a request some turns after it has parsed it, and drops one that is followed by an error before that.
    for (let turn = 0; turn < 20 && seen.length <= index && !far.destroyed; turn++) await setImmediate()
  }
  server.off('request', onRequest)
  near.destroy()
  far.destroy()
  return seen
}

const startLine = fc.constantFrom(
  'GET / HTTP/1.1',
  'POST /a?b=c HTTP/1.1',
  'PUT /x HTTP/1.0',
  'DELETE http://a/y HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'HEAD /%41 HTTP/1.1',
)
const fieldLine = fc.constantFrom(
  'A: b',
  'A:b ',
  'A: \tb\t',
  'Content-Length: 5',
  'content-length: 3',
  'Content-Length: 05',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'transfer-encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\x0bchunked',
  ' Transfer-Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive',
  'Host: b',
  'X: \xe9',
)
const body = fc.constantFrom(
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n',
  '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
  '05\r\nhello\r\n00\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '0\r\n\r\n',
  '0\r\nContent-Length: 9\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
)
const odd = fc
  .tuple(startLine, fc.boolean(), fc.array(fieldLine, { maxLength: 4 }), body)
  .map(([line, host, fields, rest]) => `${[line, ...(host ? ['Host: a'] : []), ...fields].join('\r\n')}\r\n\r\n${rest}`)

const sound = fc
  .tuple(
    startLine,
    fc.constantFrom(
      '\r\n',
      'Content-Length: 0\r\n\r\n',
      'Content-Length: 5\r\nX: y\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n',
      'X: \xe9\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n1;x=y\r\n\r\r\n0\r\nT: 1\r\nU: 2\r\n\r\n',
    ),
  )
  .filter(([line, rest]) => !(line.endsWith('1.0') && /chunked/i.test(rest)))
  .map(([line, rest]) => `${line}\r\nHost: a\r\nConnection: keep-alive\r\n${rest}`)

const message = fc.oneof({ arbitrary: sound, weight: 3 }, { arbitrary: odd, weight: 2 })

/** One byte put in, taken out or replaced, somewhere. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  drop: fc.integer({ min: 0, max: 2 }),
  put: fc.constantFrom(
    '',
    '',
    '\r',
    '\n',
    '\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '0',
    '5',
    'x',
    '\x0b',
    '\x7f',
    '\xff',
  ),
})

test.each([
  ['messages put together from odd parts', 0],
  ['and with bytes changed', 3],
])('%s are framed as llhttp frames them, or refused', async (_name, maxLength) => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 3 }),
      fc.array(change, { maxLength }),
      async (parts, changes) => {
        let text = parts.join('')
        for (const { at, drop, put } of changes) {
          const index = Math.floor(at * text.length)
          text = text.slice(0, index) + put + text.slice(index + drop)
        }
        const bytes = Buffer.from(text, 'latin1')
        const mine = ours(bytes)
        taken += mine.length
        const ends = mine.map(({ end }) => end)
        expect(await theirs(bytes, ends)).toEqual(mine)
      },
    ),
    { numRuns: 3000 },
  )
  // The parts are odd, yet the property is empty if nothing is ever taken.
  expect(taken).toBeGreaterThan(300)
})
