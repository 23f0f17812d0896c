import {
  badGateway,
  head,
  ok,
  passed,
  passedOk,
  type ResponseCase,
  row,
  type Verdict,
} from '../support/response-case.ts'

const withLine = (line: string) => `${head(line, 'Content-Length: 2')}ok`
const line = (name: string, text: string, verdict: Verdict = badGateway, section = '9112 4') =>
  row(name, section, withLine(text), verdict)

/** RFC 9112 section 4. */
export const statusLine: readonly ResponseCase[] = [
  line('status line', 'HTTP/1.1 200 OK', passedOk()),
  line('no reason', 'HTTP/1.1 200 ', passedOk()),
  line('no reason and no space', 'HTTP/1.1 200', passedOk(), 'house: often seen'),
  line('reason of its own', 'HTTP/1.1 200 Fine Indeed', passedOk({ reason: 'Fine Indeed' })),
  line('reason with obs-text and tab', 'HTTP/1.1 200 \xe9\tx', passedOk({ reason: '\xe9\tx' })),
  line(
    'status nobody registered',
    'HTTP/1.1 299 Odd',
    passed(299, { reason: 'Odd', body: 'ok', fields: ['Content-Length: 2'] }),
  ),
  line('status 599', 'HTTP/1.1 599 Odd', passed(599, { reason: 'Odd', body: 'ok', fields: ['Content-Length: 2'] })),
  row('HTTP/1.0', '9112 9.3', withLine('HTTP/1.0 200 OK'), passedOk({ reused: false })),
  row(
    'HTTP/1.0 with keep-alive',
    '9112 C.2.2',
    `${head('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 2')}ok`,
    passedOk(),
  ),
  line('HTTP/1.2', 'HTTP/1.2 200 OK'),
  line('HTTP/2', 'HTTP/2 200 OK'),
  line('HTTP/2.0', 'HTTP/2.0 200 OK'),
  line('lower case', 'http/1.1 200 OK'),
  line('another protocol', 'ICY 200 OK'),
  line('no version', '200 OK'),
  line('status of two digits', 'HTTP/1.1 20 OK'),
  line('status of four digits', 'HTTP/1.1 2000 OK'),
  line('status 000', 'HTTP/1.1 000 OK'),
  line('status 099', 'HTTP/1.1 099 OK'),
  line('status 600', 'HTTP/1.1 600 OK'),
  line('status with a letter', 'HTTP/1.1 2O0 OK'),
  line('status negative', 'HTTP/1.1 -200 OK'),
  line('status with a plus', 'HTTP/1.1 +20 OK'),
  line('status glued to its reason', 'HTTP/1.1 200OK'),
  line('two spaces before the status', 'HTTP/1.1  200 OK'),
  line('tab before the status', 'HTTP/1.1\t200 OK'),
  line('tab after the status', 'HTTP/1.1 200\tOK'),
  line('NUL in the reason', 'HTTP/1.1 200 O\0K'),
  line('bare CR in the reason', 'HTTP/1.1 200 O\rK'),
  line('escape in the reason', 'HTTP/1.1 200 \x1b[31m'),
  row('empty line first', '9112 2.2', `\r\n${ok()}`, badGateway),
  row('space first', '9112 2.2', ` ${ok()}`, badGateway),
  row('bare LF ends the status line', '9112 2.2', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok', badGateway),
  row('HTTP/0.9', '9112 2.3', '<html>hello</html>\r\n', badGateway, { after: 'close' }),
  row('a TLS alert', '9112 2.2', '\x15\x03\x01\x00\x02\x02\x46', badGateway, { after: 'close' }),
  row('a request', '9112 4', head('GET / HTTP/1.1', 'Host: a'), badGateway),
  row('nothing, and the end', '9112 8', '', badGateway, { after: 'close', method: 'POST' }),
  row('nothing, and a reset', '9112 8', '', badGateway, { after: 'reset', method: 'POST' }),
  row('the end within the status line', '9112 8', 'HTTP/1.1 20', badGateway, { after: 'close' }),
  row('the end within the fields', '9112 8', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n', badGateway, {
    after: 'close',
  }),
  row('a reset within the fields', '9112 8', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n', badGateway, {
    after: 'reset',
  }),
]

const passes = (name: string, section: string, ...fields: string[]) =>
  row(name, section, ok(...fields), passedOk({ fields }))
