import { defineSlot, type RouteHooks } from '@gateway/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordingBackend } from '../../support/upstream.ts'
import { type AnyPlugin, ask, hooked, startAnswering, startProxy } from './support.ts'

/** Notes the hooks down as they are called. With `waits` each answers later. */
function noting(name: string, calls: string[], waits: (hook: string) => boolean = () => false): RouteHooks {
  const note = (hook: string) => {
    calls.push(`${name}.${hook}`)
    return waits(`${name}.${hook}`) ? Promise.resolve() : undefined
  }
  const noteNow = (hook: string) => void calls.push(`${name}.${hook}`)
  return {
    onRequest: () => note('onRequest'),
    onRequestBody: () => noteNow('onRequestBody'),
    onAttempt: () => note('onAttempt'),
    onAttemptEnd: () => noteNow('onAttemptEnd'),
    onResponse: () => note('onResponse'),
    onResponseBody: () => noteNow('onResponseBody'),
    onError: () => note('onError'),
    onFinish: () => noteNow('onFinish'),
  }
}

const body = { method: 'POST', body: 'x' }
const forward = (names: readonly string[], hook: string) => names.map(name => `${name}.${hook}`)
const backward = (names: readonly string[], hook: string) => forward(names, hook).reverse()
const whole = (names: readonly string[]) => [
  ...forward(names, 'onRequest'),
  ...forward(names, 'onAttempt'),
  ...forward(names, 'onRequestBody'),
  ...backward(names, 'onAttemptEnd'),
  ...backward(names, 'onResponse'),
  ...backward(names, 'onResponseBody'),
  ...backward(names, 'onFinish'),
]

test('stages, then slots, then the list; requests forward, responses backward; the hooks of the config stand last', async () => {
  const calls: string[] = []
  const slot = defineSlot<never>()('orderTest.slot')
  const make = (name: string, place?: Parameters<typeof hooked>[2]) => hooked(name, noting(name, calls), place)
  const { origin } = await recordingBackend()
  const plugins = [
    make('shapeA', { stage: 'shape' }),
    make('noStage'),
    make('reader', { stage: 'identify', needs: [slot] }),
    make('writer', { stage: 'identify', writes: [slot] }),
    make('authorize', { stage: 'authorize' }),
    make('guard', { stage: 'guard' }),
    make('admit', { stage: 'admit' }),
  ]
  const running = await startProxy(origin, plugins, { route: noting('config', calls) })
  expect(await ask(running, '/', body)).toBe('200 hello')
  expect(calls).toEqual(whole(['guard', 'writer', 'reader', 'authorize', 'admit', 'shapeA', 'noStage', 'config']))
})

test('an error goes backward, and its answer passes the response hooks', async () => {
  const calls: string[] = []
  const plugins = [hooked('a', noting('a', calls)), hooked('b', noting('b', calls))]
  const running = await startAnswering(plugins, {
    route: { onRequest: () => Promise.reject(new Error('no')), onFinish: () => void calls.push('config.onFinish') },
  })
  expect(await ask(running)).toMatch(/^500 /)
  const steps = ['onError', 'onResponse', 'onResponseBody', 'onFinish']
  expect(calls).toEqual([
    ...forward(['a', 'b'], 'onRequest'),
    ...steps.slice(0, 3).flatMap(hook => backward(['a', 'b'], hook)),
    ...backward(['a', 'b', 'config'], 'onFinish'),
  ])
})

test('any mixture of hooks that answer at once and later runs in the same order', async () => {
  const calls: string[] = []
  const late = new Set<string>()
  const names = ['a', 'b', 'c']
  const plugins = names.map(name =>
    hooked(
      name,
      noting(name, calls, step => late.has(step)),
    ),
  )
  const { origin } = await recordingBackend()
  const running = await startProxy(origin, plugins)
  const steps = whole(names)
  await fc.assert(
    fc.asyncProperty(fc.subarray(steps), async slow => {
      calls.length = 0
      late.clear()
      for (const step of slow) late.add(step)
      expect(await ask(running, '/', body)).toBe('200 hello')
      expect(calls).toEqual(steps)
    }),
    { numRuns: 40 },
  )
})

test('a plugin that returns nothing for a route, or nothing at all, is not called there', async () => {
  const calls: string[] = []
  const only = (name: string, returned: unknown): AnyPlugin =>
    ({ name, options: undefined, definition: { name, setup: () => ({ onRoute: () => returned }) } }) as never
  const running = await startAnswering([
    only('nothing', undefined),
    only('empty', {}),
    only('undefinedHooks', { onRequest: undefined }),
    { name: 'noSetup', options: undefined, definition: { name: 'noSetup' } },
    hooked('one', noting('one', calls)),
  ])
  expect(await ask(running)).toBe('200 own')
  expect(calls).toEqual(['one.onRequest', 'one.onResponse', 'one.onResponseBody', 'one.onFinish'])
})

test('hooks may be methods of a class, at both levels', async () => {
  class Hooks {
    #secret = 'by a class'
    onRequest() {
      return { status: 200, body: this.#secret }
    }
  }
  class Gate {
    #hooks = new Hooks()
    onRoute() {
      return this.#hooks
    }
  }
  const plugin = { name: 'classy', options: undefined, definition: { name: 'classy', setup: () => new Gate() } }
  expect(await ask(await startAnswering([plugin as never]))).toBe('200 by a class')
})

test('a route is shown to each plugin once a generation, with its own options alone', async () => {
  const seen: unknown[] = []
  const plugin = {
    name: 'looker',
    options: undefined,
    definition: {
      name: 'looker',
      setup: () => ({ onRoute: ({ problem: _, ...route }: { problem: unknown }) => void seen.push(route) }),
    },
  }
  const { gateway } = await startAnswering([plugin as never], {
    services: { s: { targets: ['http://127.0.0.1:9'] } },
    routes: {
      a: { match: 'GET /a/:id', service: 's' },
      b: { match: 'ANY /b', redirect: '/a' },
    },
  })
  await gateway.fetch('http://x/b')
  const timeouts = { connect: 5_000, head: 30_000, idle: 60_000, total: 0 }
  const settings = { timeouts, replay: { bytes: 0 } }
  expect(seen).toEqual([
    { name: 'a', match: 'GET /a/:id', service: 's', services: ['s'], ...settings, options: undefined },
    { name: 'b', match: 'ANY /b', service: undefined, services: [], ...settings, options: undefined },
  ])
})

test('without a route no plugin is called', async () => {
  const calls: string[] = []
  const running = await startAnswering([hooked('a', noting('a', calls))], { routes: {} })
  expect(await ask(running)).toMatch(/^404 .*GATEWAY_ROUTE_NOT_FOUND/)
  expect(calls).toEqual([])
})
