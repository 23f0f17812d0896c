import { ok, strictEqual } from 'node:assert/strict'
import type { AnyPlugin } from './config/config.ts'
import { defineConfig } from './config/define-config.ts'
import { ConfigProblems } from './config/problem.ts'
import { definePlugin, type Plugin } from './contract/plugin.ts'
import { createGateway } from './gateway.ts'
import { silentLog } from './log.ts'

export interface PluginSuiteOptions {
  /** Plugins that have to stand beside it, such as writers of the slots it needs. */
  readonly beside?: () => readonly AnyPlugin[]
  /** Options that switch it on, on the one route of the suite's gateway; without them it is tried on a route that says nothing of it. */
  readonly routeOptions?: unknown
}

export interface PluginCase {
  readonly name: string
  run(): Promise<void>
}

/**
 * What every plugin has to bear, whatever it does. Works with any test runner:
 *
 *     for (const { name, run } of pluginSuite(() => rateLimit())) test(name, run)
 *
 * `make` is called anew for each case, with options that let the plugin set up without anything from outside.
 */
export function pluginSuite(make: () => AnyPlugin, options: PluginSuiteOptions = {}): PluginCase[] {
  const { beside = () => [], routeOptions } = options
  const { name } = make()
  const config = (extra: readonly AnyPlugin[] = []) =>
    defineConfig({
      plugins: [...beside(), make(), ...extra] as never,
      routes: {
        suite: {
          match: 'GET /suite',
          reply: { status: 200, body: 'ok' },
          ...(routeOptions === undefined ? {} : { [name]: routeOptions }),
        },
      },
    })
  const start = (extra?: readonly AnyPlugin[]) => createGateway(config(extra), { log: silentLog })

  return [
    {
      name: `${name}: answers requests, set up once and again`,
      async run() {
        for (let round = 0; round < 2; round++) {
          const gateway = await start()
          const response = await gateway.fetch('http://suite.test/suite')
          await response.arrayBuffer()
          ok(response.status < 500, `answered ${response.status}`)
          await gateway.close()
        }
      },
    },
    {
      name: `${name}: leaves nothing behind when it is closed`,
      async run() {
        const before = countResources()
        const gateway = await start()
        await gateway.close()
        strictEqual(gateway.shared.join(), '', 'shared state is still held')
        strictEqual(
          countResources(),
          before,
          `timers, sockets or watchers are left: ${process.getActiveResourcesInfo().join()}`,
        )
      },
    },
    {
      name: `${name}: is cleaned up when a later plugin fails to set up`,
      async run() {
        const before = countResources()
        let failure: unknown
        await start([failing()]).catch(error => {
          failure = error
        })
        ok(failure instanceof ConfigProblems, 'the set-up should have failed')
        strictEqual(countResources(), before, 'timers, sockets or watchers are left')
      },
    },
    {
      name: `${name}: twenty reloads keep its shared state and pile nothing up`,
      async run() {
        const gateway = await start()
        const shared = gateway.shared.join()
        const resources = countResources()
        for (let round = 0; round < 20; round++) await gateway.reload(config())
        await settled(() => gateway.generations.length === 1)
        strictEqual(gateway.shared.join(), shared)
        strictEqual(countResources(), resources, 'timers, sockets or watchers pile up')
        await gateway.close()
      },
    },
    {
      name: `${name}: refuses an option that it does not know`,
      async run() {
        const plugin = make()
        if (plugin.definition.options === undefined) return
        const options = { ...(plugin.options as object | undefined), noSuchOption: true }
        const wrong = { ...plugin, options }
        const failure = await createGateway(
          { plugins: [...beside(), wrong], routes: { suite: { match: 'GET /suite', reply: { status: 200 } } } },
          { log: silentLog },
        ).then(
          gateway => gateway.close(),
          (error: unknown) => error,
        )
        ok(
          failure instanceof ConfigProblems && failure.message.includes('noSuchOption'),
          'an unknown option was accepted',
        )
      },
    },
  ]
}

const countResources = (): number => process.getActiveResourcesInfo().filter(kind => kind !== 'Immediate').length

/** Waits for what the event loop still has to do, turn by turn. */
async function settled(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !condition(); turn++) await new Promise(resolve => setImmediate(resolve))
  ok(condition(), 'it does not settle')
}

const failing: () => Plugin<'suiteFailing', never, never, never, never, never> = definePlugin({
  name: 'suiteFailing',
  setup() {
    throw new Error('fails on purpose')
  },
})
