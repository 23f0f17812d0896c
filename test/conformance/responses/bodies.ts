import {
  badGateway,
  cutOff,
  head,
  ok,
  passed,
  passedChunked,
  passedOk,
  type ResponseCase,
  row,
} from '../support/response-case.ts'

const with200 = (fields: readonly string[], body = 'ok') => head('HTTP/1.1 200 OK', ...fields) + body
const fails = (name: string, section: string, ...fields: string[]) =>
  row(name, section, with200(fields, '2\r\nok\r\n0\r\n\r\n'), badGateway)
const chunkedFields = ['Transfer-Encoding: chunked']

/** RFC 9112 section 6. */
export const responseFraming: readonly ResponseCase[] = [
  row('length', '9112 6.3', ok(), passedOk()),
  row('length 0', '9112 6.3', with200(['Content-Length: 0'], ''), passed(200, { fields: ['Content-Length: 0'] })),
  row('length with leading zeros', '9110 8.6', with200(['Content-Length: 002']), passedOk()),
  row('bytes after the length', '9112 6.3', `${ok()}${ok()}`, passedOk({ reused: false })),
  row('an empty line after the length', '9112 6.3', `${ok()}\r\n`, passedOk({ reused: false })),
  row('closed after the length', '9112 9.3', ok(), passedOk({ reused: false }), { after: 'close' }),
  row('until the close', '9112 6.3', with200([]), passedChunked('ok', { reused: false }), { after: 'close' }),
  row('until the close, empty', '9112 6.3', with200([], ''), passedChunked('', { reused: false }), { after: 'close' }),
  row(
    'until the close, of HTTP/1.0',
    '9112 6.3',
    `${head('HTTP/1.0 200 OK')}ok`,
    passedChunked('ok', { reused: false }),
    { after: 'close' },
  ),
  row(
    'until the close, looking chunked',
    '9112 6.3',
    with200([], '2\r\nok\r\n0\r\n\r\n'),
    passedChunked('2\r\nok\r\n0\r\n\r\n', { reused: false }),
    { after: 'close' },
  ),
  row('until the close, for an HTTP/1.0 client', '9112 6.3', with200([]), passed(200, { body: 'ok', closes: true }), {
    after: 'close',
    ask: 'GET /case HTTP/1.0\r\n\r\n',
  }),
  row(
    'chunked, for an HTTP/1.0 client',
    '9112 6.1',
    with200(chunkedFields, '2\r\nok\r\n0\r\nT: 1\r\n\r\n'),
    passed(200, { body: 'ok', closes: true }),
    { ask: 'GET /case HTTP/1.0\r\n\r\n' },
  ),
  row('a reset instead of the close', '9112 8', with200([]), cutOff('ok'), { after: 'reset' }),
  row('the end within the length', '9112 8', with200(['Content-Length: 9']), cutOff('ok'), { after: 'close' }),
  row('the end before a body of a length', '9112 8', with200(['Content-Length: 9'], ''), cutOff(), { after: 'close' }),
  row('a reset within the length', '9112 8', with200(['Content-Length: 9']), cutOff('ok'), { after: 'reset' }),
  fails('length twice, equal', 'house: one is enough', 'Content-Length: 2', 'Content-Length: 2'),
  fails('length twice, unequal', '9112 6.3', 'Content-Length: 2', 'Content-Length: 3'),
  fails('length twice, in different case', '9112 6.3', 'Content-Length: 2', 'content-length: 3'),
  fails('length as a list', 'house: one is enough', 'Content-Length: 2, 2'),
  fails('length empty', '9112 6.3', 'Content-Length:'),
  fails('length negative', '9112 6.3', 'Content-Length: -1'),
  fails('length with a plus', '9112 6.3', 'Content-Length: +2'),
  fails('length in hex', '9112 6.3', 'Content-Length: 0x2'),
  fails('length beyond safe integers', 'house: limits', 'Content-Length: 9007199254740992'),
  fails('length that overflows', '9112 6.3', 'Content-Length: 18446744073709551618'),
  fails('length beside chunked', '9112 6.3', 'Content-Length: 2', 'Transfer-Encoding: chunked'),
  fails('chunked beside a length', '9112 6.3', 'Transfer-Encoding: chunked', 'Content-Length: 2'),
  fails('gzip, chunked', 'house: no other coding', 'Transfer-Encoding: gzip, chunked'),
  fails('gzip', 'house: no other coding', 'Transfer-Encoding: gzip'),
  fails('identity', '9112 7', 'Transfer-Encoding: identity'),
  fails('chunked twice', '9112 6.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
  fails('chunked, identity', '9112 6.3', 'Transfer-Encoding: chunked, identity'),
  fails('coding nobody knows', '9112 6.3', 'Transfer-Encoding: xchunked'),
  fails('coding empty', '9112 6.1', 'Transfer-Encoding:'),
  fails('vertical tab before chunked', '9110 5.5', 'Transfer-Encoding: \x0bchunked'),
  fails('space before the colon', '9112 5.1', 'Transfer-Encoding : chunked'),
  row(
    'chunked of HTTP/1.0',
    '9112 6.1',
    `${head('HTTP/1.0 200 OK', ...chunkedFields)}2\r\nok\r\n0\r\n\r\n`,
    badGateway,
  ),
]

const chunked = (body: string) => with200(chunkedFields, body)
const last = '0\r\n\r\n'
const chunks = (name: string, section: string, text: string, body: string) =>
  row(name, section, chunked(text), passedChunked(body))
const breaks = (name: string, section: string, text: string, after: 'keep' | 'close' | 'reset' = 'keep') =>
  row(name, section, chunked(text), cutOff('ok'), { after })

/** RFC 9112 section 7.1. What has begun cannot become a 502 any more: it must not look whole. */
export const responseChunks: readonly ResponseCase[] = [
  chunks('one', '9112 7.1', `2\r\nok\r\n${last}`, 'ok'),
  chunks('several', '9112 7.1', `1\r\no\r\n1\r\nk\r\nA\r\n0123456789\r\n${last}`, 'ok0123456789'),
  chunks('none but the last', '9112 7.1', last, ''),
  chunks('leading zeros', '9112 7.1', `0002\r\nok\r\n000\r\n\r\n`, 'ok'),
  chunks('extension', '9112 7.1.1', `2;x="y"\r\nok\r\n0;z\r\n\r\n`, 'ok'),
  chunks('data that looks like the last chunk', '9112 7.1', `5\r\n0\r\n\r\n\r\n${last}`, '0\r\n\r\n'),
  row(
    'bytes after the last chunk',
    '9112 7.1',
    chunked(`2\r\nok\r\n${last}${ok()}`),
    passedChunked('ok', { reused: false }),
  ),
  row(
    'trailers',
    '9112 7.1.2',
    chunked('2\r\nok\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n'),
    passedChunked('ok', { trailers: ['X-Sum: 1', 'X-More: 2'] }),
  ),
  row(
    'trailers that are not believed',
    '9110 6.5.1',
    chunked(
      '2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nLocation: /\r\nConnection: close\r\nContent-Type: a/b\r\nCache-Control: public\r\n\r\n',
    ),
    passedChunked('ok', { trailers: ['X-Sum: 1'] }),
  ),
  breaks('the end between chunks', '9112 8', '2\r\nok\r\n', 'close'),
  breaks('the end within a chunk', '9112 8', '9\r\nok', 'close'),
  breaks('the end within a size', '9112 8', '2\r\nok\r\n1', 'close'),
  breaks('the end after the last size', '9112 8', '2\r\nok\r\n0\r\n', 'close'),
  breaks('the end within the trailers', '9112 8', '2\r\nok\r\n0\r\nX-Sum: 1\r\n', 'close'),
  breaks('the end before any chunk', '9112 8', '', 'close'),
  breaks('a reset between chunks', '9112 8', '2\r\nok\r\n', 'reset'),
  breaks('a reset within a chunk', '9112 8', '9\r\nok', 'reset'),
  breaks('bare LF after a size', '9112 7.1', `2\nok\r\n${last}`),
  breaks('bare LF after the data', '9112 7.1', `2\r\nok\n${last}`),
  breaks('bare LF in an extension', '9112 7.1.1', `2;x\nok\r\n${last}`),
  breaks('bare LF at the end', '9112 7.1', '2\r\nok\r\n0\r\n\n'),
  breaks('no CRLF after the data', '9112 7.1', `2\r\nok${last}`),
  breaks('data longer than its size', '9112 7.1', `1\r\nok\r\n${last}`),
  breaks('size missing', '9112 7.1', `\r\nok\r\n${last}`),
  breaks('size with a sign', '9112 7.1', `+2\r\nok\r\n${last}`),
  breaks('size with 0x', '9112 7.1', `0x2\r\nok\r\n${last}`),
  breaks('size with a space', 'house: stricter than 9112 7.1.1', `2 \r\nok\r\n${last}`),
  breaks('size that overflows', '9112 7.1', `10000000000000002\r\nok\r\n${last}`),
  breaks('size after good chunks that is none', '9112 7.1', `2\r\nok\r\nzz\r\n`),
  breaks('extensions without end', 'house: 256 bytes are enough', `2;${'x'.repeat(10_000)}`),
  chunks('Content-Length in the trailers is dropped', '9110 6.5.1', '2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n', 'ok'),
  chunks(
    'Transfer-Encoding in the trailers is dropped',
    '9110 6.5.1',
    '2\r\nok\r\n0\r\ntransfer-encoding: x\r\n\r\n',
    'ok',
  ),
  breaks('NUL in a trailer', '9110 5.5', '2\r\nok\r\n0\r\nX-Sum: \0\r\n\r\n'),
  breaks('bare LF ends a trailer', '9112 2.2', '2\r\nok\r\n0\r\nX-Sum: 1\n\r\n'),
]
