import { ConfigProblems, definePlugin } from '@gateway/core'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type AnyPlugin, startAnswering, thenable } from './support.ts'

const plugin = (setup: unknown, name = 'bad'): AnyPlugin =>
  ({ name, options: undefined, definition: { name, setup } }) as never
const boom = () => {
  throw new Error('boom')
}
const onRoute = (returned: unknown) => plugin(() => ({ onRoute: () => returned }))

async function refusal(...plugins: AnyPlugin[]): Promise<string[]> {
  const error: unknown = await startAnswering(plugins).then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(ConfigProblems)
  return (error as ConfigProblems).problems.map(({ code, message, path }) => `${code} ${path?.join('.')}: ${message}`)
}

describe('hooks that would never run are refused, since TypeScript is not always there to do it', () => {
  test.each<[string, unknown, string]>([
    ['a typing error', { onReqest() {} }, 'onRoute returned an unknown hook "onReqest": did you mean "onRequest"?'],
    ['another case', { onrequest() {} }, 'onRoute returned an unknown hook "onrequest": did you mean "onRequest"?'],
    ['something else', { onWhatever() {} }, 'onRoute returned an unknown hook "onWhatever"'],
    ['no function', { onRequest: 'x' }, 'onRoute returned "onRequest", which is not a function'],
    ['a promise', Promise.resolve({ onRequest() {} }), 'onRoute returned a promise: hooks are wanted at once'],
    [
      'a promise that rejects',
      thenable((_: unknown, reject: (error: unknown) => void) => reject(new Error('x'))),
      'onRoute returned a promise: hooks are wanted at once',
    ],
    ['a function', () => {}, 'onRoute returned a function in place of hooks'],
    ['true', true, 'onRoute returned true in place of hooks'],
  ])('of a route: %s', async (_, returned, message) => {
    expect(await refusal(onRoute(returned))).toEqual([`CONFIG_PLUGIN_HOOKS routes.all.bad: plugin "bad": ${message}`])
  })

  test.each<[string, unknown, string]>([
    ['a typing error', { onRute() {} }, 'setup returned an unknown hook "onRute": did you mean "onRoute"?'],
    ['a hook of a route', { onRequest() {} }, 'setup returned "onRequest", a hook of a route: return it from onRoute'],
    ['no function', { onConnection: true }, 'setup returned "onConnection", which is not a function'],
    ['a function', () => {}, 'setup returned a function in place of hooks'],
  ])('of the gateway: %s', async (_, returned, message) => {
    expect(await refusal(plugin(() => returned))).toEqual([
      `CONFIG_SETUP_FAILED plugins.0: plugin "bad" failed to set up: ${message}`,
    ])
    expect(await refusal(plugin(async () => returned))).toHaveLength(1)
  })

  test('not: keys that are no hooks, hooks that are undefined, null', async () => {
    for (const returned of [{ other: 1, onRequest: undefined }, null, undefined, {}]) {
      await startAnswering([onRoute(returned), plugin(() => returned, 'other')])
    }
  })
})

describe('a plugin that the config requires', () => {
  const options = z.union([z.strictObject({ on: z.boolean() }), z.literal(false)])
  const guard = definePlugin({
    name: 'guard',
    routeOptions: options,
    setup: () => ({
      onRoute: route =>
        route.options !== undefined && route.options !== false && route.options.on ? { onRequest() {} } : undefined,
    }),
  })
  const route = (given: unknown) => ({ require: ['guard'], route: { guard: given } })

  test('must be at work on every route that does not switch it off', async () => {
    await startAnswering([guard()], route({ on: true }))
    await startAnswering([guard()], route(false))
    await expect(startAnswering([guard()], route({ on: false }))).rejects.toMatchObject({
      problems: [{ code: 'CONFIG_ROUTE_WITHOUT_REQUIRED', path: ['routes', 'all'] }],
    })
  })

  test('is not at work where it says so, whatever hooks it has there', async () => {
    const tidy = (alwaysOn: boolean) =>
      definePlugin({
        name: 'guard',
        alwaysOn,
        routeOptions: options,
        setup: () => ({ onRoute: () => ({ onRequest() {} }) }),
      })()
    const config = { require: ['guard'] }
    await startAnswering([tidy(true)], config)
    await startAnswering([tidy(false)], route({ on: true }))
    await expect(startAnswering([tidy(false)], config)).rejects.toThrow('CONFIG_ROUTE_WITHOUT_REQUIRED')
  })

  test('is asked for again when only the requirement is new', async () => {
    const { gateway } = await startAnswering([guard()], { route: { guard: { on: false } } })
    const config = {
      plugins: [guard()],
      routes: { all: { match: 'ANY /*', reply: { status: 200 }, guard: { on: false } } },
    }
    await gateway.reload(config)
    await expect(gateway.reload({ ...config, require: ['guard'] })).rejects.toThrow('CONFIG_ROUTE_WITHOUT_REQUIRED')
  })

  test('may see connections in place of routes', async () => {
    const gate = plugin(() => ({ onConnection() {} }), 'gate')
    await startAnswering([gate], { require: ['gate'] })
    await expect(startAnswering([plugin(() => ({}), 'gate')], { require: ['gate'] })).rejects.toThrow(
      'CONFIG_ROUTE_WITHOUT_REQUIRED',
    )
  })
})

