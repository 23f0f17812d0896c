import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lineValue } from '../../../test/support/message.ts'
import { cases } from './rfc9111.fixture.ts'
import { httpDate, pass, startCache, stopTime } from './support.ts'

beforeEach(stopTime)
afterEach(() => void vi.useRealTimers())

describe('RFC 9111', () => {
  test.each(cases)('$name', async ({ options, upstream, steps }) => {
    const { tell } = await startCache(upstream, { cache: options })
    const told: string[] = []
    for (const { after, request, fields } of steps) {
      pass(after)
      told.push(await tell(request, fields))
    }
    expect(told).toEqual(steps.map(step => step.told))
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
