import { type ConfigPath, didYouMean, type Report } from './issues.ts'
import type { ListenerModel } from './model.ts'

/** By which listeners routes can be reached. */
export interface Reach {
  readonly names: readonly string[]
  /** Those of a route that names none; empty: any. Undefined: there are only exclusive ones. */
  readonly unnamed: readonly string[] | undefined
}

export function reachOf(listeners: readonly ListenerModel[]): Reach {
  const names = [...new Set(listeners.flatMap(({ name }) => name ?? []))]
  if (!listeners.some(({ exclusive }) => exclusive)) return { names, unnamed: [] }
  const open = listeners.filter(({ exclusive }) => !exclusive).map(({ name = '' }) => name)
  return { names, unnamed: open.length === 0 ? undefined : [...new Set(open)].sort() }
}

/** What the names that a route gives mean, '' for listeners without one; empty: any. */
export function readListenerNames(
  given: string | readonly string[] | undefined,
  reach: Reach | undefined,
  path: ConfigPath,
  report: Report,
): readonly string[] {
  if (reach === undefined) return []
  if (given === undefined) {
    if (reach.unnamed !== undefined) return reach.unnamed
    const message = `names no listener, and all of them are exclusive: add listener: '${reach.names[0]}'`
    report({ code: 'CONFIG_ROUTE_LISTENER', message, path: path.slice(0, -1) })
    return []
  }
  const list = typeof given === 'string' ? [given] : given
  for (const [index, name] of list.entries()) {
    if (reach.names.includes(name)) continue
    const message = `there is no listener "${name}"`
    const at = typeof given === 'string' ? path : [...path, index]
    report({ code: 'CONFIG_UNKNOWN_LISTENER', message, path: at, ...didYouMean(name, reach.names) })
  }
  return [...new Set(list)].sort()
}
