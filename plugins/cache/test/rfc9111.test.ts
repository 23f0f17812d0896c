import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lineValue } from '../../../test/support/message.ts'
import { httpDate, pass, startCache, stopTime } from './support.ts'

beforeEach(stopTime)
afterEach(() => void vi.useRealTimers())

/** Seconds since the last request, its line and fields, and what comes of it. */
type Step = readonly [after: number, request: string, fields: readonly string[], told: string]

const get = 'GET /'
const miss = '200 #1 fwd=uri-miss'
const stored = '200 #1 fwd=uri-miss; stored'
const again = '200 #2 fwd=uri-miss'

/** `answer`: lines of every answer; its body is the request's number. */
const cases: [string, { answer: readonly string[]; options?: object }, Step[]][] = [
  // Section 3: what is kept.
  [
    'max-age',
    { answer: ['Cache-Control: max-age=60'] },
    [
      [0, get, [], stored],
      [0, get, [], '200 #1 hit; ttl=60'],
    ],
  ],
  [
    'nothing said',
    { answer: [] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  [
    'a validator alone',
    { answer: ['ETag: "a"'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  [
    'no-store',
    { answer: ['Cache-Control: max-age=60, no-store'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  [
    'private',
    { answer: ['Cache-Control: max-age=60, private'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  [
    'private of a field',
    { answer: ['Cache-Control: private="x-a", max-age=60'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  ['must-understand', { answer: ['Cache-Control: max-age=60, no-store, must-understand'] }, [[0, get, [], stored]]],
  ['on several lines', { answer: ['Cache-Control: max-age=60', 'Cache-Control: no-store'] }, [[0, get, [], miss]]],
  ['no-store in quotes', { answer: ['Cache-Control: x="no-store", max-age=60'] }, [[0, get, [], stored]]],
  [
    'a cookie set',
    { answer: ['Cache-Control: max-age=60', 'Set-Cookie: a=b'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  ['public without a time', { answer: ['Cache-Control: public'] }, [[0, get, [], miss]]],

  // Section 4.2: how long it is fresh.
  [
    'max-age, over',
    { answer: ['Cache-Control: max-age=60'] },
    [
      [0, get, [], stored],
      [59, get, [], '200 #1 hit; ttl=1'],
      [1, get, [], '200 #2 fwd=stale; stored'],
    ],
  ],
  [
    's-maxage before max-age',
    { answer: ['Cache-Control: max-age=1, s-maxage=60'] },
    [
      [0, get, [], stored],
      [30, get, [], '200 #1 hit; ttl=30'],
    ],
  ],
  [
    'max-age before Expires',
    { answer: ['Cache-Control: max-age=60', `Expires: ${httpDate(5)}`] },
    [
      [0, get, [], stored],
      [30, get, [], '200 #1 hit; ttl=30'],
    ],
  ],
  [
    'Expires against Date',
    { answer: [`Date: ${httpDate(0)}`, `Expires: ${httpDate(10)}`] },
    [
      [0, get, [], stored],
      [9, get, [], '200 #1 hit; ttl=1'],
      [1, get, [], '200 #2 fwd=stale; stored'],
    ],
  ],
  [
    'Expires: 0',
    { answer: ['Expires: 0'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  ['Expires that is no date', { answer: ['Expires: 2099'] }, [[0, get, [], miss]]],
  [
    'max-age that is no number',
    { answer: ['Cache-Control: max-age=1e9', `Expires: ${httpDate(99)}`] },
    [[0, get, [], miss]],
  ],
  [
    'max-age twice',
    { answer: ['Cache-Control: max-age=10, max-age=60'] },
    [
      [0, get, [], stored],
      [11, get, [], '200 #2 fwd=stale; stored'],
    ],
  ],
  [
    'max-age in quotes',
    { answer: ['Cache-Control: max-age="60"'] },
    [
      [0, get, [], stored],
      [0, get, [], '200 #1 hit; ttl=60'],
    ],
  ],
  [
    'max-age without end',
    { answer: ['Cache-Control: max-age=99999999999999999999'] },
    [
      [0, get, [], stored],
      [0, get, [], '200 #1 hit; ttl=2147483648'],
    ],
  ],
  [
    'Age',
    { answer: ['Cache-Control: max-age=60', 'Age: 50'] },
    [
      [0, get, [], stored],
      [9, get, [], '200 #1 hit; ttl=1'],
      [1, get, [], '200 #2 fwd=stale; stored'],
    ],
  ],
  [
    'Date in the past',
    { answer: ['Cache-Control: max-age=60', `Date: ${httpDate(-50)}`] },
    [
      [0, get, [], stored],
      [9, get, [], '200 #1 hit; ttl=1'],
    ],
  ],
  ['no heuristic', { answer: [`Last-Modified: ${httpDate(-1000)}`] }, [[0, get, [], miss]]],
  [
    'heuristic, asked for',
    { answer: [`Last-Modified: ${httpDate(-1000)}`], options: { heuristic: true } },
    [
      [0, get, [], stored],
      [99, get, [], '200 #1 hit; ttl=1'],
    ],
  ],

  // Section 4.3: validation.
  [
    'a tag that is confirmed',
    { answer: ['Cache-Control: max-age=9', 'ETag: "a"'] },
    [
      [0, get, [], stored],
      [9, get, [], '200 #1 fwd=stale; fwd-status=304; stored'],
      [8, get, [], '200 #1 hit; ttl=1'],
    ],
  ],
  [
    'no-cache with a tag',
    { answer: ['Cache-Control: no-cache', 'ETag: "a"'] },
    [
      [0, get, [], stored],
      [0, get, [], '200 #1 fwd=stale; fwd-status=304; stored'],
    ],
  ],
  ['no-cache without', { answer: ['Cache-Control: no-cache, max-age=60'] }, [[0, get, [], miss]]],
  [
    'the client has it',
    { answer: ['Cache-Control: max-age=9', 'ETag: "a"'] },
    [
      [0, get, [], stored],
      [1, get, ['If-None-Match: "b", W/"a"'], '304 - hit; ttl=8'],
      [0, get, ['If-None-Match: "b"'], '200 #1 hit; ttl=8'],
      [0, get, ['If-None-Match: *'], '304 - hit; ttl=8'],
      [8, get, ['If-None-Match: "a"'], '304 - fwd=stale; fwd-status=304; stored'],
    ],
  ],
  [
    'the client has it, by date',
    { answer: ['Cache-Control: max-age=9', `Last-Modified: ${httpDate(-5)}`] },
    [
      [0, get, [], stored],
      [0, get, [`If-Modified-Since: ${httpDate(-5)}`], '304 - hit; ttl=9'],
      [0, get, [`If-Modified-Since: ${httpDate(-6)}`], '200 #1 hit; ttl=9'],
      [0, get, [`If-Modified-Since: ${httpDate(0)}`, 'If-None-Match: "x"'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'conditions for the origin alone',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, ['If-Match: "a"'], '200 #1 fwd=bypass'],
      [0, get, [`If-Unmodified-Since: ${httpDate(0)}`], '200 #2 fwd=bypass'],
    ],
  ],

  // Section 4.1: Vary.
  [
    'Vary',
    { answer: ['Cache-Control: max-age=9', 'Vary: X-A, x-b'] },
    [
      [0, get, ['X-A: 1'], stored],
      [0, get, ['X-A: 1'], '200 #1 hit; ttl=9'],
      [0, get, ['X-A: 2'], '200 #2 fwd=vary-miss; stored'],
      [0, get, ['X-A: 1', 'X-B: 1'], '200 #3 fwd=vary-miss; stored'],
      [0, get, ['x-a: 1'], '200 #1 hit; ttl=9'],
      [0, get, ['X-A: 2'], '200 #2 hit; ttl=9'],
    ],
  ],
  [
    'Vary, spaces apart',
    { answer: ['Cache-Control: max-age=9', 'Vary: X-A'] },
    [
      [0, get, ['X-A: 1, 2'], stored],
      [0, get, ['X-A: 1,2'], '200 #1 hit; ttl=9'],
      [0, get, ['X-A: 1', 'X-A: 2'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'Vary: *',
    { answer: ['Cache-Control: max-age=9', 'Vary: X-A, *'] },
    [
      [0, get, [], miss],
      [0, get, [], again],
    ],
  ],
  [
    'Vary by what the gateway writes',
    { answer: ['Cache-Control: max-age=9', 'Vary: X-Forwarded-For'] },
    [[0, get, [], miss]],
  ],

  // Section 3.5: credentials.
  [
    'Authorization',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, ['Authorization: a'], miss],
      [0, get, ['Authorization: a'], again],
      [0, get, [], '200 #3 fwd=uri-miss; stored'],
      [0, get, ['Authorization: a'], '200 #4 fwd=vary-miss'],
    ],
  ],
  [
    'Authorization, public',
    { answer: ['Cache-Control: max-age=9, public'] },
    [
      [0, get, ['Authorization: a'], stored],
      [0, get, [], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'Authorization, s-maxage',
    { answer: ['Cache-Control: s-maxage=9'] },
    [
      [0, get, ['Authorization: a'], stored],
      [0, get, ['Authorization: b'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'Authorization, shared',
    { answer: ['Cache-Control: max-age=9'], options: { shared: true } },
    [
      [0, get, ['Authorization: a'], stored],
      [0, get, ['Authorization: b'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'Authorization in the key',
    { answer: ['Cache-Control: max-age=9'], options: { key: { headers: ['authorization'] } } },
    [
      [0, get, ['Authorization: a'], stored],
      [0, get, ['Authorization: a'], '200 #1 hit; ttl=9'],
      [0, get, ['Authorization: b'], '200 #2 fwd=uri-miss; stored'],
      [0, get, [], '200 #3 fwd=uri-miss; stored'],
    ],
  ],
  [
    'a cookie',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, ['Cookie: a=1'], stored],
      [0, get, ['Cookie: a=2'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'a cookie where only ttl says so',
    { answer: [], options: { ttl: '9s' } },
    [
      [0, get, ['Cookie: a=1'], miss],
      [0, get, [], '200 #2 fwd=uri-miss; stored'],
      [0, get, ['Cookie: a=1'], '200 #3 fwd=vary-miss'],
    ],
  ],
  [
    'a cookie in the key',
    { answer: [], options: { ttl: '9s', key: { cookies: ['a'] } } },
    [
      [0, get, ['Cookie: a=1; b=1'], stored],
      [0, get, ['Cookie: b=2; a=1'], '200 #1 hit; ttl=9'],
      [0, get, ['Cookie: a=2'], '200 #2 fwd=uri-miss; stored'],
    ],
  ],

  // Section 4.2.4 and RFC 5861: stale answers.
  [
    'stale-while-revalidate',
    { answer: ['Cache-Control: max-age=9, stale-while-revalidate=5'] },
    [
      [0, get, [], stored],
      [10, get, [], '200 #1 hit; ttl=-1'],
      [0, get, [], '200 #2 hit; ttl=9'],
      [14, get, [], '200 #3 fwd=stale; stored'],
    ],
  ],
  [
    'stale-while-revalidate beside s-maxage',
    { answer: ['Cache-Control: s-maxage=9, stale-while-revalidate=5'] },
    [
      [0, get, [], stored],
      [10, get, [], '200 #1 hit; ttl=-1'],
    ],
  ],
  [
    'stale-while-revalidate by option',
    { answer: ['Cache-Control: max-age=9'], options: { staleWhileRevalidate: '5s' } },
    [
      [0, get, [], stored],
      [10, get, [], '200 #1 hit; ttl=-1'],
    ],
  ],
  ...['must-revalidate', 'proxy-revalidate', 'no-cache'].map((directive): [string, { answer: string[] }, Step[]] => [
    `stale-while-revalidate beside ${directive}`,
    { answer: [`Cache-Control: max-age=9, stale-while-revalidate=5, ${directive}`, 'ETag: "a"'] },
    [
      [0, get, [], stored],
      [10, get, [], '200 #1 fwd=stale; fwd-status=304; stored'],
    ],
  ]),
  [
    'max-stale',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [10, get, ['Cache-Control: max-stale=1'], '200 #1 hit; ttl=-1'],
      [0, get, ['Cache-Control: max-stale'], '200 #1 hit; ttl=-1'],
      [1, get, ['Cache-Control: max-stale=1'], '200 #2 fwd=stale; stored'],
    ],
  ],
  [
    'max-stale beside s-maxage',
    { answer: ['Cache-Control: s-maxage=9'] },
    [
      [0, get, [], stored],
      [10, get, ['Cache-Control: max-stale'], '200 #2 fwd=stale; stored'],
    ],
  ],

  // Section 5.2.1: what clients ask for.
  [
    'no-cache asked for',
    { answer: ['Cache-Control: max-age=9', 'ETag: "a"'] },
    [
      [0, get, [], stored],
      [0, get, ['Cache-Control: no-cache'], '200 #1 fwd=request; fwd-status=304; stored'],
    ],
  ],
  [
    'no-store asked for',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, ['Cache-Control: no-store'], '200 #1 fwd=request'],
      [0, get, [], '200 #2 fwd=uri-miss; stored'],
    ],
  ],
  [
    'max-age asked for',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [5, get, ['Cache-Control: max-age=5'], '200 #1 hit; ttl=4'],
      [1, get, ['Cache-Control: max-age=5'], '200 #2 fwd=request; stored'],
    ],
  ],
  [
    'min-fresh',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [5, get, ['Cache-Control: min-fresh=4'], '200 #1 hit; ttl=4'],
      [0, get, ['Cache-Control: min-fresh=5'], '200 #2 fwd=request; stored'],
    ],
  ],
  [
    'only-if-cached',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, ['Cache-Control: only-if-cached'], '504 CACHE_ONLY_IF_CACHED -'],
      [0, get, [], stored],
      [0, get, ['Cache-Control: only-if-cached'], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'nothing a client asks for',
    { answer: ['Cache-Control: max-age=9'], options: { requestDirectives: false } },
    [
      [0, get, ['Cache-Control: no-store'], stored],
      [0, get, ['Cache-Control: no-cache'], '200 #1 hit; ttl=9'],
    ],
  ],

  // Methods, parts, keys.
  [
    'HEAD from GET',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, 'HEAD /', [], '200 - fwd=uri-miss'],
      [0, get, [], '200 #2 fwd=uri-miss; stored'],
      [0, 'HEAD /', [], '200 - hit; ttl=9'],
    ],
  ],
  [
    'a range',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [0, get, ['Range: bytes=0-0'], '200 #2 fwd=bypass'],
    ],
  ],
  [
    'unsafe methods',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [0, 'GET /?a', [], '200 #2 fwd=uri-miss; stored'],
      [0, 'POST /', [], '200 #3 fwd=method'],
      [0, get, [], '200 #4 fwd=uri-miss; stored'],
      [0, 'GET /?a', [], '200 #5 fwd=uri-miss; stored'],
      [0, 'OPTIONS /', [], '200 #6 fwd=method'],
      [0, get, [], '200 #4 hit; ttl=9'],
    ],
  ],
  [
    'another path, query, host',
    { answer: ['Cache-Control: max-age=9'] },
    [
      [0, get, [], stored],
      [0, 'GET /a', [], '200 #2 fwd=uri-miss; stored'],
      [0, 'GET /?a', [], '200 #3 fwd=uri-miss; stored'],
      [0, get, ['Host: other.test'], '200 #4 fwd=uri-miss; stored'],
      [0, get, ['Host: gateway.test:81'], '200 #5 fwd=uri-miss; stored'],
      [0, get, [], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'a part of the query',
    { answer: ['Cache-Control: max-age=9'], options: { key: { query: ['a b'] } } },
    [
      [0, 'GET /?a+b=1&x=1', [], stored],
      [0, 'GET /?x=2&a+b=1', [], '200 #1 hit; ttl=9'],
      [0, 'GET /?a+b=2', [], '200 #2 fwd=uri-miss; stored'],
    ],
  ],
  [
    'no query',
    { answer: ['Cache-Control: max-age=9'], options: { key: { query: false } } },
    [
      [0, 'GET /?a=1', [], stored],
      [0, 'GET /?a=2', [], '200 #1 hit; ttl=9'],
    ],
  ],
  [
    'a field in the key',
    { answer: ['Cache-Control: max-age=9'], options: { key: { headers: ['X-A'] } } },
    [
      [0, get, ['X-A: 1'], stored],
      [0, get, ['X-A: 2'], '200 #2 fwd=uri-miss; stored'],
    ],
  ],
  [
    'ttl',
    { answer: ['Cache-Control: max-age=1'], options: { ttl: '60s' } },
    [
      [0, get, [], stored],
      [30, get, [], '200 #1 hit; ttl=30'],
    ],
  ],
  ['ttl does not make public', { answer: ['Cache-Control: private'], options: { ttl: '60s' } }, [[0, get, [], miss]]],
  ['a body too large', { answer: ['Cache-Control: max-age=9'], options: { maxEntrySize: 1 } }, [[0, get, [], miss]]],
]

describe('RFC 9111', () => {
  test.each(cases)('%s', async (_, { answer, options = true }, steps) => {
    const { tell } = await startCache(answer, { cache: options })
    const told: string[] = []
    for (const [after, request, fields] of steps) {
      pass(after)
      told.push(await tell(request, fields))
    }
    expect(told).toEqual(steps.map(([, , , expected]) => expected))
  })

  test.each([200, 203, 204, 300, 301, 302, 308, 404, 410, 501])('keeps %i', async status => {
    const { tell } = await startCache(() => ({ status, lines: ['Cache-Control: max-age=9'] }))
    await tell()
    expect(await tell()).toMatch(/hit; ttl=9$/)
  })

  test.each([206, 400, 401, 429, 500, 503])('does not keep %i', async status => {
    const { tell } = await startCache(() => ({ status, lines: ['Cache-Control: max-age=9'] }))
    await tell()
    expect(await tell()).toMatch(/fwd=uri-miss$/)
  })

  test('ttl is not for errors', async () => {
    const { tell } = await startCache(() => ({ status: 404 }), { cache: { ttl: '9s' } })
    await tell()
    expect(await tell()).toMatch(/fwd=uri-miss$/)
  })

  test('an answer is the one that came, with its age, its framing, and fields of several lines', async () => {
    const { ask } = await startCache([
      'Cache-Control: max-age=60',
      'Age: 7',
      'Link: <a>',
      'X-A: 1',
      'Link: <b>',
      'ETag: "e"',
    ])
    const first = await ask()
    pass(3)
    const second = await ask()
    const own = /^(x-request-id|connection|cache-status)/i
    const shown = (lines: readonly string[]) => lines.filter(line => !own.test(line)).toSorted()
    expect(shown(first.lines)).toEqual([
      'Age: 7',
      'Cache-Control: max-age=60',
      'Content-Length: 2',
      `Date: ${httpDate(0)}`,
      'ETag: "e"',
      'Link: <a>',
      'Link: <b>',
      'X-A: 1',
    ])
    expect(shown(second.lines)).toEqual(shown(first.lines).map(line => line.replace('Age: 7', 'Age: 10')))
    expect([first.body, second.body, second.framing]).toEqual(['#1', '#1', 'length'])
    const head = await ask('HEAD /')
    expect(shown(head.lines)).toEqual(shown(second.lines))
    const known = await ask('GET /', ['If-None-Match: "e"'])
    expect(known.lines.filter(line => /^(content|x-a|etag|date)/i.test(line))).toEqual(
      expect.arrayContaining(['ETag: "e"', `Date: ${httpDate(0)}`]),
    )
  })

  test('what the upstream is asked to confirm, and what its 304 changes', async () => {
    const lines = [
      'Cache-Control: max-age=9',
      'ETag: "a"',
      `Last-Modified: ${httpDate(-9)}`,
      'Content-Type: text/a',
      'X-A: 1',
    ]
    const { ask, backend } = await startCache((_request, number) => ({
      lines: number === 2 ? [...lines.slice(0, 3), 'Content-Type: text/b', 'X-A: 2', 'Set-Cookie: a=b'] : lines,
    }))
    await ask()
    pass(9)
    await ask('GET /', ['If-None-Match: "mine"', `If-Modified-Since: ${httpDate(-99)}`])
    const [, asked] = backend.requests
    expect(asked?.lines.filter(line => /^if-/i.test(line))).toEqual([
      'If-None-Match: "a"',
      `If-Modified-Since: ${httpDate(-9)}`,
    ])
    const kept = await ask()
    expect(kept.body).toBe('#1')
    expect(['content-type', 'x-a', 'set-cookie'].map(name => lineValue(kept.lines, name))).toEqual([
      'text/a',
      '2',
      undefined,
    ])
  })

  test('an answer of another kind takes the place of a stale one', async () => {
    const { tell } = await startCache((_request, number) => ({
      lines: number === 1 ? ['Cache-Control: max-age=1, stale-while-revalidate=60'] : ['Cache-Control: no-store'],
    }))
    await tell()
    pass(5)
    expect(await tell()).toBe('200 #1 hit; ttl=-4')
    await vi.waitFor(async () => expect(await tell()).toMatch(/fwd=uri-miss$/))
  })

  test('an unsafe request forgets what it names, on this host alone, unless it failed', async () => {
    const { tell, ask } = await startCache(({ method }) => ({
      status: method === 'PUT' ? 500 : 200,
      lines: [
        'Cache-Control: max-age=9',
        ...(method === 'POST' ? ['Location: /made', 'Content-Location: http://other.test/safe'] : []),
      ],
    }))
    await Promise.all([ask('GET /made'), ask('GET /safe')])
    await ask('PUT /made')
    expect(await tell('HEAD /made')).toBe('200 - hit; ttl=9')
    await ask('POST /')
    expect(await tell('HEAD /made')).toBe('200 - fwd=uri-miss')
    expect(await tell('HEAD /safe')).toBe('200 - hit; ttl=9')
  })
})

describe('RFC 5861: stale-if-error', () => {
  test.each([500, 502, 503, 504])('%i', async status => {
    let fails = false
    const { tell } = await startCache(() => ({
      status: fails ? status : 200,
      lines: fails ? [] : ['Cache-Control: max-age=9, stale-if-error=60'],
    }))
    await tell()
    fails = true
    pass(60)
    expect(await tell()).toBe(`200 #1 fwd=stale; fwd-status=${status}`)
    pass(10)
    expect(await tell()).toMatch(new RegExp(`^${status} #\\d fwd=stale$`))
  })

  test.each(['a connection that breaks', 'must-revalidate'])('%s', async how => {
    const lines = [`Cache-Control: max-age=9, stale-if-error=60${how === 'must-revalidate' ? ', must-revalidate' : ''}`]
    const { tell, backend } = await startCache(() => ({ lines }))
    await tell()
    for (const { socket } of backend.wires) socket.destroy()
    backend.server.removeAllListeners('connection')
    backend.server.on('connection', socket => void socket.destroy())
    pass(10)
    expect(await tell()).toBe(how === 'must-revalidate' ? '502 GATEWAY_UPSTREAM_CLOSED -' : '200 #1 fwd=stale')
  })
})
