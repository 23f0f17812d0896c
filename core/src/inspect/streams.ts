import { isAtWork } from '../config/at-work.ts'
import type { PluginModel, RouteModel } from '../config/model.ts'
import { bufferedStream } from '../config/route-faults.ts'
import { directionOf, meet } from '../contract/plugin.ts'
import { each } from '../slices.ts'
import type { Lint } from './finding.ts'

/** Where a plugin that holds bodies back meets one that streams them. The gateway refuses the route if both return hooks for it. */
export const bufferedStreams: Lint = function* ({ model: { plugins, routes } }, report) {
  const buffering = plugins.filter(({ definition }) => definition.buffersBody !== undefined)
  const streaming = plugins.filter(({ definition }) => definition.streams !== undefined)
  if (buffering.length === 0 || streaming.length === 0) return
  yield* each(routes, route => {
    const streams = streaming.filter(plugin => isAtWork(plugin, route))
    for (const one of buffering.filter(plugin => isAtWork(plugin, route))) {
      const other = streams.find(plugin => meet(said('buffersBody', one, route), said('streams', plugin, route)))
      if (other !== undefined) report(bufferedStream(one.name, other.name, route.name))
    }
  })
}

function said(what: 'buffersBody' | 'streams', { name, definition, options }: PluginModel, route: RouteModel) {
  return directionOf(definition[what], route.options[name], options)
}
