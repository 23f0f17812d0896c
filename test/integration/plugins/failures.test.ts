import { expect, test } from 'vitest'
import { recordingBackend } from '../../support/upstream.ts'
import { ask, askProblem, errorsOf, startProxy, turn, untyped } from './support.ts'

const wanted = (ctx: { path: string }) => ctx.path === '/bad'
const thrown: [string, unknown, string][] = [
  ['an Error', new Error('boom'), 'boom'],
  ['a string', 'text', 'text'],
  ['undefined', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
  ['an object without a prototype', Object.create(null), 'something that cannot be shown was thrown'],
  [
    'a message that cannot be read',
    Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('y')
      },
    }),
    'something that cannot be shown was thrown',
  ],
]

/** Hooks whose failure ends the request, and whether they can fail later. */
const hooks = [
  ['onRequest', true],
  ['onRequestBody', false],
  ['onAttempt', true],
  ['onResponse', true],
  ['onResponseBody', false],
] as const

test.each(hooks)('a plugin that throws in %s harms its own request alone', async (hook, waits) => {
  const { origin } = await recordingBackend()
  let error: unknown
  let later = false
  const running = await startProxy(origin, [
    untyped('bad', {
      [hook](ctx: { path: string }) {
        if (!wanted(ctx)) return
        if (later) return Promise.reject(error)
        throw error
      },
    }),
  ])
  const body = { method: 'POST', body: 'x' }
  for (const [, value, reason] of thrown) {
    error = value
    for (later of waits ? [false, true] : [false]) {
      const before = errorsOf(running).length
      const [bad, well] = await Promise.all([askProblem(running, '/bad', body), ask(running, '/well', body)])
      expect([bad, well]).toEqual(['500 GATEWAY_PLUGIN_FAILED', '200 hello'])
      expect(errorsOf(running).at(before)).toBe(`plugin "bad" failed in ${hook}: ${reason}`)
      const line = running.log.all.filter(({ level }) => level === 'error').at(before)
      expect(line?.fields).toMatchObject({
        code: 'GATEWAY_PLUGIN_FAILED',
        status: 500,
        path: '/bad',
        route: 'all',
        requestId: expect.any(String),
      })
      expect(line?.fields.err).toBe(value)
    }
  }
})

test.each(thrown)(
  '%s, thrown in each hook that cannot fail a request, is logged, and the request goes on',
  async (_, error, reason) => {
    const { origin } = await recordingBackend()
    const fail = () => {
      throw error
    }
    const running = await startProxy(origin, [untyped('bad', { onAttemptEnd: fail, onFinish: fail })])
    expect(await ask(running)).toBe('200 hello')
    await turn()
    expect(errorsOf(running)).toEqual([
      `plugin "bad" failed in onAttemptEnd: ${reason}`,
      `plugin "bad" failed in onFinish: ${reason}`,
    ])
  },
)

test.each(thrown)('%s, thrown in onError, leaves the request its 500', async (_, error, reason) => {
  for (const fail of [
    () => {
      throw error
    },
    () => Promise.reject(error),
  ]) {
    const running = await startProxy('http://127.0.0.1:9', [untyped('bad', { onRequest: fail, onError: fail })])
    expect(await askProblem(running)).toBe('500 GATEWAY_PLUGIN_FAILED')
    expect(errorsOf(running)).toEqual([
      `plugin "bad" failed in onRequest: ${reason}`,
      `plugin "bad" failed in onError: ${reason}`,
    ])
  }
})

test('a failure says nothing of the inside to the client', async () => {
  const { origin } = await recordingBackend()
  const running = await startProxy(origin, [
    untyped('secretPlugin', { onRequest: () => Promise.reject(new Error('secret at /etc/passwd')) }),
  ])
  const response = await running.gateway.fetch('http://x/')
  expect(JSON.stringify([...response.headers]) + (await response.text())).not.toMatch(/secret|passwd|plugin "|127\.0/)
})
