import { isDeepStrictEqual } from 'node:util'
import type { ListenerModel, Model, PluginModel, RouteModel } from '../config/model.ts'

/** Names; those of listeners are their addresses, such as `*:8080`. */
export interface Difference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
  readonly kept: readonly string[]
}

export interface ModelChanges {
  readonly listeners: Difference
  readonly plugins: Difference
  readonly services: Difference
  readonly routes: Difference
  /** Gateway-wide settings that differ; `plugins` when they run in another order. */
  readonly settings: readonly string[]
}

const settings = ['timeoutStatus', 'drainTimeoutMs', 'workers', 'require', 'lint', 'log'] as const

/**
 * What differs between two configs, for people to read. Functions are compared by their text: every load makes new ones.
 * What a function closes over and what a plugin's schemas accept is therefore not seen.
 */
export function compareModels(before: Model, after: Model): ModelChanges {
  const common = (model: Model, other: Model) =>
    model.plugins.map(({ name }) => name).filter(name => other.plugins.some(plugin => plugin.name === name))
  const differing: string[] = settings.filter(key => !isSame(before[key], after[key]))
  if (!isSame(common(before, after), common(after, before))) differing.push('plugins')
  return {
    listeners: compare(byAddress(before.listeners), byAddress(after.listeners)),
    plugins: compare(byName(before.plugins, codeOf), byName(after.plugins, codeOf)),
    services: compare(byName(before.services), byName(after.services)),
    routes: compare(byName(before.routes, withoutPattern), byName(after.routes, withoutPattern)),
    settings: differing,
  }
}

function byName<T extends { readonly name: string }>(items: readonly T[], part: (item: T) => unknown = item => item) {
  return new Map(items.map(item => [item.name, part(item)]))
}

/** Several may ask for any free port. */
function byAddress(listeners: readonly ListenerModel[]): Map<string, unknown> {
  const table = new Map<string, unknown>()
  for (const listener of listeners) {
    const address = `${listener.host ?? '*'}:${listener.port}`
    let name = address
    for (let count = 2; table.has(name); count++) name = `${address} (${count})`
    table.set(name, listener)
  }
  return table
}

/** What can be compared of a plugin: its code as it reads, not where it stands in the list. */
function codeOf({ definition, options }: PluginModel): unknown {
  const { stage, setup, writes, needs, extensions, buffersBody, streams } = definition
  const provided = extensions?.map(({ point, name, create }) => ({ point, name, create }))
  return { options, stage, setup, writes, needs, provided, buffersBody, streams }
}

/** The pattern is read from `match`, which holds it as well. */
function withoutPattern({ pattern: _, ...route }: RouteModel): unknown {
  return route
}

function compare(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): Difference {
  const stayed = [...after.keys()].filter(name => before.has(name))
  const kept = new Set(stayed.filter(name => isSame(before.get(name), after.get(name))))
  return {
    added: [...after.keys()].filter(name => !before.has(name)),
    removed: [...before.keys()].filter(name => !after.has(name)),
    changed: stayed.filter(name => !kept.has(name)),
    kept: [...kept],
  }
}

/** Options may lead round in a circle; what lies deeper than this is taken for changed. */
const deepest = 64

function isSame(a: unknown, b: unknown, depth = 0): boolean {
  if (Object.is(a, b)) return true
  if (typeof a === 'function' && typeof b === 'function') return String(a) === String(b)
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return isDeepStrictEqual(a, b)
  const keys = Object.keys(a)
  if (depth > deepest || keys.length !== Object.keys(b).length) return false
  return keys.every(key => Object.hasOwn(b, key) && isSame(Reflect.get(a, key), Reflect.get(b, key), depth + 1))
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
