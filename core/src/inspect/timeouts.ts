import type { ListenerModel } from '../config/model.ts'
import { each } from '../slices.ts'
import type { Finding, Lint } from './finding.ts'

const withBody = ['POST', 'PUT', 'PATCH']

/**
 * An `idle` that a route for uploads asks for, and that the listener does not grant: it measures the upstream's pauses
 * and ours, while a client that pauses is the listener's, by `bodyIdleTimeout`. The other timeouts of routes and
 * listeners measure different waits and cannot contradict each other.
 */
export const bodyTimeouts: Lint = function* ({ model, config }, report) {
  const impatient = model.listeners
    .filter(({ limits }) => limits.bodyIdleTimeout !== 0)
    .sort((a, b) => a.limits.bodyIdleTimeout - b.limits.bodyIdleTimeout)
  const tables = [(config as { routes?: unknown }).routes].flat()
  yield* each(model.routes, ({ name, methods, timeouts, listeners }) => {
    if (!methods.some(method => withBody.includes(method))) return
    const stricter = impatient.find(listener => listeners.length === 0 || listeners.includes(listener.name ?? ''))
    const longer = stricter !== undefined && (timeouts.idle === 0 || timeouts.idle > stricter.limits.bodyIdleTimeout)
    if (longer && tables.some(table => asksForIdle(table, name))) report(finding(name, timeouts.idle, stricter))
  })
}

/** Whether it is the route that says so; by default it is longer, too, and nobody meant anything by that. */
function asksForIdle(table: unknown, route: string): boolean {
  const written = (table as Record<string, { timeout?: { idle?: unknown } } | undefined>)[route]
  return written?.timeout?.idle !== undefined
}

function finding(route: string, idleMs: number, { port, limits }: ListenerModel): Finding {
  const given = idleMs === 0 ? 'any time' : `${idleMs} ms`
  const message = `gives a body's pauses ${given}, but the listener on port ${port} gives up on a client that pauses for ${limits.bodyIdleTimeout} ms: raise its limits.bodyIdleTimeout, or lower this`
  return { code: 'CONFIG_BODY_TIMEOUT', message, path: ['routes', route, 'timeout', 'idle'] }
}
