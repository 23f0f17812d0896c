import { defineSlot } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import { type AnyPlugin, ask, askProblem, errorsOf, hooked, startAnswering } from './support.ts'

const user = defineSlot<string>()('slotsTest.user')
const other = defineSlot<string>()('slotsTest.other')
const place = (more: { writes?: unknown[]; needs?: unknown[]; stage?: 'guard' | 'identify' | 'shape' }) => more as never

const writer = (value: string | undefined, name = 'writer') =>
  hooked(
    name,
    { onRequest: ctx => void (value === undefined || ctx.set(user, value)) },
    place({ writes: [user], stage: 'identify' }),
  )
const reader = hooked(
  'reader',
  { onRequest: ctx => ({ status: 200, body: String(ctx.get(user)) }) },
  place({ needs: [user] }),
)

/** A plugin that is active on no route. */
const idle = (more: object): AnyPlugin =>
  ({
    name: 'idle',
    options: undefined,
    definition: { name: 'idle', ...more, setup: () => ({ onRoute() {} }) },
  }) as never

test('a value that one plugin sets another gets', async () => {
  expect(await ask(await startAnswering([reader, writer('ada')]))).toBe('200 ada')
})

test('a later writer wins, and a request sees its own values alone', async () => {
  const running = await startAnswering([
    writer('first'),
    hooked(
      'second',
      { onRequest: ctx => void (ctx.path === '/' || ctx.set(user, ctx.path)) },
      place({ writes: [user], stage: 'identify' }),
    ),
    reader,
  ])
  expect(await Promise.all(['/', '/a', '/b'].map(path => ask(running, path)))).toEqual([
    '200 first',
    '200 /a',
    '200 /b',
  ])
})

test('a slot that nobody needs is undefined as long as nobody sets it', async () => {
  const running = await startAnswering([
    hooked('a', { onRequest: ctx => ({ status: 200, body: `${ctx.get(other)}` }) }),
  ])
  expect(await ask(running)).toBe('200 undefined')
})

test.each([null, 0, '', false])('%j is a value', async value => {
  const running = await startAnswering([writer(value as string), reader])
  expect(await ask(running)).toBe(`200 ${value}`)
})

describe('a needed slot that its writer left unset', () => {
  test('is an error wherever it is read from there on, never undefined', async () => {
    const seen: string[] = []
    const running = await startAnswering([
      hooked('early', { onResponse: ctx => void seen.push(`early ${ctx.get(user)}`) }, place({ stage: 'guard' })),
      writer(undefined),
      hooked('reader', { onRequest: ctx => void ctx.get(user) }, place({ needs: [user] })),
    ])
    expect(await askProblem(running)).toBe('500 GATEWAY_SLOT_UNSET')
    expect(errorsOf(running)[0]).toBe('slot "slotsTest.user" is needed on route "all" and was not written')
    // The guard has not asked to be sure of it, but was reached along with the reader.
    expect(seen).toEqual([])
  })

  test('is undefined to those who do not need it, before the reader is reached', async () => {
    const seen: unknown[] = []
    const running = await startAnswering([
      hooked('looking', { onRequest: ctx => void seen.push(ctx.get(user)) }, place({ stage: 'guard' })),
      hooked(
        'refusing',
        { onRequest: () => ({ status: 401 }), onResponse: ctx => void seen.push(ctx.get(user)) },
        place({ writes: [user], stage: 'identify' }),
      ),
      reader,
    ])
    expect(await ask(running)).toBe('401 ')
    expect(seen).toEqual([undefined, undefined])
  })
})

describe('refused when the config is loaded', () => {
  const refusal = async (plugins: readonly AnyPlugin[]) => {
    const error: unknown = await startAnswering(plugins).then(
      () => undefined,
      reason => reason,
    )
    return (error as { problems: { code: string; message: string; path: unknown }[] }).problems.map(
      ({ code, message, path }) => ({ code, message, path }),
    )
  }

  test('a slot that no plugin writes', async () => {
    expect(await refusal([reader])).toEqual([
      {
        code: 'CONFIG_SLOT_NOT_WRITTEN',
        message: 'plugin "reader" needs slot "slotsTest.user", which no plugin writes',
        path: ['plugins', 0],
      },
    ])
  })

  test('a writer that is not active on a route of its reader', async () => {
    expect(await refusal([reader, idle({ writes: [user], stage: 'identify' })])).toEqual([
      {
        code: 'CONFIG_SLOT_NOT_WRITTEN',
        message: 'plugin "reader" needs slot "slotsTest.user", and no plugin that writes it is active on this route',
        path: ['routes', 'all'],
      },
    ])
  })

  test('a reader in an earlier stage than its writer', async () => {
    const early = hooked('early', {}, place({ needs: [user], stage: 'guard' }))
    expect(await refusal([early, writer('x')])).toMatchObject([
      { code: 'CONFIG_SLOT_WRITTEN_TOO_LATE', path: ['plugins', 0] },
    ])
  })

  test('a circle', async () => {
    const a = hooked('a', {}, place({ needs: [user], writes: [other] }))
    const b = hooked('b', {}, place({ needs: [other], writes: [user] }))
    expect(await refusal([a, b])).toMatchObject([{ code: 'CONFIG_PLUGIN_CIRCLE', path: ['plugins', 0] }])
  })

  test('not: a reader that is itself not active', async () => {
    expect(await ask(await startAnswering([idle({ needs: [user] }), { ...writer('x') }]))).toBe('200 own')
  })
})
