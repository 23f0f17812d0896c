import {
  broken,
  declined,
  forwarded,
  get,
  head,
  message,
  post,
  type RequestCase,
  refused,
} from '../support/request-case.ts'

const numbered = (count: number) => Array.from({ length: count }, (_, i) => message(`GET /${i} HTTP/1.1`)).join('')
const numberedOut = (count: number) => Array.from({ length: count }, (_, i) => forwarded(`GET /${i}`))
const expecting = 'Expect: 100-continue'
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n'

/** RFC 9110 section 10.1.1. */
export const expect: readonly RequestCase[] = [
  [
    'with a body sent at once',
    '9110 10.1.1',
    post([expecting, 'Content-Length: 2'], 'hi'),
    forwarded('POST /', { fields: [expecting], body: 'hi' }),
  ],
  [
    'in capitals',
    '9110 10.1.1',
    post(['EXPECT: 100-CONTINUE', 'Content-Length: 2'], 'hi'),
    forwarded('POST /', { fields: ['EXPECT: 100-CONTINUE'], body: 'hi' }),
  ],
  [
    'with a chunked body',
    '9110 10.1.1',
    post([expecting, 'Transfer-Encoding: chunked'], '2\r\nhi\r\n0\r\n\r\n'),
    forwarded('POST /', { fields: [expecting], body: 'hi', chunked: true }),
  ],
  ['another expectation', '9110 10.1.1', post(['Expect: 200-ok', 'Content-Length: 2'], 'hi'), refused(417)],
  ['two expectations', '9110 10.1.1', post(['Expect: 100-continue, x', 'Content-Length: 2'], 'hi'), refused(417)],
  ['empty', '9110 10.1.1', get('Expect:'), refused(417)],
  ['with a parameter', '9110 10.1.1', post(['Expect: 100-continue;x', 'Content-Length: 2'], 'hi'), refused(417)],
]

/** RFC 9112 section 9.3.2: in order, and what follows a fault is nobody's. */
export const pipelining: readonly RequestCase[] = [
  ['two', '9112 9.3.2', numbered(2), ...numberedOut(2)],
  ['twenty', '9112 9.3.2', numbered(20), ...numberedOut(20)],
  [
    'with bodies of each kind',
    '9112 9.3.2',
    `${post(['Content-Length: 2'], 'hi')}${get()}${post(['Transfer-Encoding: chunked'], '1\r\na\r\n0\r\nT: 1\r\n\r\n')}${get()}`,
    forwarded('POST /', { body: 'hi' }),
    forwarded('GET /'),
    forwarded('POST /', { body: 'a', chunked: true, trailers: ['T: 1'] }),
    forwarded('GET /'),
  ],
  ['an empty line between', '9112 2.2', `${get()}\r\n${get()}`, forwarded('GET /'), forwarded('GET /')],
  [
    'after a body with CRLF too many',
    '9112 2.2',
    `${post(['Content-Length: 2'], 'hi')}\r\n${get()}`,
    forwarded('POST /', { body: 'hi' }),
    forwarded('GET /'),
  ],
  ['a fault second', '9112 9.3.2', `${get()}GET / HTTP/1.1\r\n\r\n${smuggled}`, forwarded('GET /'), refused()],
  [
    'a fault third',
    '9112 9.3.2',
    `${numbered(2)}${post(['Content-Length: 5', 'Content-Length: 6'], 'hello')}${smuggled}`,
    ...numberedOut(2),
    refused(),
  ],
  [
    'a broken body second',
    '9112 9.3.2',
    `${get()}${post(['Transfer-Encoding: chunked'], 'x\r\n')}${smuggled}`,
    forwarded('GET /'),
    broken(),
  ],
  [
    'a body shorter than its length swallows the next',
    '9112 6.3',
    post(['Content-Length: 35'], smuggled),
    forwarded('POST /', { body: smuggled }),
  ],
  [
    'bytes after a length begin a request',
    '9112 6.3',
    post(['Content-Length: 0'], smuggled),
    forwarded('POST /'),
    forwarded('GET /smuggled', { host: 'b' }),
  ],
  [
    'bytes after a request without framing begin a request',
    '9112 6.3',
    post([], smuggled),
    forwarded('POST /'),
    forwarded('GET /smuggled', { host: 'b' }),
  ],
  [
    'bytes after a request without framing that are none',
    '9112 6.3',
    post([], '{"a":1}'),
    forwarded('POST /'),
    refused(),
  ],
  [
    'after Connection: close nothing counts',
    '9112 9.6',
    `${get('Connection: close')}${smuggled}`,
    forwarded('GET /', { closes: true }),
  ],
  [
    'a declined one in between',
    '9112 9.3.2',
    `${get()}${message('GET /../x HTTP/1.1')}${get()}`,
    forwarded('GET /'),
    declined(400),
    forwarded('GET /'),
  ],
  [
    'a declined one with a body in between',
    '9112 9.3.2',
    `${get()}${message('POST /../x HTTP/1.1', ['Content-Length: 5'], 'hello')}${get()}`,
    forwarded('GET /'),
    declined(400),
    forwarded('GET /'),
  ],
  [
    'HEAD between',
    '9110 9.3.2',
    `${get()}${message('HEAD / HTTP/1.1')}${get()}`,
    forwarded('GET /'),
    forwarded('HEAD /'),
    forwarded('GET /'),
  ],
]

