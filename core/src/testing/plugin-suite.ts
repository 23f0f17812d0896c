import { ok, rejects, strictEqual } from 'node:assert/strict'
import type { AnyPlugin } from '../config/config.ts'
import { defineConfig } from '../config/define-config.ts'
import { ConfigProblems } from '../config/problem.ts'
import type { GatewayHooks, Route } from '../contract/hooks.ts'
import type { Host, Log } from '../contract/host.ts'
import { definePlugin, type Plugin } from '../contract/plugin.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { silentLog } from '../log.ts'
import { leftOver, openNow, until } from './open-handles.ts'

export interface PluginSuiteOptions {
  /** Plugins that have to stand beside it, such as writers of the slots it needs. */
  readonly beside?: () => readonly AnyPlugin[]
  /** Options that switch it on, on the one route of the suite's gateway; without them it is tried on a route that says nothing of it. */
  readonly routeOptions?: unknown
  /** It is at work on routes that say nothing of it, too. Default: only when there are no `routeOptions`. */
  readonly alwaysOn?: boolean
  /** Milliseconds that what it opened may take to close. Default 2,000. */
  readonly settleMs?: number
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
 * `make` is called anew for each case, with options that let the plugin set up without anything from outside. Counted as
 * left over are timers (unref'd ones as well), sockets, servers, watchers, processes, workers and listeners of `process`.
 */
export function pluginSuite(make: () => AnyPlugin, options: PluginSuiteOptions = {}): PluginCase[] {
  const { beside = () => [], routeOptions, alwaysOn = routeOptions === undefined, settleMs = 2_000 } = options
  const { name, definition } = make()
  const on = routeOptions === undefined ? {} : { [name]: routeOptions }

  function config(plugin: AnyPlugin = make(), more: readonly AnyPlugin[] = [], route: object = on) {
    const reply = { status: 200, body: 'ok' }
    return defineConfig({
      plugins: [...beside(), plugin, ...more] as never,
      routes: { suite: { match: 'GET /suite', reply, ...route } },
    })
  }

  /** Runs a case's steps, then sees to it that nothing is left of them and that no error was logged. */
  const clean = (steps: (log: Log) => Promise<void>) => async () => {
    const errors: string[] = []
    const error = (message: string) => void errors.push(message)
    const left = await leftOver(() => steps({ ...silentLog, error }), settleMs)
    strictEqual(left, '', `left behind: ${left}`)
    strictEqual(errors.join('; '), '', 'errors were logged')
  }

  const refuses = (what: unknown) =>
    rejects(
      createGateway(what, { log: silentLog }).then(gateway => gateway.close()),
      (error: unknown) => error instanceof ConfigProblems && error.message.includes('noSuchOption'),
      'an unknown option was accepted',
    )

  const cases: Record<string, () => Promise<void>> = {
    'answers requests, set up once and again': clean(async log => {
      for (let round = 0; round < 2; round++) {
        const gateway = await createGateway(config(), { log })
        await answers(gateway)
        await gateway.close()
      }
    }),
    'leaves nothing behind when it is closed': clean(async log => {
      const gateway = await createGateway(config(), { log })
      await gateway.close()
      strictEqual(gateway.shared.join(), '', 'shared state is still held')
    }),
    'leaves nothing behind of a request whose client left': clean(async log => {
      const gateway = await createGateway(config(), { log })
      await gateway.fetch('http://suite.test/suite', { signal: AbortSignal.abort() }).catch(() => {})
      await answers(gateway)
      await gateway.close()
    }),
    'is cleaned up when a later plugin fails to set up': clean(async log => {
      await rejects(createGateway(config(make(), [failing()]), { log }), ConfigProblems)
      const gateway = await createGateway(config(), { log })
      const shared = gateway.shared.join()
      await rejects(gateway.reload(config(make(), [failing()])), ConfigProblems)
      strictEqual(gateway.shared.join(), shared, 'a reload that failed changed what is shared')
      await answers(gateway)
      await gateway.close()
    }),
    'twenty reloads keep its shared state and pile nothing up': clean(async log => {
      const gateway = await createGateway(config(), { log })
      const shared = gateway.shared.join()
      const opened = await openNow(settleMs)
      for (let round = 0; round < 20; round++) {
        // A config that said the same would not be taken.
        const other = { ...config(), drainTimeout: 30_000 + round }
        await Promise.all([gateway.reload(other), answers(gateway)])
        strictEqual(gateway.shared.join(), shared, 'what is shared changed')
      }
      await until(() => gateway.generations.length === 1, settleMs)
      strictEqual(gateway.shared.join(), shared, 'what is shared changed')
      strictEqual(await openNow(settleMs, opened), opened, 'reloads pile something up')
      await gateway.close()
    }),
    'costs a route nothing on which it has nothing to do': clean(async log => {
      if (alwaysOn) return
      const seen: unknown[] = []
      const gateway = await createGateway(config(watched(make(), seen), [], {}), { log })
      await gateway.close()
      strictEqual(
        seen.filter(hooks => hooks !== undefined && hooks !== null).length,
        0,
        'it returned hooks for a route that does not ask for it',
      )
    }),
    'refuses an option that it does not know': async () => {
      const plugin = make()
      const wrong = (given: unknown) => ({ ...(given as object | undefined), noSuchOption: true })
      if (definition.options !== undefined) await refuses(config({ ...plugin, options: wrong(plugin.options) }))
      if (definition.routeOptions !== undefined) await refuses(config(plugin, [], { [name]: wrong(routeOptions) }))
      if (definition.serviceOptions === undefined) return
      await refuses({
        ...config(plugin),
        services: { suite: { targets: ['http://suite.test'], [name]: wrong(undefined) } },
      })
    },
  }
  return Object.entries(cases).map(([title, run]) => ({ name: `${name}: ${title}`, run }))
}

async function answers(gateway: Gateway): Promise<void> {
  const response = await gateway.fetch('http://suite.test/suite')
  await response.arrayBuffer()
  ok(response.status < 500, `answered ${response.status}`)
}

/** The plugin, with what it returns for each route noted down. */
function watched(plugin: AnyPlugin, seen: unknown[]): AnyPlugin {
  const { definition } = plugin
  const setup = async (host: Host, options: never) => {
    const hooks: GatewayHooks<never, unknown> = { ...(await definition.setup?.(host, options)) }
    const onRoute = (route: Route<unknown>) => {
      const returned = hooks.onRoute?.(route)
      seen.push(returned)
      return returned
    }
    return { ...hooks, onRoute }
  }
  return { ...plugin, definition: { ...definition, setup: setup as never } }
}

const failing: () => Plugin<'suiteFailing', never, never, never, never, never> = definePlugin({
  name: 'suiteFailing',
  setup() {
    throw new Error('fails on purpose')
  },
})
