import { GatewayError, type RouteHooks, type Summary } from '@gateway/core'
import { expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { rawUpstream, recordingBackend, refusingOrigin } from '../../support/upstream.ts'
import { connect, exchange, requestText, responseText } from '../../support/wire.ts'
import { ask, errorsOf, hooked, startAnswering, startProxy, turn, untyped } from './support.ts'

/** A plugin that notes every summary down, and the others beside it. */
function summaries(hooks: RouteHooks = {}) {
  const all: {
    status: number
    attempts: number
    bytesIn: number
    bytesOut: number
    target: string | undefined
    code: string | undefined
  }[] = []
  const durations: number[] = []
  const plugin = hooked('notes', {
    ...hooks,
    onFinish(_ctx, { status, attempts, bytesIn, bytesOut, durationMs, target, error }: Summary) {
      all.push({ status, attempts, bytesIn, bytesOut, target: target?.url, code: error?.code })
      durations.push(durationMs)
    },
  })
  return { all, durations, plugin }
}
const none = { attempts: 0, bytesIn: 0, bytesOut: 0, target: undefined, code: undefined }

test('after an answer from upstream', async () => {
  const { origin } = await recordingBackend()
  const { all, durations, plugin } = summaries()
  const running = await startProxy(origin, [plugin])
  await exchange(running.port, 'POST /', [], 'some body')
  expect(all).toEqual([{ status: 200, attempts: 1, bytesIn: 9, bytesOut: 5, target: origin, code: undefined }])
  expect(durations[0]).toBeGreaterThan(0)
})

test('after the own answer of a route, and of a plugin', async () => {
  const { all, plugin } = summaries({ onRequest: ctx => (ctx.path === '/401' ? { status: 401 } : undefined) })
  const running = await startAnswering([plugin])
  await ask(running)
  await ask(running, '/401')
  await ask(running, '/', { method: 'HEAD' })
  expect(all).toEqual([
    { ...none, status: 200, bytesOut: 3 },
    { ...none, status: 401 },
    { ...none, status: 200 },
  ])
})

test('after an upstream that cannot be reached', async () => {
  const origin = await refusingOrigin()
  const { all, plugin } = summaries()
  const body = (await exchange((await startProxy(origin, [plugin])).port, 'GET /')).body
  expect(all).toEqual([
    { status: 502, attempts: 1, bytesIn: 0, bytesOut: body.length, target: origin, code: 'GATEWAY_UPSTREAM_CONNECT' },
  ])
})

test('after an upstream that breaks off within its answer', async () => {
  const { origin } = await rawUpstream(async wire => {
    await wire.request()
    wire.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const { all, plugin } = summaries()
  await exchange((await startProxy(origin, [plugin])).port, 'GET /')
  expect(all).toEqual([
    { status: 200, attempts: 1, bytesIn: 0, bytesOut: 4, target: origin, code: 'GATEWAY_UPSTREAM_TRUNCATED' },
  ])
})

test('after a retry', async () => {
  let asked = 0
  const backend = await recordingBackend(() => responseText(++asked === 1 ? 503 : 200))
  const { all, plugin } = summaries({ onAttemptEnd: (_ctx, { number }) => (number === 1 ? 'retry' : undefined) })
  await ask(await startProxy(backend.origin, [plugin]))
  expect(all).toEqual([{ ...none, status: 200, attempts: 2, target: backend.origin }])
})

test('after the total timeout, before and within an answer', async () => {
  const upstream = await rawUpstream(async wire => {
    const { target } = await wire.request()
    if (target === '/within') wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const { all, plugin } = summaries()
  const running = await startProxy(upstream.origin, [plugin], { route: { timeout: '200ms' } })
  const problem = await exchange(running.port, 'GET /before')
  await exchange(running.port, 'GET /within')
  expect(all).toEqual([
    {
      status: 504,
      attempts: 1,
      bytesIn: 0,
      bytesOut: problem.body.length,
      target: upstream.origin,
      code: 'GATEWAY_TIMEOUT',
    },
    { status: 200, attempts: 1, bytesIn: 0, bytesOut: 4, target: upstream.origin, code: 'GATEWAY_TIMEOUT' },
  ])
})

test('after a client that left, before and within an answer', async () => {
  const upstream = await rawUpstream(async wire => {
    const { target } = await wire.request()
    if (target === '/within') wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const { all, plugin } = summaries()
  const running = await startProxy(upstream.origin, [plugin])
  const first = await connect(running.port)
  first.send(requestText('GET /before'))
  await upstream.connection(1)
  await eventually(() => expect(running.gateway.generations[0]?.inFlight).toBe(1))
  first.socket.destroy()
  await eventually(() => expect(all).toHaveLength(1))
  const second = await connect(running.port)
  second.send(requestText('GET /within'))
  await second.through('half')
  second.socket.destroy()
  await eventually(() => expect(all).toHaveLength(2))
  const gone = { attempts: 1, bytesIn: 0, target: upstream.origin, code: 'GATEWAY_CLIENT_CLOSED' }
  expect(all).toEqual([
    { ...gone, status: 0, bytesOut: 0 },
    { ...gone, status: 200, bytesOut: 4 },
  ])
})

test.each(['onRequest', 'onResponse', 'onError', 'onResponseBody'] as const)(
  'after a plugin that threw in %s',
  async hook => {
    const { all, plugin } = summaries()
    const bad = untyped('bad', {
      [hook]() {
        throw new Error('boom')
      },
    })
    const route = hook === 'onError' ? { onRequest: () => Promise.reject(new GatewayError('NOPE', 'no')) } : {}
    await ask(await startAnswering([plugin, bad], { route }))
    expect(all).toEqual([{ ...none, status: 500, bytesOut: expect.any(Number), code: 'GATEWAY_PLUGIN_FAILED' }])
  },
)

test('once, whatever goes wrong at the same time', async () => {
  const { origin } = await rawUpstream(async wire => {
    await wire.request()
    wire.socket.resetAndDestroy()
  })
  const { all, plugin } = summaries({
    onResponse: () => Promise.reject(new Error('boom')),
    onError: () => Promise.reject(new Error('boom')),
  })
  const running = await startProxy(origin, [plugin])
  const client = await connect(running.port)
  client.send(requestText('GET /'))
  await client.through('500')
  client.socket.destroy()
  await client.gone()
  expect(all.map(({ status, code }) => [status, code])).toEqual([[500, 'GATEWAY_PLUGIN_FAILED']])
})

test('it is not waited for, and its failure harms nobody', async () => {
  const { all, plugin } = summaries()
  const running = await startAnswering([
    plugin,
    hooked('thrower', {
      onFinish() {
        throw new Error('at once')
      },
    }),
    untyped('later', { onFinish: () => Promise.reject(new Error('later')) }),
    untyped('never', { onFinish: () => new Promise(() => {}) }),
    untyped('symbol', {
      onFinish() {
        throw Symbol('symbol')
      },
    }),
  ])
  expect(await ask(running)).toBe('200 own')
  await turn()
  expect(all).toHaveLength(1)
  expect(errorsOf(running).toSorted()).toEqual([
    'plugin "later" failed in onFinish: later',
    'plugin "symbol" failed in onFinish: Symbol(symbol)',
    'plugin "thrower" failed in onFinish: at once',
  ])
})
