import { type Attempt, GatewayError, type Outcome, type RouteHooks } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { lineValue } from '../../support/message.ts'
import { rawUpstream, recordingBackend, refusingOrigin } from '../../support/upstream.ts'
import { exchange, responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, hooked, startProxy, turn, untyped } from './support.ts'

/** What a plugin is told of each attempt's end. */
function watching(
  ends: unknown[],
  verdict: (attempt: Attempt, outcome: Outcome) => 'retry' | 'fail' | undefined = () => undefined,
): RouteHooks {
  return {
    onAttemptEnd(_ctx, attempt, outcome) {
      ends.push([attempt.number, 'error' in outcome ? outcome.error.code : outcome.status])
      return verdict(attempt, outcome)
    },
  }
}
const retryOnce = (attempt: Attempt) => (attempt.number === 1 ? 'retry' : undefined)

describe('onAttempt', () => {
  test('changes what this attempt sends, and nothing else', async () => {
    const backend = await recordingBackend((_request, connection) => responseText(connection === 1 ? 503 : 200))
    const seen: unknown[] = []
    const running = await startProxy(backend.origin, [
      hooked('a', {
        onAttempt(ctx, attempt) {
          seen.push([
            attempt.number,
            attempt.path,
            attempt.target.url,
            attempt.target.inFlight,
            attempt.headers.get('x-client'),
            attempt.headers.has('x-attempt'),
          ])
          attempt.headers.set('X-Attempt', `${attempt.number}`)
          attempt.headers.delete('X-Client')
          attempt.path = `/changed/${attempt.number}?q`
          expect(ctx.headers.get('x-client')).toBe('1')
        },
        onAttemptEnd: (_ctx, attempt) => retryOnce(attempt),
        onResponse: (ctx, head) =>
          head.headers.set('X-Seen', `${ctx.headers.get('x-client')} ${ctx.headers.has('x-attempt')} ${ctx.path}`),
      }),
    ])
    const response = await running.gateway.fetch('http://x/path', { headers: { 'x-client': '1' } })
    expect(response.headers.get('x-seen')).toBe('1 false /path')
    expect(
      backend.requests.map(({ target, lines }) => [
        target,
        lineValue(lines, 'x-attempt'),
        lineValue(lines, 'x-client'),
      ]),
    ).toEqual([
      ['/changed/1?q', '1', undefined],
      ['/changed/2?q', '2', undefined],
    ])
    expect(seen).toEqual([
      [1, '/path', backend.origin, 0, '1', false],
      // The answer that is not wanted is still read to its end.
      [2, '/path', backend.origin, 1, '1', false],
    ])
  })

  test('cannot say how the message is framed', async () => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [
      hooked('a', {
        onAttempt(_ctx, { headers }) {
          for (const name of ['Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'TE', 'Keep-Alive'])
            headers.set(name, '1')
        },
      }),
    ])
    expect(await ask(running, '/', { method: 'POST', body: 'hello' })).toBe('200 hello')
    expect([backend.only.framing, backend.only.body]).toEqual(['chunked', 'hello'])
    expect(backend.only.head).not.toMatch(/\r\n(content-length|connection|upgrade|te|keep-alive):/i)
  })

  test.each<[string, (attempt: Attempt) => void]>([
    [
      'a path that would break out of its line',
      attempt => {
        attempt.path = '/a HTTP/1.1\r\nX: y\r\n\r\n'
      },
    ],
    [
      'a path that is none',
      attempt => {
        attempt.path = ''
      },
    ],
  ])('%s is a 500, and nothing is sent', async (_, change) => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [hooked('a', { onAttempt: (_ctx, attempt) => change(attempt) })])
    expect(await askProblem(running)).toBe('500 GATEWAY_INTERNAL')
    expect(backend.requests).toEqual([])
  })

  test('returning something is no answer', async () => {
    const backend = await recordingBackend()
    const running = await startProxy(backend.origin, [
      untyped('a', { onAttempt: () => ({ status: 418 }) }),
      hooked('b', { onAttempt: (_ctx, { headers }) => headers.set('X-B', '1') }),
    ])
    expect(await ask(running)).toBe('200 hello')
    expect(lineValue(backend.only.lines, 'x-b')).toBe('1')
  })
})

