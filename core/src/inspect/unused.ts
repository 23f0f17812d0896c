import { isAlwaysOn } from '../config/at-work.ts'
import type { PluginModel } from '../config/model.ts'
import { servicesOf } from '../config/normalise-routes.ts'
import { each } from '../slices.ts'
import type { Lint } from './finding.ts'

export const unusedServices: Lint = function* ({ model }, report) {
  const used = new Set<string>()
  yield* each(model.routes, ({ action }) => {
    for (const name of servicesOf(action)) used.add(name)
  })
  for (const { name } of model.services) {
    const message = 'no route uses this service: remove it, or route to it'
    if (!used.has(name)) report({ code: 'CONFIG_UNUSED_SERVICE', message, path: ['services', name] })
  }
}

/**
 * Plugins that have nothing to do. What a set-up does beside its hooks cannot be known from outside: found are those that
 * say by their `routeOptions` that they work where a route names them, and those that only provide what nobody chose.
 */
export const unusedPlugins: Lint = function* ({ model }, report) {
  const named = new Set<string>()
  yield* each(model.routes, ({ options }) => {
    for (const name in options) if (options[name] !== false) named.add(name)
  })
  const chosen = new Set<string | undefined>()
  for (const { balance, connector, discover } of model.services) {
    chosen.add(`balancer ${balance.use}`).add(`connector ${connector?.use}`).add(`discovery ${discover?.use}`)
  }
  for (const plugin of model.plugins) {
    if (actsByItself(plugin) || named.has(plugin.name)) continue
    if (plugin.definition.extensions?.some(({ point, name }) => chosen.has(`${point} ${name}`))) continue
    const message = `nothing uses plugin "${plugin.name}": remove it, or name it on a route (a plugin that is at work without that declares alwaysOn)`
    report({ code: 'CONFIG_UNUSED_PLUGIN', message, path: ['plugins', plugin.position] })
  }
}

/** `serviceOptions` tell nothing of services that do not use them: the plugin may watch over all. */
function actsByItself(plugin: PluginModel): boolean {
  const { setup, serviceOptions } = plugin.definition
  return setup !== undefined && (isAlwaysOn(plugin) || serviceOptions !== undefined)
}
