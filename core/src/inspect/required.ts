import { isAlwaysOn } from '../config/at-work.ts'
import { withoutRequired } from '../config/route-faults.ts'
import { each } from '../slices.ts'
import type { Lint } from './finding.ts'

/**
 * Routes that say nothing of a plugin which the config requires and which does not say that it is always on. `false` is a
 * word about it. Once routes are built the gateway goes by the hooks that they got, and refuses those without.
 */
export const withoutRequiredPlugin: Lint = function* ({ model }, report) {
  const plugins = model.plugins.filter(plugin => model.require.includes(plugin.name) && !isAlwaysOn(plugin))
  if (plugins.length === 0) return
  yield* each(model.routes, route => {
    for (const { name } of plugins) {
      if (route.options[name] === undefined) report(withoutRequired(name, route.name))
    }
  })
}