test('a plugin that holds bodies back, where another streams them', async () => {
  const acting = (name: string, more: object, returned: object | undefined = { onRequest() {} }): AnyPlugin =>
    ({ name, options: undefined, definition: { name, ...more, setup: () => ({ onRoute: () => returned }) } }) as never
  const sse = acting('sse', { streams: 'response' })
  expect(await refusal(acting('rewriteBody', { buffersBody: true }), sse)).toEqual([
    'CONFIG_BUFFERED_STREAM routes.all: plugin "rewriteBody" holds back whole bodies, which plugin "sse" streams here: switch one of them off on this route',
  ])
  const byOptions = { buffersBody: (_: unknown, options: unknown) => (options === undefined ? 'request' : true) }
  await startAnswering([acting('sometimes', byOptions), sse])
  const unsure = acting('unsure', { buffersBody: boom })
  expect(await refusal(unsure, sse)).toHaveLength(1)
  await startAnswering([acting('verify', { buffersBody: 'request' }), sse])
  await startAnswering([acting('idle', { buffersBody: true }, {}), sse])
  expect(await refusal(acting('odd', { streams: 'both' }))).toEqual([
    expect.stringMatching(
      /^CONFIG_INVALID_PLUGIN plugins\.0: plugin "odd": streams must be true, "request", "response" or a function/,
    ),
  ])
})

test('what a plugin throws in its set-up, whatever it is', async () => {
  const thrown = (error: unknown) =>
    plugin(() => {
      throw error
    })
  const message = (reason: string) => [`CONFIG_SETUP_FAILED plugins.0: plugin "bad" failed to set up: ${reason}`]
  expect(await refusal(thrown(new Error('boom')))).toEqual(message('boom'))
  expect(await refusal(thrown('text'))).toEqual(message('text'))
  expect(await refusal(thrown(undefined))).toEqual(message('undefined'))
  expect(await refusal(thrown(Object.create(null)))).toEqual(message('something that cannot be shown was thrown'))
  expect(await refusal(plugin(() => Promise.reject(new Error('later'))))).toEqual(message('later'))
})

test('what a plugin finds wrong with routes: all of it at once, with what it throws', async () => {
  const picky = plugin(() => ({
    onRoute(route: { problem(message: string): void }) {
      route.problem('first')
      route.problem('second')
      throw new Error('and then this')
    },
  }))
  expect(
    await refusal(picky, {
      ...onRoute({ onReqest() {} }),
      name: 'other',
      definition: { ...onRoute({ onReqest() {} }).definition, name: 'other' },
    }),
  ).toEqual([
    'CONFIG_ROUTE_REFUSED routes.all.bad: plugin "bad": first',
    'CONFIG_ROUTE_REFUSED routes.all.bad: plugin "bad": second',
    'CONFIG_ROUTE_REFUSED routes.all.bad: plugin "bad" failed in onRoute: and then this',
    'CONFIG_PLUGIN_HOOKS routes.all.other: plugin "other": onRoute returned an unknown hook "onReqest": did you mean "onRequest"?',
  ])
})