const loses = (name: string, section: string, ...fields: string[]) => {
  return row(name, section, ok('A: 1', ...fields, 'Z: 2'), passedOk({ fields: ['A: 1', 'Z: 2'] }))
}
const fails = (name: string, section: string, ...fields: string[]) => row(name, section, ok(...fields), badGateway)

/** RFC 9112 section 5, RFC 9110 sections 5 and 7.6. */
export const responseFields: readonly ResponseCase[] = [
  passes('fields', '9112 5', 'A: b', 'B:c', 'C: \t d \t', 'E:', 'A: 2'),
  passes('Set-Cookie on several lines', '9110 5.3', 'Set-Cookie: a=1; Path=/', 'set-cookie: b=2, c=3'),
  passes('name __proto__', 'house: no object per head', '__proto__: {"x":1}', 'constructor: y'),
  passes('value with obs-text', '9110 5.5', 'A: \x80\xff'),
  passes('Date of the upstream', '9110 6.6.1', 'Date: Tue, 01 Jan 2030 00:00:00 GMT'),
  passes('Via of another gateway', '9110 7.6.3', 'Via: 1.1 other'),
  passes('255 fields', 'house: limits', ...Array.from({ length: 255 }, (_, i) => `A${i}: b`)),
  passes('head of 60 KB', 'house: limits', ...Array.from({ length: 60 }, (_, i) => `A${i}: ${'b'.repeat(1000)}`)),
  fails('257 fields', 'house: limits', ...Array.from({ length: 256 }, (_, i) => `A${i}: b`)),
  fails('head of 70 KB', 'house: limits', `A: ${'b'.repeat(70_000)}`),
  loses('field that Connection names', '9110 7.6.1', 'Connection: x-hop', 'X-Hop: 1'),
  loses(
    'fields that Connection names, on two lines',
    '9110 7.6.1',
    'x: 1',
    'Connection: x , Y',
    'connection: w',
    'y: 2',
    'W: 3',
  ),
  loses('Keep-Alive', '9110 7.6.1', 'Connection: keep-alive', 'Keep-Alive: timeout=5, max=100'),
  loses('Proxy-Connection', '9110 7.6.1', 'Proxy-Connection: keep-alive'),
  loses('Upgrade', '9110 7.8', 'Connection: Upgrade', 'Upgrade: h2c'),
  loses('Upgrade that Connection does not name', '9110 7.8', 'Upgrade: h2c'),
  loses('Trailer', '9110 6.6.2', 'Trailer: X-Sum'),
  loses('TE', '9110 10.1.4', 'TE: trailers'),
  loses('Proxy-Authenticate', '9110 11.7.1', 'Proxy-Authenticate: Basic'),
  loses('Proxy-Authorization', '9110 11.7.2', 'Proxy-Authorization: Basic'),
  row('Connection: close', '9112 9.6', ok('Connection: close'), passedOk({ reused: false })),
  row('Connection: close in a list', '9112 9.6', ok('Connection: x, CLOSE'), passedOk({ reused: false })),
  row('Connection names Content-Length', '9110 7.6.1', ok('Connection: content-length'), passedOk()),
  row('Connection names Set-Cookie', '9110 7.6.1', ok('Connection: set-cookie', 'Set-Cookie: a=b'), passedOk()),
  fails('NUL in a value', '9110 5.5', 'A: b\0c'),
  fails('bare CR in a value', '9112 2.2', 'A: b\rSet-Cookie: c=d'),
  fails('bare LF ends a line', '9112 2.2', 'A: b\nB: c'),
  fails('CR CR LF', '9112 2.2', 'A: b\r'),
  fails('obs-fold', '9112 5.2', 'A: b\r\n c'),
  fails('obs-fold that hides framing', '9112 5.2', 'A: b\r\n Transfer-Encoding: chunked'),
  fails('space before the colon', '9112 5.1', 'A : b'),
  fails('no colon', '9112 5', 'A'),
  fails('no name', '9112 5', ': b'),
  fails('name with a space', '9110 5.6.2', 'A B: c'),
  fails('name with NUL', '9110 5.6.2', 'A\0: b'),
  fails('name with obs-text', '9110 5.6.2', '\xc4: b'),
  fails('escape in a value', '9110 5.5', 'A: \x1b[31m'),
  row('bare LF ends the head', '9112 2.2', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok', badGateway),
]
