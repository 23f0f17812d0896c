import { watch } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import type { AnyPlugin } from '../config/config.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { Host, Shared } from '../contract/host.ts'
import { definePlugin } from '../contract/plugin.ts'
import { defineSlot } from '../contract/slot.ts'
import { type PluginSuiteOptions, pluginSuite } from './plugin-suite.ts'

const titles = {
  answers: 'answers requests, set up once and again',
  closed: 'leaves nothing behind when it is closed',
  left: 'leaves nothing behind of a request whose client left',
  failed: 'is cleaned up when a later plugin fails to set up',
  reloads: 'twenty reloads keep its shared state and pile nothing up',
  off: 'costs a route nothing on which it has nothing to do',
  options: 'refuses an option that it does not know',
}

const counters: Shared<Map<string, number>> = {
  name: 'tested.counters',
  create: () => new Map(),
  close: map => map.clear(),
}

describe('a good plugin passes', () => {
  const good = definePlugin({
    name: 'tested',
    options: z.strictObject({ every: z.number().default(1) }),
    routeOptions: z.strictObject({ limit: z.number() }),
    serviceOptions: z.strictObject({ weight: z.number() }),
    async setup(host, { every }) {
      const map = host.share(counters)
      host.clock.every(every, () => void map.set('ticks', (map.get('ticks') ?? 0) + 1))
      const server = createServer().listen(0, '127.0.0.1')
      host.defer(() => new Promise<void>(resolve => void server.close(() => resolve())))
      const watcher = watch(tmpdir())
      host.defer(() => watcher.close())
      const onSignal = () => {}
      process.on('SIGUSR2', onSignal)
      host.defer(() => void process.off('SIGUSR2', onSignal))
      await new Promise(resolve => setTimeout(resolve, 1))
      return {
        onRoute: ({ options }) =>
          options === undefined ? undefined : { onRequest: () => new Promise(resolve => setTimeout(resolve, 1)) },
      }
    },
  })
  for (const { name, run } of pluginSuite(() => good(), { routeOptions: { limit: 1 } })) test(name, run)
})

describe('one that does nothing passes', () => {
  for (const { name, run } of pluginSuite(() => definePlugin({ name: 'tested' })())) test(name, run)
})

describe('one that needs another beside it passes', () => {
  const slot = defineSlot<string>()('testingTest.slot')
  const writer = definePlugin({
    name: 'writer',
    writes: [slot],
    setup: () => ({ onRoute: () => ({ onRequest: ctx => ctx.set(slot, 'x') }) }),
  })
  const reader = definePlugin({
    name: 'tested',
    needs: [slot],
    setup: () => ({ onRoute: () => ({ onRequest: ctx => void ctx.get(slot).length }) }),
  })
  for (const { name, run } of pluginSuite(() => reader(), { beside: () => [writer()] })) test(name, run)
})

/** The titles of the cases that a plugin fails. */
async function failures(make: () => AnyPlugin, options: PluginSuiteOptions = {}): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of pluginSuite(make, { settleMs: 50, ...options })) {
    await run().catch(() => failed.push(name.replace('tested: ', '')))
  }
  return failed
}

const leaking = [titles.answers, titles.closed, titles.left, titles.failed, titles.reloads]
const plugin = (setup: (host: Host) => unknown) => () =>
  definePlugin({ name: 'tested', setup: setup as never })() as AnyPlugin
const hooks = (hooks: RouteHooks) => plugin(() => ({ onRoute: () => hooks }))
/** Ends with the test what a plugin leaves behind on purpose. */
const atEnd = (end: () => void) => onTestFinished(end)