/** RFC 9112 sections 2.3 and C.2. */
export const http10: readonly RequestCase[] = [
  ['with Host', '9112 C.2', message('GET / HTTP/1.0'), forwarded('GET /', { version: '1.0' })],
  ['without Host', '9112 3.2', head('GET / HTTP/1.0', []), forwarded('GET /', { version: '1.0', host: null })],
  [
    'with a length',
    '9112 6.3',
    message('POST / HTTP/1.0', ['Content-Length: 5'], 'hello'),
    forwarded('POST /', { version: '1.0', body: 'hello' }),
  ],
  [
    'keep-alive',
    '9112 C.2.2',
    message('GET / HTTP/1.0', ['Connection: keep-alive']),
    forwarded('GET /', { version: '1.0', closes: false }),
  ],
  [
    'keep-alive in capitals',
    '9112 C.2.2',
    message('GET / HTTP/1.0', ['Connection: Keep-Alive']),
    forwarded('GET /', { version: '1.0', closes: false }),
  ],
  [
    'keep-alive beside close',
    '9112 9.3',
    message('GET / HTTP/1.0', ['Connection: keep-alive, close']),
    forwarded('GET /', { version: '1.0' }),
  ],
  [
    'Proxy-Connection: keep-alive is no keep-alive',
    '9112 C.2.2',
    message('GET / HTTP/1.0', ['Proxy-Connection: keep-alive']),
    forwarded('GET /', { version: '1.0' }),
  ],
  ['Host twice', '9112 3.2', message('GET / HTTP/1.0', ['Host: a']), refused()],
  ['Host invalid', '9112 3.2', head('GET / HTTP/1.0', ['Host: a b']), refused()],
  ['chunked', '9112 6.1', message('POST / HTTP/1.0', ['Transfer-Encoding: chunked'], '0\r\n\r\n'), refused()],
  [
    'chunked beside a length',
    '9112 6.1',
    message('POST / HTTP/1.0', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    refused(),
  ],
  [
    'Upgrade',
    '9110 7.8',
    message('GET / HTTP/1.0', ['Connection: Upgrade', 'Upgrade: websocket']),
    forwarded('GET /', { version: '1.0' }),
  ],
  [
    'Expect',
    '9110 10.1.1',
    message('POST / HTTP/1.0', ['Expect: 100-continue', 'Content-Length: 2'], 'hi'),
    forwarded('POST /', { version: '1.0', fields: ['Expect: 100-continue'], body: 'hi' }),
  ],
  [
    'absolute-form without Host',
    '9112 3.2.2',
    head('GET http://b/ HTTP/1.0', []),
    forwarded('GET /', { version: '1.0', host: 'b' }),
  ],
]

const room = 16_384 - get('A: ').length

/** What a gateway grants as it comes: 16 KB and 100 fields. */
export const limits: readonly RequestCase[] = [
  [
    '100 fields',
    'house: limits',
    get(...Array.from({ length: 99 }, (_, i) => `A${i}: b`)),
    forwarded('GET /', { fields: Array.from({ length: 99 }, (_, i) => `A${i}: b`) }),
  ],
  ['101 fields', '6585 5', get(...Array.from({ length: 100 }, (_, i) => `A${i}: b`)), refused(431)],
  ['1,000 fields', '6585 5', get(...Array.from({ length: 1000 }, () => 'a:')), refused(431)],
  [
    'head as large as can be',
    'house: limits',
    get(`A: ${'b'.repeat(room)}`),
    forwarded('GET /', { fields: [`A: ${'b'.repeat(room)}`] }),
  ],
  ['head a byte too large', '6585 5', get(`A: ${'b'.repeat(room + 1)}`), refused(431)],
  ['head without end', '6585 5', `GET / HTTP/1.1\r\nA: ${'b'.repeat(100_000)}`, refused(431)],
  ['name without end', '6585 5', `GET / HTTP/1.1\r\n${'b'.repeat(100_000)}`, refused(431)],
  ['method without end', '9112 3', 'A'.repeat(100_000), refused(431)],
  ['target without end', '9112 3', message(`GET /${'a'.repeat(20_000)} HTTP/1.1`), refused(414)],
  ['query without end', '9112 3', message(`GET /?${'a'.repeat(20_000)} HTTP/1.1`), refused(414)],
  [
    'target of 8,000 bytes',
    '9112 3',
    message(`GET /${'a'.repeat(8_000)} HTTP/1.1`),
    forwarded(`GET /${'a'.repeat(8_000)}`),
  ],
  ['white space without end', '6585 5', `GET / HTTP/1.1\r\nA:${' '.repeat(100_000)}`, refused(431)],
  [
    'body of 1 MB',
    'house: streamed',
    post(['Content-Length: 1048576'], 'x'.repeat(1_048_576)),
    forwarded('POST /', { body: 'x'.repeat(1_048_576) }),
  ],
]
