import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Context, Forwarded, RouteHooks } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { answering, recordingBackend, refusingOrigin, startUpstream } from '../../support/upstream.ts'
import { responseText } from '../../support/wire.ts'
import { ask, askProblem, errorsOf, gate, hooked, startProxy, untyped } from './support.ts'

const hello = () => recordingBackend(() => responseText(200, ['X-From: upstream'], 'hello'))

describe('forward', () => {
  test('sends the request by itself, with the fields given, through the hooks of attempts alone', async () => {
    const backend = await hello()
    const seen: string[] = []
    let slot = ''
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        const answer = await ctx.forward({ headers: [['X-Sent', 'by plugin']] })
        slot = answer.target
        return { status: 203, body: `${answer.status} ${answer.headers.get('x-from')} ${await text(answer.body)}` }
      },
      onAttempt: (_ctx, attempt) => void seen.push(`attempt ${attempt.number}`),
      onAttemptEnd: () => void seen.push('end'),
      onResponse: (_ctx, head) => void seen.push(`response ${head.fromUpstream}`),
      onFinish: (_ctx, summary) => void seen.push(`finish ${summary.attempts}`),
    })
    const running = await startProxy(backend.origin, [forwards])
    expect(await ask(running, '/a/b?c=d')).toBe('203 200 upstream hello')
    expect(slot).toBe(backend.origin)
    expect(backend.only.start).toBe('GET /a/b?c=d HTTP/1.1')
    expect(backend.only.lines).toEqual(
      expect.arrayContaining([
        'X-Sent: by plugin',
        'X-Forwarded-Proto: http',
        expect.stringMatching(/^X-Request-ID: /),
      ]),
    )
    expect(seen).toEqual(['attempt 1', 'end', 'response false', 'finish 0'])
    expect(running.log.all.filter(({ message }) => message === 'request').length).toBe(1)
  })

  test('without fields sends those of the request, also when they were made ready for the upstream before', async () => {
    const backend = await hello()
    const again = hooked('again', {
      async onResponse(ctx) {
        await text((await ctx.forward()).body)
      },
    })
    const running = await startProxy(backend.origin, [again])
    expect(await ask(running, '/', { headers: { 'X-Own': '1' } })).toBe('200 hello')
    const [first, second] = backend.requests
    expect(second).toEqual(first)
    expect(first?.lines).toContain('x-own: 1')
  })

  test('behind: passes the plugins behind and the own hooks of its route', async () => {
    const backend = await hello()
    const seen: string[] = []
    const watch = (name: string): RouteHooks => ({
      onRequest: ctx => void seen.push(`${name} request ${ctx.path}`),
      onResponse: (_ctx, head) => void seen.push(`${name} response ${head.fromUpstream} ${head.headers.get('x-from')}`),
      onFinish: (_ctx, { status, attempts }) => void seen.push(`${name} finish ${status} ${attempts}`),
    })
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        const { status, headers, bodyLength, body } = await ctx.forward({ behind: true })
        expect([status, bodyLength]).toEqual([200, -1])
        return { status, headers: Object.fromEntries(headers), body, bodyLength }
      },
    })
    const upper = hooked('upper', {
      onResponseBody: () => ({ push: chunk => Buffer.from(Buffer.from(chunk).toString().toUpperCase()) }),
    })
    const running = await startProxy(backend.origin, [hooked('before', watch('before')), forwards, upper], {
      route: { ...watch('own'), onAttempt: () => void seen.push('attempt') },
    })
    expect(await ask(running, '/a')).toBe('200 HELLO')
    expect(seen).toEqual([
      'before request /a',
      'own request /a',
      'attempt',
      'own response true upstream',
      'own finish 200 1',
      'before response false upstream',
      'before finish 200 1',
    ])
    expect(running.log.access.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({ attempts: 1, target: backend.origin }),
    ])
  })

  test('behind: what is answered or thrown there is the answer', async () => {
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        const { status, body, target } = await ctx.forward({ behind: true })
        return { status, body: `${await text(body)} from '${target}'` }
      },
    })
    const own = (onRequest: RouteHooks['onRequest']) => ({ route: { onRequest } })
    const answers = await startProxy(
      'http://127.0.0.1:9',
      [forwards],
      own(() => ({ status: 403, body: 'no' })),
    )
    expect(await ask(answers)).toBe("403 no from ''")
    const throws = own(() => {
      throw new Error('own')
    })
    expect(await askProblem(await startProxy('http://127.0.0.1:9', [forwards], throws))).toBe(
      '500 GATEWAY_PLUGIN_FAILED',
    )
  })

  test('retries as the route does, and rejects when nobody answers', async () => {
    const backend = await hello()
    const errors: unknown[] = []
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        const answer = await ctx.forward().catch(error => void errors.push(error))
        return { status: 200, body: answer?.body ?? 'nobody' }
      },
    })
    const closed = await refusingOrigin()
    expect(await ask(await startProxy([closed, backend.origin], [forwards]))).toBe('200 hello')
    expect(await ask(await startProxy(closed, [forwards]))).toBe('200 nobody')
    expect(errors).toEqual([expect.objectContaining({ code: 'GATEWAY_UPSTREAM_CONNECT' })])
  })

  test('tells of a body that breaks off', async () => {
    const backend = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', wire => wire.socket.end())
    const failed = gate<unknown>()
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        text((await ctx.forward()).body).catch(failed.resolve)
        return { status: 200 }
      },
    })
    // It is given up with its request otherwise.
    const holds = hooked('holds', { onResponse: async () => void (await failed.promise) })
    await ask(await startProxy(backend.origin, [holds, forwards]))
    expect(await failed.promise).toMatchObject({ code: 'GATEWAY_UPSTREAM_TRUNCATED' })
  })

  test.each(['no signal', 'a signal'])('with %s ends with what it belongs to', async how => {
    const gone = gate()
    const { origin } = await startUpstream((_request, response) => {
      response.on('close', gone.resolve)
      response.write('one')
    })
    const stop = new AbortController()
    let answer: Forwarded | undefined
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        answer = await ctx.forward(how === 'a signal' ? { signal: stop.signal } : {})
        return { status: 200, body: 'answered' }
      },
    })
    const running = await startProxy(origin, [forwards])
    expect(await ask(running)).toBe('200 answered')
    const body = answer?.body as Readable
    if (how === 'a signal') {
      expect(String((await once(body, 'data'))[0])).toBe('one')
      expect([body.destroyed, running.gateway.generations[0]?.inFlight]).toEqual([false, 1])
      stop.abort()
    }
    await gone.promise
    await eventually(() => expect(body.errored).toMatchObject({ code: 'GATEWAY_CLIENT_CLOSED' }))
    await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(0))
  })

  test('has back-pressure, and is given up by whoever destroys its body', async () => {
    const gone = gate()
    let sent = 0
    const { origin } = await startUpstream((_request, response) => {
      const send = () => {
        do sent += 10_000
        while (response.write(Buffer.alloc(10_000)) && sent < 64e6)
      }
      response.on('drain', send).on('close', gone.resolve)
      send()
    })
    const stopped = gate()
    const forwards = hooked('forwards', {
      async onRequest(ctx) {
        const { body } = await ctx.forward()
        await once(body, 'readable')
        for (let before = 0; before !== sent; await new Promise(resolve => setTimeout(resolve, 100))) before = sent
        stopped.resolve()
        body.destroy()
        return { status: 200 }
      },
    })
    await ask(await startProxy(origin, [forwards]))
    await gone.promise
    expect(sent).toBeLessThan(32e6)
  })

  test.each([
    ['POST', { body: 'x' }],
    ['DELETE', {}],
  ])('is not for %s', async (method, init) => {
    const forwards = hooked('forwards', { onRequest: async ctx => void (await ctx.forward()) })
    const running = await startProxy('http://127.0.0.1:9', [forwards])
    expect(await askProblem(running, '/', { method, ...init })).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(errorsOf(running)[0]).toMatch(/forward sends GET requests/)
  })
})

