import type { Explanation, Origin } from '../control/explanation.ts'
import { locate } from '../loader/locate.ts'

/** Gives what comes from the config the place where it is written. */
export function placeOrigins(explanation: Explanation, file: string): Explanation {
  const { route } = explanation
  if (route === null) return explanation
  const place = (origin: Origin): Origin =>
    origin.from !== 'config' ? origin : { ...origin, ...locate(file, origin.path, 'key') }
  const placed = <T extends { readonly origin: Origin }>(item: T): T => ({ ...item, origin: place(item.origin) })
  const { action, timeouts, plugins, requestHeaders, responseHeaders } = route
  return {
    ...explanation,
    route: {
      ...placed(route),
      action: action.kind === 'service' ? { ...placed(action), others: action.others.map(placed) } : action,
      timeouts: {
        connect: placed(timeouts.connect),
        head: placed(timeouts.head),
        idle: placed(timeouts.idle),
        total: placed(timeouts.total),
      },
      plugins: plugins.map(placed),
      requestHeaders: requestHeaders.map(placed),
      responseHeaders: responseHeaders.map(placed),
    },
  }
}