describe('onAttemptEnd', () => {
  test('hears of a status, with the time it took', async () => {
    const { origin } = await recordingBackend(() => responseText(404))
    const outcomes: Outcome[] = []
    const running = await startProxy(origin, [
      hooked('a', { onAttemptEnd: (_ctx, _attempt, outcome) => void outcomes.push(outcome) }),
    ])
    expect(await ask(running)).toBe('404 ')
    expect(outcomes).toEqual([{ status: 404, headersMs: expect.any(Number) }])
  })

  test('hears of an error', async () => {
    const ends: unknown[] = []
    const running = await startProxy(await refusingOrigin(), [hooked('a', watching(ends))])
    expect(await askProblem(running)).toBe('502 GATEWAY_UPSTREAM_CONNECT')
    expect(ends).toEqual([[1, 'GATEWAY_UPSTREAM_CONNECT']])
  })

  test('retry asks for another attempt, on a status or an error', async () => {
    const ends: unknown[] = []
    const backend = await recordingBackend(() => responseText(backend.requests.length < 3 ? 503 : 200, [], 'at last'))
    const again = hooked(
      'again',
      watching(ends, (_attempt, outcome) => ('status' in outcome && outcome.status === 503 ? 'retry' : undefined)),
    )
    const running = await startProxy(backend.origin, [again])
    expect(await ask(running)).toBe('200 at last')
    expect(ends).toEqual([
      [1, 503],
      [2, 503],
      [3, 200],
    ])
    expect(running.log.access.map(({ fields }) => fields.attempts)).toEqual([3])

    const dead = await rawUpstream(async wire => {
      await wire.request()
      wire.socket.destroy()
    })
    const errors: unknown[] = []
    const failing = await startProxy(dead.origin, [hooked('again', watching(errors, retryOnce))])
    expect(await askProblem(failing)).toBe('502 GATEWAY_UPSTREAM_CLOSED')
    expect(errors).toEqual([
      [1, 'GATEWAY_UPSTREAM_CLOSED'],
      [2, 'GATEWAY_UPSTREAM_CLOSED'],
    ])
  })

  test('retry is not granted for ever', async () => {
    const ends: unknown[] = []
    const backend = await recordingBackend(() => responseText(503, [], 'never'))
    const running = await startProxy(backend.origin, [
      hooked(
        'again',
        watching(ends, () => 'retry'),
      ),
    ])
    expect(await ask(running)).toBe('503 never')
    expect(ends).toHaveLength(16)
  })

  test('a request whose body has gone out is not sent again', async () => {
    const ends: unknown[] = []
    const backend = await recordingBackend(() => responseText(503))
    const running = await startProxy(backend.origin, [
      hooked(
        'again',
        watching(ends, () => 'retry'),
      ),
    ])
    expect((await exchange(running.port, 'POST /', [], 'body')).status).toBe(503)
    expect(ends).toEqual([[1, 503]])
    expect(backend.requests).toHaveLength(1)
  })

  test('fail forbids the retry that the gateway would make by itself', async () => {
    const backend = await recordingBackend()
    const refusing = await refusingOrigin()
    const ends: unknown[] = []
    const running = await startProxy(
      [refusing, backend.origin],
      [
        hooked(
          'never',
          watching(ends, () => 'fail'),
        ),
      ],
    )
    expect(await askProblem(running)).toBe('502 GATEWAY_UPSTREAM_CONNECT')
    expect(ends).toEqual([[1, 'GATEWAY_UPSTREAM_CONNECT']])
    const without = await startProxy([refusing, backend.origin], [])
    expect(await ask(without)).toBe('200 hello')
  })

  test('the first to say something decides, from the last plugin to the first; all hear', async () => {
    const backend = await recordingBackend(() => responseText(503))
    const asked: string[] = []
    const saying = (name: string, verdict: 'retry' | 'fail' | undefined) =>
      hooked(name, {
        onAttemptEnd: (_ctx, { number }) => {
          asked.push(`${name}${number}`)
          return number === 1 ? verdict : undefined
        },
      })
    const running = await startProxy(backend.origin, [
      saying('a', 'fail'),
      saying('b', 'retry'),
      saying('c', undefined),
    ])
    expect(await ask(running)).toBe('503 ')
    expect(asked).toEqual(['c1', 'b1', 'a1', 'c2', 'b2', 'a2'])
  })

  test('one that throws, or answers later, says nothing; the request goes on', async () => {
    const { origin } = await recordingBackend()
    const running = await startProxy(origin, [
      hooked('thrower', {
        onAttemptEnd() {
          throw new Error('boom')
        },
      }),
      untyped('later', {
        onAttemptEnd: async () => {
          throw new Error('later')
        },
      }),
    ])
    expect(await ask(running)).toBe('200 hello')
    await turn()
    expect(errorsOf(running).toSorted()).toEqual([
      'plugin "later" failed in onAttemptEnd: later',
      'plugin "thrower" failed in onAttemptEnd: boom',
    ])
  })

  test('is not told of what goes wrong after the head', async () => {
    const ends: unknown[] = []
    const { origin } = await rawUpstream(async wire => {
      await wire.request()
      wire.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    const running = await startProxy(origin, [hooked('a', watching(ends))])
    expect((await exchange(running.port, 'GET /')).complete).toBe(false)
    expect(ends).toEqual([[1, 200]])
  })
})

test('an error made by a plugin before any attempt has no attempt', async () => {
  const ends: unknown[] = []
  const running = await startProxy('http://127.0.0.1:9', [
    hooked('a', { ...watching(ends), onRequest: () => Promise.reject(new GatewayError('NO', 'no')) }),
  ])
  expect(await askProblem(running)).toBe('500 NO')
  expect(ends).toEqual([])
})
