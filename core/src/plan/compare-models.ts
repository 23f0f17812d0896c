import { isDeepStrictEqual } from 'node:util'
import type { Entry, Json, SerialisedModel } from '../control/serialise-model.ts'

/** One value that differs. Undefined: it is not there. */
export interface Change {
  readonly path: readonly string[]
  readonly before: Json | undefined
  readonly after: Json | undefined
}

export interface Changed {
  readonly name: string
  readonly changes: readonly Change[]
}

/** By name; listeners are named by their addresses, such as `*:8080`. */
export interface Difference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly Changed[]
  readonly kept: readonly string[]
}

export interface ModelChanges {
  /** What holds for the gateway as a whole. */
  readonly settings: readonly Change[]
  readonly listeners: Difference
  readonly plugins: Difference
  /** Null: those that are in both run in the same order. */
  readonly pluginOrder: { readonly before: readonly string[]; readonly after: readonly string[] } | null
  readonly services: Difference
  readonly routes: Difference
}

/**
 * What differs between two configs that were serialised with one salt. What serialising does not show is not seen: what
 * functions close over, what instances of classes hold, what a plugin's schemas accept.
 */
export function compareModels(before: SerialisedModel, after: SerialisedModel): ModelChanges {
  const common = (one: SerialisedModel, other: SerialisedModel) =>
    one.pluginOrder.filter(name => Object.hasOwn(other.plugins, name))
  const order = { before: common(before, after), after: common(after, before) }
  return {
    settings: compare(before.settings, after.settings),
    listeners: compareTables(before.listeners, after.listeners),
    plugins: compareTables(before.plugins, after.plugins),
    pluginOrder: isDeepStrictEqual(order.before, order.after) ? null : order,
    services: compareTables(before.services, after.services),
    routes: compareTables(before.routes, after.routes, compareRoutes),
  }
}

export function isDifferent({ settings, pluginOrder, ...tables }: ModelChanges): boolean {
  const { listeners, plugins, services, routes } = tables
  const differs = ({ added, removed, changed }: Difference) => added.length + removed.length + changed.length > 0
  return settings.length > 0 || pluginOrder !== null || [listeners, plugins, services, routes].some(differs)
}

type Table = Readonly<Record<string, Entry>>

function compareTables(before: Table, after: Table, compareEntries: typeof compare = compare): Difference {
  const stayed = Object.entries(after).flatMap(([name, entry]): Changed[] => {
    const old = Object.hasOwn(before, name) ? before[name] : undefined
    return old === undefined ? [] : [{ name, changes: compareEntries(old, entry) }]
  })
  return {
    added: Object.keys(after).filter(name => !Object.hasOwn(before, name)),
    removed: Object.keys(before).filter(name => !Object.hasOwn(after, name)),
    changed: stayed.filter(({ changes }) => changes.length > 0),
    kept: stayed.filter(({ changes }) => changes.length === 0).map(({ name }) => name),
  }
}

/** The methods stand in `match` as well. */
function compareRoutes(before: Json | undefined, after: Json | undefined): Change[] {
  return compare(before, after).filter(({ path: [key] }) => key !== 'methods')
}

/** Objects, and lists of as many objects, are looked into; any other list is one value. */
function compare(before: Json | undefined, after: Json | undefined, path: readonly string[] = []): Change[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isTable(before) || !isTable(after) || !isAlike(before, after)) return [{ path, before, after }]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].sort().flatMap(key => compare(itemOf(before, key), itemOf(after, key), [...path, key]))
}

type JsonTable = Entry | readonly Json[]

const isTable = (value: Json | undefined): value is JsonTable => typeof value === 'object' && value !== null

function isAlike(before: JsonTable, after: JsonTable): boolean {
  if (!Array.isArray(before) || !Array.isArray(after)) return Array.isArray(before) === Array.isArray(after)
  return before.length === after.length && [...before, ...after].every(isTable)
}

function itemOf(table: JsonTable, key: string): Json | undefined {
  return Object.hasOwn(table, key) ? (Reflect.get(table, key) as Json) : undefined
}