describe('a plugin with a planted fault fails', () => {
  test.each<[string, () => AnyPlugin, string[], PluginSuiteOptions?]>([
    [
      'a timer',
      plugin(() => {
        const timer = setInterval(() => {}, 60_000)
        atEnd(() => clearInterval(timer))
      }),
      leaking,
    ],
    [
      'a timer that would keep no process alive',
      plugin(() => {
        const timer = setTimeout(() => {}, 60_000).unref()
        atEnd(() => clearTimeout(timer))
      }),
      leaking,
    ],
    [
      'a port',
      plugin(() => {
        const server = createServer().listen(0, '127.0.0.1').unref()
        atEnd(() => void server.close())
      }),
      leaking,
    ],
    [
      'a watcher',
      plugin(() => {
        const watcher = watch(tmpdir(), { persistent: false })
        atEnd(() => watcher.close())
      }),
      leaking,
    ],
    [
      'a listener of process',
      plugin(() => {
        const event = Symbol('event')
        process.on(event, () => {})
        atEnd(() => void process.removeAllListeners(event))
      }),
      leaking,
    ],
    ['a clean-up that fails', plugin(host => host.defer(() => Promise.reject(new Error('boom')))), leaking],
    [
      'shared state that fails to close',
      plugin(host => void host.share({ ...counters, close: () => Promise.reject(new Error('boom')) })),
      leaking,
    ],
    [
      'shared state under another name each time',
      plugin(host => void host.share({ ...counters, name: `tested.${Math.random()}` })),
      [titles.reloads],
    ],
    [
      'a set-up that works once',
      (() => {
        let times = 0
        return plugin(() => {
          if (++times > 1) throw new Error('again')
        })
      })(),
      leaking,
    ],
    [
      'every request',
      hooks({ onRequest: () => Promise.reject(new Error('boom')) }),
      [titles.answers, titles.left, titles.failed, titles.reloads],
    ],
    [
      'errors in the log',
      hooks({
        onFinish() {
          throw new Error('boom')
        },
      }),
      [titles.answers, titles.left, titles.failed, titles.reloads],
    ],
    [
      'options that it takes without looking',
      () => definePlugin({ name: 'tested', options: z.object({}), setup() {} })(),
      [titles.options],
    ],
    [
      'options of a route that it takes without looking',
      () => definePlugin({ name: 'tested', routeOptions: z.looseObject({}) })(),
      [titles.options],
      { routeOptions: {} },
    ],
    [
      'options of a service that it takes without looking',
      () => definePlugin({ name: 'tested', serviceOptions: z.any() })(),
      [titles.options],
    ],
    [
      'hooks on every route',
      () =>
        definePlugin({
          name: 'tested',
          routeOptions: z.strictObject({}),
          setup: () => ({ onRoute: () => ({ onRequest() {} }) }),
        })(),
      [titles.off],
      { routeOptions: {} },
    ],
  ])('%s', async (_, make, expected, options) => {
    expect(await failures(make, options)).toEqual(expected)
  })

  test('but hooks on every route are fine for one that says so', async () => {
    const make = () =>
      definePlugin({
        name: 'tested',
        routeOptions: z.strictObject({}),
        setup: () => ({ onRoute: () => ({ onRequest() {} }) }),
      })()
    expect(await failures(make, { routeOptions: {}, alwaysOn: true })).toEqual([])
  })

  test('a resource that waits for a request to let go of', async () => {
    // Opened by each request, closed in onFinish only when its client stayed.
    const open = new Map<string, NodeJS.Timeout>()
    const make = hooks({
      onRequest(ctx) {
        const timer = setInterval(() => {}, 60_000)
        atEnd(() => clearInterval(timer))
        open.set(ctx.id, timer)
        return Promise.resolve()
      },
      onFinish(ctx, { status }) {
        if (status !== 0) clearInterval(open.get(ctx.id))
      },
    })
    expect(await failures(make)).toEqual([titles.left])
  })

  test('a set-up that opens something and relies on the next generation to close it', async () => {
    let last: NodeJS.Timeout | undefined
    const make = plugin(host => {
      const timer = setInterval(() => {}, 60_000)
      atEnd(() => clearInterval(timer))
      const before = last
      last = timer
      host.defer(() => clearInterval(before))
    })
    expect(await failures(make)).toContain(titles.failed)
  })
})

test('what the test runner opens meanwhile is not counted', async () => {
  const timer = setInterval(() => {}, 60_000)
  onTestFinished(() => clearInterval(timer))
  const [, closed] = pluginSuite(plugin(() => {}))
  const running = closed?.run()
  const other = setTimeout(() => {}, 60_000)
  onTestFinished(() => clearTimeout(other))
  await running
})
