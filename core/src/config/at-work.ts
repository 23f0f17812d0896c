import type { PluginModel, RouteModel } from './model.ts'

/** Whether a plugin is at work on a route, as far as its definition tells: nothing has been set up. */
export function isAtWork(plugin: PluginModel, { options }: RouteModel): boolean {
  return options[plugin.name] === undefined ? isAlwaysOn(plugin) : options[plugin.name] !== false
}

/** On routes that say nothing of it. */
export function isAlwaysOn({ definition: { alwaysOn, routeOptions }, options }: PluginModel): boolean {
  if (typeof alwaysOn !== 'function') return alwaysOn ?? routeOptions === undefined
  try {
    // The schema's output is what it was typed with, so the erased call is sound.
    return Boolean((alwaysOn as (options: unknown) => unknown)(options))
  } catch {
    // What cannot be told to be on counts as off.
    return false
  }
}
