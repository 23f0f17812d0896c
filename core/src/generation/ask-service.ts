import type { ServiceModel } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import { GatewayError } from '../contract/errors.ts'
import type { ServiceHooks } from '../contract/hooks.ts'
import { pluginFailure, reasonOf } from '../exchange/plugin-failure.ts'
import { guardHooks } from '../upstream/service-hooks.ts'
import { createServiceView } from '../upstream/service-view.ts'
import type { UpstreamTarget } from '../upstream/target.ts'
import { hookFault, serviceHookNames } from './check-hooks.ts'
import type { RoutePlugin } from './compile-route.ts'
import type { Generation } from './generation.ts'

/** Shows the service to each plugin and returns their hooks for it, in the plugins' order. */
export function askService(
  generation: Generation,
  plugins: readonly RoutePlugin[],
  { name, protocol, options }: ServiceModel,
  targets: () => readonly UpstreamTarget[],
  report: (problem: Omit<Problem, 'severity'>) => void,
): ServiceHooks[] {
  return plugins.flatMap(({ name: plugin, onService }) => {
    if (onService === undefined) return []
    const refuse = (message: string, code = 'CONFIG_SERVICE_REFUSED') =>
      report({ code, message: `plugin "${plugin}": ${message}`, path: ['services', name, plugin] })
    const defer = (cleanup: () => void) => generation.defer(plugin, cleanup)
    try {
      const view = createServiceView({ name, protocol, options: options[plugin], targets, defer, problem: refuse })
      const hooks = onService(view)
      const fault = hookFault(hooks, serviceHookNames)
      if (fault !== undefined) refuse(`onService ${fault}`, 'CONFIG_PLUGIN_HOOKS')
      else if (hooks && serviceHookNames.some(hook => Reflect.get(hooks, hook) !== undefined))
        return [guardHooks(hooks, (hook, error) => pluginFailure(plugin, hook, error))]
    } catch (error) {
      refuse(`onService failed: ${reasonOf(error)}`, error instanceof GatewayError ? error.code : undefined)
    }
    return []
  })
}
