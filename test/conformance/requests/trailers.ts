import { broken, dropped, forwarded, post, type RequestCase } from '../support/request-case.ts'

const chunked = (...trailers: string[]) =>
  post(['Transfer-Encoding: chunked'], `5\r\nhello\r\n0\r\n${trailers.map(line => `${line}\r\n`).join('')}\r\n`)
const sent = (...trailers: string[]) => forwarded('POST /', { body: 'hello', chunked: true, trailers })
const passes = (name: string, section: string, ...trailers: string[]): RequestCase => {
  return [name, section, chunked(...trailers), sent(...trailers)]
}
const drops = (name: string, section: string, ...trailers: string[]): RequestCase => {
  return [name, section, chunked('X-Sum: 1', ...trailers, 'X-End: 2'), sent('X-Sum: 1', 'X-End: 2')]
}
const fails = (name: string, section: string, ...trailers: string[]): RequestCase => {
  return [name, section, chunked(...trailers), broken()]
}
const tooMuch = (name: string, ...trailers: string[]): RequestCase => {
  return [name, '6585 5', chunked(...trailers), broken(431)]
}

/** RFC 9112 section 7.1.2, RFC 9110 section 6.5. */
export const trailers: readonly RequestCase[] = [
  passes('one', '9112 7.1.2', 'X-Sum: 1'),
  passes('several, one of them twice', '9112 7.1.2', 'X-Sum: 1', 'X-More: 2', 'x-sum: 3'),
  passes('value empty', '9110 5.5', 'X-Sum:'),
  passes('value with obs-text', '9110 5.5', 'X-Sum: \xe9'),
  passes('name __proto__', 'house: no object per head', '__proto__: 1'),
  [
    'announced by Trailer',
    '9110 6.6.2',
    post(['Transfer-Encoding: chunked', 'Trailer: X-Sum'], '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'),
    sent('X-Sum: 1'),
  ],
  drops('Host', '9110 6.5.1', 'Host: b'),
  drops('Authorization', '9110 6.5.1', 'Authorization: Basic eDp5'),
  drops('Cookie', '9110 6.5.1', 'Cookie: a=b'),
  drops('Content-Type', '9110 6.5.1', 'Content-Type: text/html'),
  drops('Content-Encoding', '9110 6.5.1', 'Content-Encoding: gzip'),
  drops('Cache-Control', '9110 6.5.1', 'Cache-Control: no-store'),
  drops('Expect', '9110 6.5.1', 'Expect: 100-continue'),
  drops('Connection', '9110 7.6.1', 'Connection: close'),
  drops('Upgrade', '9110 7.6.1', 'Upgrade: h2c'),
  drops('TE', '9110 7.6.1', 'TE: trailers'),
  drops('X-Forwarded-For', 'house: not believed', 'X-Forwarded-For: 6.6.6.6'),
  drops('Forwarded', 'house: not believed', 'Forwarded: for=6.6.6.6'),
  fails('Content-Length', '9110 6.5.1', 'Content-Length: 5'),
  fails('Content-Length among others', '9110 6.5.1', 'X-Sum: 1', 'content-length: 0'),
  fails('Transfer-Encoding', '9110 6.5.1', 'Transfer-Encoding: chunked'),
  fails('Transfer-Encoding in odd case', '9110 6.5.1', 'TRANSFER-ENCODING: identity'),
  fails('space before the colon', '9112 5.1', 'X-Sum : 1'),
  fails('no colon', '9112 5', 'X-Sum'),
  fails('folded', '9112 5.2', 'X-Sum: 1\r\n 2'),
  fails('white space first', '9112 5.2', ' X-Sum: 1'),
  fails('NUL in a value', '9110 5.5', 'X-Sum: \0'),
  fails('bare CR in a value', '9112 2.2', 'X-Sum: 1\r2'),
  fails('bare LF in a value', '9112 2.2', 'X-Sum: 1\nHost: b'),
  fails('bare LF ends a line', '9112 2.2', 'X-Sum: 1\n'),
  fails('name with obs-text', '9110 5.6.2', 'X-S\xfcm: 1'),
  tooMuch('more than 100', ...Array.from({ length: 101 }, (_, i) => `X-${i}: 1`)),
  tooMuch('larger than a head may be', `X-Sum: ${'1'.repeat(17_000)}`),
  [
    'the end of input within them',
    '9112 8',
    post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\nX-Sum: 1\r\n'),
    dropped,
  ],
]
