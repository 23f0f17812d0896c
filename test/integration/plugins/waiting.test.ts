import type { RouteHooks } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { deadlines } from '../../../core/src/http1/deadlines.ts'
import { eventually } from '../../support/eventually.ts'
import { rawUpstream, recordingBackend } from '../../support/upstream.ts'
import { connect, exchange, requestText } from '../../support/wire.ts'
import { ask, errorsOf, gate, hooked, startAnswering, startProxy } from './support.ts'

const never = () => new Promise<never>(() => {})
const boom = { onRequest: () => Promise.reject(new Error('boom')) }
/** The hooks that may wait, each with a route on which it is reached. */
const waits: [string, object][] = [
  ['onRequest', {}],
  ['onAttempt', {}],
  ['onResponse', {}],
  ['onError', boom],
]

describe.each(waits)('a plugin that never answers in %s', (hook, route) => {
  test('is ended by the total timeout', async () => {
    const { origin } = await recordingBackend()
    const finished: unknown[] = []
    const hooks: RouteHooks = {
      [hook]: never,
      onFinish: (_ctx, { status, error }) => void finished.push([status, error?.code]),
    }
    const running = await startProxy(origin, [hooked('never', hooks)], { route: { timeout: '100ms', ...route } })
    expect((await exchange(running.port, 'GET /')).status).toBe(504)
    expect(await ask(running)).toMatch(/^504 .*GATEWAY_TIMEOUT/)
    expect(finished).toEqual([
      [504, 'GATEWAY_TIMEOUT'],
      [504, 'GATEWAY_TIMEOUT'],
    ])
    expect(deadlines.size).toBeLessThanOrEqual(2)
  })

  test('is ended by a client that leaves', async () => {
    const { origin } = await recordingBackend()
    const asked = gate()
    const finished: unknown[] = []
    const hooks: RouteHooks = {
      [hook]: () => {
        asked.resolve()
        return never()
      },
      onFinish: (_ctx, { status, error }) => void finished.push([status, error?.code]),
    }
    const running = await startProxy(origin, [hooked('never', hooks)], { route })
    const client = await connect(running.port)
    client.send(requestText('GET /'))
    await asked.promise
    client.socket.destroy()
    await eventually(() => expect(finished).toEqual([[0, 'GATEWAY_CLIENT_CLOSED']]))
    expect(running.gateway.generations).toMatchObject([{ id: 1, state: 'serving', inFlight: 0 }])
  })
})

test('after the total timeout nobody is waited for, and hooks that answer at once still have their say', async () => {
  const { origin } = await recordingBackend()
  const late = gate<{ status: number }>()
  const running = await startProxy(
    origin,
    [
      hooked('cors', { onResponse: (_ctx, head) => head.headers.set('X-Cors', 'yes') }),
      hooked('never', { onResponse: () => late.promise }),
      hooked('rejecting', {
        onResponse: (_ctx, head) => (head.fromUpstream ? undefined : Promise.reject(new Error('too late'))),
      }),
      hooked('neverHandling', { onError: never }),
    ],
    { route: { timeout: '100ms' } },
  )
  const response = await running.gateway.fetch('http://x/')
  expect([response.status, response.headers.get('x-cors')]).toEqual([504, 'yes'])
  expect(errorsOf(running)).toContain('plugin "rejecting" failed in onResponse: too late')
  late.resolve({ status: 200 })
})

test('what a plugin says after its request has ended is not heard', async () => {
  const late = gate<{ status: number; body: string }>()
  const running = await startAnswering([hooked('late', { onRequest: () => late.promise })], {
    route: { timeout: '50ms' },
  })
  expect(await ask(running)).toMatch(/^504 /)
  late.resolve({ status: 200, body: 'late' })
  await late.promise
  expect(running.log.access.map(({ fields }) => fields.status)).toEqual([504])
  expect(errorsOf(running)).toHaveLength(1)
})

describe('ctx.signal', () => {
  /** Waits for its signal in onRequest and tells why it was aborted. */
  function listening() {
    const asked = gate()
    const aborted = gate<unknown>()
    const plugin = hooked('listening', {
      onRequest(ctx) {
        asked.resolve()
        return new Promise((_, reject) => {
          ctx.signal.addEventListener('abort', () => {
            aborted.resolve((ctx.signal.reason as { code: string }).code)
            reject(new Error('gave up'))
          })
        })
      },
    })
    return { asked: asked.promise, aborted: aborted.promise, plugin }
  }

  test('is aborted when the client leaves', async () => {
    const { asked, aborted, plugin } = listening()
    const running = await startAnswering([plugin])
    const client = await connect(running.port)
    client.send(requestText('GET /'))
    await asked
    client.socket.destroy()
    expect(await aborted).toBe('GATEWAY_CLIENT_CLOSED')
    expect(errorsOf(running)).toEqual([])
  })

  test('is aborted when the caller of fetch gives up', async () => {
    const { asked, aborted, plugin } = listening()
    const running = await startAnswering([plugin])
    const controller = new AbortController()
    const response = running.gateway.fetch('http://x/', { signal: controller.signal })
    await asked
    controller.abort(new Error('enough'))
    await expect(response).rejects.toThrow('enough')
    expect(await aborted).toBe('GATEWAY_CLIENT_CLOSED')
  })

  test('is aborted when the total time is over, which answers 504', async () => {
    const { aborted, plugin } = listening()
    const running = await startAnswering([plugin], { route: { timeout: '50ms' } })
    expect(await ask(running)).toMatch(/^504 /)
    expect(await aborted).toBe('GATEWAY_TIMEOUT')
  })

  test('is aborted when an answer is cut off', async () => {
    const { origin } = await rawUpstream(async wire => {
      await wire.request()
      wire.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    })
    const aborted = gate<unknown>()
    const plugin = hooked('a', {
      onResponse: ctx => ctx.signal.addEventListener('abort', () => aborted.resolve(ctx.signal.reason.code)),
    })
    const running = await startProxy(origin, [plugin])
    expect((await exchange(running.port, 'GET /')).complete).toBe(false)
    expect(await aborted.promise).toBe('GATEWAY_UPSTREAM_TRUNCATED')
  })

  test('is left alone by an answer that was sent whole, a problem included', async () => {
    const signals: AbortSignal[] = []
    const running = await startAnswering([
      hooked('a', {
        onRequest: ctx => {
          signals.push(ctx.signal)
          if (ctx.path === '/bad') throw new Error('no')
        },
      }),
    ])
    await ask(running, '/well')
    await ask(running, '/bad')
    expect(signals.map(signal => signal.aborted)).toEqual([false, false])
  })

  test('asked for too late, it is aborted already', async () => {
    const seen: boolean[] = []
    const { origin } = await rawUpstream(() => {})
    const running = await startProxy(
      origin,
      [
        hooked('a', {
          onError: ctx => void seen.push(ctx.signal.aborted),
          onFinish: ctx => void seen.push(ctx.signal.aborted),
        }),
      ],
      { route: { timeout: '50ms' } },
    )
    expect(await ask(running)).toMatch(/^504 /)
    expect(seen).toEqual([true, true])
  })
})