describe('wrapBody', () => {
  test('gives the client another body, whose length and end are its own', async () => {
    const backend = await hello()
    const wraps = hooked('wraps', {
      onResponse(ctx, head) {
        ctx.wrapBody(body => body.map(chunk => Buffer.from(String(chunk).toUpperCase())))
        expect([head.fromUpstream, head.bodyLength]).toEqual([true, -1])
      },
    })
    expect(await ask(await startProxy(backend.origin, [wraps]))).toBe('200 HELLO')
  })

  test('gives the upstream up with its client', async () => {
    const gone = gate()
    const { origin } = await startUpstream((_request, response) => {
      response.on('close', gone.resolve)
      response.write('one')
    })
    const wraps = hooked('wraps', { onResponse: ctx => ctx.wrapBody(body => body) })
    const { gateway } = await startProxy(origin, [wraps])
    const response = await gateway.fetch('http://gateway.test/')
    await response.body?.cancel()
    await gone.promise
  })

  test('cuts the client off where the upstream breaks off', async () => {
    const backend = await answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', wire => wire.socket.end())
    const wraps = hooked('wraps', { onResponse: ctx => ctx.wrapBody(body => body) })
    await expect(ask(await startProxy(backend.origin, [wraps]))).rejects.toMatchObject({
      code: 'GATEWAY_UPSTREAM_TRUNCATED',
    })
  })

  test('takes what came while a hook was waited for', async () => {
    const backend = await hello()
    const waits = hooked('waits', {
      onResponse: async () => void (await new Promise(resolve => setTimeout(resolve, 20))),
    })
    const wraps = hooked('wraps', { onResponse: ctx => ctx.wrapBody(body => body) })
    expect(await ask(await startProxy(backend.origin, [wraps, waits]))).toBe('200 hello')
  })

  test.each<[string, (ctx: Context) => void]>([
    ['twice', ctx => void [1, 2].map(() => ctx.wrapBody(body => body))],
    ['by something else', ctx => ctx.wrapBody((() => 'text') as never)],
  ])('%s fails', async (_how, wrap) => {
    const backend = await hello()
    const wraps = untyped('wraps', { onResponse: wrap })
    expect(await askProblem(await startProxy(backend.origin, [wraps]))).toBe('500 GATEWAY_PLUGIN_FAILED')
  })

  test('is not for an answer of its own', async () => {
    const wraps = hooked('wraps', {
      onRequest: () => ({ status: 200 }),
      onResponse: ctx => ctx.wrapBody(body => body),
    })
    expect(await askProblem(await startProxy('http://127.0.0.1:9', [wraps]))).toBe('500 GATEWAY_PLUGIN_FAILED')
  })
})
