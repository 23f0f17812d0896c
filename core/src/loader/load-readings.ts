import { existsSync } from 'node:fs'
import { readSmallFile } from '../config/environment/read-small-file.ts'
import { isPlaceholder, type Readings } from '../config/environment/readings.ts'
import { Secret } from '../config/environment/secret.ts'
import type { Problem } from '../config/problem.ts'
import { type ContentHash, contentHash, type Graph } from './load-bundle.ts'
import { type SourcePlace, thrownAt } from './load-problem.ts'

/** What a config asked its surroundings for in vain, at the places where it asked. */
export function faultProblems({ faults }: Readings, bundleName: string, sources: ReadonlySet<string>): Problem[] {
  return faults.map(({ problem, at }) => {
    const place: Partial<SourcePlace> = thrownAt(at, bundleName, sources) ?? {}
    return { ...problem, ...place }
  })
}

/** A secret file that was missing or empty is worth another load once it is there. */
export function watchFaults({ faults }: Readings, watch: Graph['watch']): void {
  for (const { file } of faults) {
    if (file === undefined) continue
    try {
      watch.set(file, contentHash(readSmallFile(file, 1024 ** 2)))
    } catch {
      // What is there and no file, such as a FIFO, is not to be read.
      if (!existsSync(file)) watch.set(file, undefined)
    }
  }
}

/** Hashes, since these are kept and compared, and may be secrets. */
export function variableHashes({ variables }: Readings): ReadonlyMap<string, ContentHash | undefined> {
  return new Map(
    Array.from(variables, ([name, value]) => [name, value === undefined ? undefined : contentHash(value)] as const),
  )
}

/**
 * Without the problems that only stand-ins for missing variables and secrets make: errors about such a value, and
 * warnings, which may follow from one elsewhere and can wait until the config is whole.
 */
export function withoutConsequences(problems: readonly Problem[], config: unknown): Problem[] {
  return problems.filter(
    ({ severity, message, path = [] }) =>
      severity === 'error' && ![message, ...path, valueAt(config, path)].some(standsIn),
  )
}

function standsIn(value: unknown): boolean {
  return isPlaceholder(value instanceof Secret ? value.value : value)
}

function valueAt(config: unknown, path: readonly (string | number)[]): unknown {
  let value = config
  for (const [depth, key] of path.entries()) {
    // Paths go through the options of a plugin and through the tables of routes as if these were not there.
    if (path[0] === 'plugins' && depth === 2) value = Reflect.get(Object(value), 'options')
    if (path[0] === 'routes' && depth === 1 && Array.isArray(value)) value = Object.assign({}, ...value)
    value = Reflect.get(Object(value), key)
  }
  return value
}
