import { isAlwaysOn } from '../config/at-work.ts'
import type { CompiledRoute } from '../exchange/route.ts'
import type { RoutePlugin } from './compile-route.ts'
import type { Generation } from './generation.ts'

/**
 * Whether the config requires the plugin and the route goes without. A plugin that the config requires must have returned
 * hooks for every route that does not switch it off, or see every connection; and where it says that it is not at work on
 * a route that says nothing of it, such hooks are for something else. `own`: its options on the route.
 */
export function lacksRequired(
  { model, connectionHooks }: Pick<Generation, 'model' | 'connectionHooks'>,
  { name, onRoute }: RoutePlugin,
  route: CompiledRoute,
  own: unknown,
): boolean {
  if (!model.require.includes(name) || own === false) return false
  if (onRoute === undefined && connectionHooks.some(({ plugin }) => plugin === name)) return false
  const plugin = model.plugins.find(other => other.name === name)
  const idle = plugin?.definition.alwaysOn !== undefined && !isAlwaysOn(plugin)
  return !route.plugins.includes(name) || (idle && own === undefined)
}
