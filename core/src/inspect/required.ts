import { isAlwaysOn } from '../config/at-work.ts'
import { withoutRequired } from '../config/route-faults.ts'
import type { Finding, Linted } from './finding.ts'

/**
 * Routes that say nothing of a plugin which the config requires and which does not say that it is always on. `false` is a
 * word about it. Once routes are built the gateway goes by the hooks that they got, and refuses those without.
 */
export function* withoutRequiredPlugin({ model }: Linted): Generator<Finding | undefined> {
  const plugins = model.plugins.filter(plugin => model.require.includes(plugin.name) && !isAlwaysOn(plugin))
  for (const route of model.routes) {
    for (const { name } of plugins) {
      if (route.options[name] === undefined) yield withoutRequired(name, route.name)
    }
    yield
  }
}
