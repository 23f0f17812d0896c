import {
  badGateway,
  head,
  ok,
  passed,
  passedChunked,
  passedOk,
  type ResponseCase,
  row,
} from '../support/response-case.ts'

const noContent = passed(204, { reason: 'No Content' })
const notModified = (...fields: string[]) => passed(304, { reason: 'Not Modified', fields })

/** RFC 9112 section 6.3 and RFC 9110 sections 8.6, 9.3.2, 15.3.5 and 15.4.5: what has no body, whatever it says. */
export const bodiless: readonly ResponseCase[] = [
  row(
    'HEAD with a length',
    '9110 9.3.2',
    head('HTTP/1.1 200 OK', 'Content-Length: 9'),
    passed(200, { fields: ['Content-Length: 9'] }),
    { method: 'HEAD' },
  ),
  row('HEAD without framing', '9110 9.3.2', head('HTTP/1.1 200 OK', 'A: b'), passed(200, { fields: ['A: b'] }), {
    method: 'HEAD',
  }),
  row('HEAD chunked', '9110 9.3.2', head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), passed(200), {
    method: 'HEAD',
  }),
  row(
    'HEAD with a body all the same',
    '9110 9.3.2',
    ok(),
    passed(200, { fields: ['Content-Length: 2'], reused: false }),
    { method: 'HEAD' },
  ),
  row(
    'HEAD with two lengths',
    '9112 6.3',
    head('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 2'),
    badGateway,
    { method: 'HEAD' },
  ),
  row('204', '9110 15.3.5', head('HTTP/1.1 204 No Content'), noContent),
  row('204 with a length', '9110 8.6', head('HTTP/1.1 204 No Content', 'Content-Length: 0'), noContent),
  row(
    '204 with a length that is none of it',
    '9110 8.6',
    head('HTTP/1.1 204 No Content', 'Content-Length: 5'),
    noContent,
  ),
  row('204 chunked', '9112 6.1', head('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked'), noContent),
  row(
    '204 with a body all the same',
    '9112 6.3',
    `${head('HTTP/1.1 204 No Content', 'Content-Length: 2')}ok`,
    passed(204, { reason: 'No Content', reused: false }),
  ),
  row(
    '204 chunked with a body all the same',
    '9112 6.3',
    `${head('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    passed(204, { reason: 'No Content', reused: false }),
  ),
  row('304', '9110 15.4.5', head('HTTP/1.1 304 Not Modified', 'ETag: "a"'), notModified('ETag: "a"')),
  row(
    '304 with a length',
    '9110 8.6',
    head('HTTP/1.1 304 Not Modified', 'Content-Length: 9'),
    notModified('Content-Length: 9'),
  ),
  row('304 chunked', '9112 6.1', head('HTTP/1.1 304 Not Modified', 'Transfer-Encoding: chunked'), notModified()),
  row(
    '304 with a body all the same',
    '9112 6.3',
    `${head('HTTP/1.1 304 Not Modified', 'Content-Length: 2')}ok`,
    passed(304, { reason: 'Not Modified', fields: ['Content-Length: 2'], reused: false }),
  ),
  row(
    '205 without content',
    '9110 15.3.6',
    head('HTTP/1.1 205 Reset Content', 'Content-Length: 0'),
    passed(205, { reason: 'Reset Content', fields: ['Content-Length: 0'] }),
  ),
]

const hints = head('HTTP/1.1 103 Early Hints', 'Link: </a>')

/** RFC 9110 section 15.2, RFC 8297. */
export const informational: readonly ResponseCase[] = [
  row('103', '8297 2', hints + ok(), passedOk({ informational: [[103, 'Link: </a>']] })),
  row(
    'several',
    '9110 15.2',
    `${head('HTTP/1.1 102 Processing')}${hints}${hints}${ok()}`,
    passedOk({ informational: [[102], [103, 'Link: </a>'], [103, 'Link: </a>']] }),
  ),
  row(
    '100 that nobody asked for',
    '9110 15.2.1',
    head('HTTP/1.1 100 Continue') + ok(),
    passedOk({ informational: [[100]] }),
  ),
  row('one nobody registered', '9110 15.2', head('HTTP/1.1 199 Odd') + ok(), passedOk({ informational: [[199]] })),
  row(
    'with the fields of the hop',
    '9110 7.6.1',
    head('HTTP/1.1 103 Early Hints', 'Connection: x', 'X: 1', 'Keep-Alive: a', 'Link: </a>') + ok(),
    passedOk({ informational: [[103, 'Link: </a>']] }),
  ),
  row(
    'with a length',
    '9112 6.3',
    head('HTTP/1.1 103 Early Hints', 'Content-Length: 2') + ok(),
    passedOk({ informational: [[103]] }),
  ),
  row(
    'chunked',
    '9112 6.1',
    head('HTTP/1.1 103 Early Hints', 'Transfer-Encoding: chunked') + ok(),
    passedOk({ informational: [[103]] }),
  ),
  row(
    'with two lengths',
    '9112 6.3',
    head('HTTP/1.1 103 Early Hints', 'Content-Length: 1', 'Content-Length: 2') + ok(),
    badGateway,
  ),
  row(
    'before a chunked one',
    '9110 15.2',
    `${hints}${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n`,
    passedChunked('ok', { informational: [[103, 'Link: </a>']] }),
  ),
  row(
    'before 204',
    '9110 15.2',
    hints + head('HTTP/1.1 204 No Content'),
    passed(204, { reason: 'No Content', informational: [[103, 'Link: </a>']] }),
  ),
  row(
    'for HEAD',
    '9110 9.3.2',
    hints + head('HTTP/1.1 200 OK', 'Content-Length: 2'),
    passed(200, { fields: ['Content-Length: 2'], informational: [[103, 'Link: </a>']] }),
    { method: 'HEAD' },
  ),
  row('for an HTTP/1.0 client', '9110 15.2', hints + ok(), passedOk({ closes: true }), {
    ask: 'GET /case HTTP/1.0\r\n\r\n',
  }),
  row('and the end', '9112 8', hints, { ...badGateway, informational: [[103, 'Link: </a>']] }, { after: 'close' }),
  row('and garbage', '9112 4', `${hints}garbage\r\n\r\n`, { ...badGateway, informational: [[103, 'Link: </a>']] }),
  row(
    '101 that nobody asked for',
    '9110 15.2.2',
    head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'),
    badGateway,
  ),
  row('101 without Upgrade', '9110 15.2.2', head('HTTP/1.1 101 Switching Protocols'), badGateway),
]

const unfinished = (framing: string) => `POST /case HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`
const tooLarge = `${head('HTTP/1.1 413 Content Too Large', 'Content-Length: 2')}no`
const saidTooLarge = passed(413, {
  reason: 'Content Too Large',
  fields: ['Content-Length: 2'],
  body: 'no',
  closes: true,
})

/** RFC 9112 section 9.5: an answer before the request's end reaches the client, and no connection is used again. */
export const early: readonly ResponseCase[] = [
  row('before any of a long body', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    ask: unfinished('Content-Length: 1000000'),
  }),
  row('before any of a long body, and the end', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    after: 'close',
    ask: unfinished('Content-Length: 1000000'),
  }),
  row('before any of a chunked body', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    ask: unfinished('Transfer-Encoding: chunked'),
  }),
  row('in the middle of a long body', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    ask: `${unfinished('Content-Length: 1000000')}${'x'.repeat(5000)}`,
  }),
  row('in the middle of a long body, and a reset', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    after: 'close',
    ask: `${unfinished('Content-Length: 1000000')}${'x'.repeat(5000)}`,
  }),
  row('in the middle of a chunk', '9110 15.5.14', tooLarge, saidTooLarge, {
    early: true,
    ask: `${unfinished('Transfer-Encoding: chunked')}ff\r\nxyz`,
  }),
  row('to Expect: 100-continue', '9110 10.1.1', tooLarge, saidTooLarge, {
    early: true,
    ask: unfinished('Expect: 100-continue\r\nContent-Length: 5'),
  }),
]
