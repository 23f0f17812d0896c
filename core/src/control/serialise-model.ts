import { createHmac, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { isAlwaysOn } from '../config/at-work.ts'
import type { ListenerModel, Model, PluginModel, RouteModel } from '../config/model.ts'
import { redact } from './redact.ts'

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Entry = { readonly [key: string]: Json }

/**
 * A model as JSON: one entry a listener, plugin, service and route, by name; keys in alphabetical order. Secrets,
 * functions (their source) and bytes are keyed digests, so that of two models with one salt a change shows and a value
 * does not. What a function closes over does not show.
 */
export interface SerialisedModel {
  /** Of the digests: whoever compares serialises the other model with the same one. */
  readonly salt: string
  readonly settings: Entry
  /** By `host:port`; any host is `*`. */
  readonly listeners: Readonly<Record<string, Entry>>
  /** Names in the order in which request hooks run. */
  readonly pluginOrder: readonly string[]
  readonly plugins: Readonly<Record<string, Entry>>
  readonly services: Readonly<Record<string, Entry>>
  readonly routes: Readonly<Record<string, Entry>>
}

/** Longest that the work goes on in one go, in milliseconds: requests are waiting while it does. */
const sliceMs = 5

/**
 * `salt`: any text; without it a new one, so that digests of two calls have nothing in common. `known`: entries of parts
 * that were serialised before with this salt; a reload leaves most parts the same objects.
 */
export async function serialiseModel(
  model: Model,
  salt: string = randomBytes(16).toString('base64url'),
  known = new WeakMap<object, Entry>(),
): Promise<SerialisedModel> {
  const digest = (text: string) => createHmac('sha256', salt).update(text).digest('base64url').slice(0, 12)
  const entry = (value: object) => inOrder(redact(value, digest)) as Entry
  let since = performance.now()
  const table = async <T extends object>(
    items: readonly T[],
    name: (item: T) => string,
    content: (item: T) => object,
  ) => {
    const entries: [string, Entry][] = []
    for (const item of items) {
      const serialised = known.get(item) ?? entry(content(item))
      known.set(item, serialised)
      entries.push([name(item), serialised])
      if (performance.now() - since < sliceMs) continue
      await setImmediate()
      since = performance.now()
    }
    return Object.fromEntries(unique(entries).sort(byName))
  }
  // Where a value was written makes no difference: each route has its timeouts.
  const { listeners, plugins, services, routes, files: _files, timeouts: _timeouts, ...settings } = model
  return {
    salt,
    settings: entry(settings),
    listeners: await table(listeners, addressOf, listenerContent),
    pluginOrder: plugins.map(nameOf),
    plugins: await table(plugins, nameOf, pluginContent),
    services: await table(services, nameOf, ({ name: _, ...service }) => service),
    routes: await table(routes, nameOf, routeContent),
  }
}

const nameOf = ({ name }: { readonly name: string }) => name
const addressOf = ({ host, port }: ListenerModel) => `${host ?? '*'}:${port}`

function listenerContent({ port: _port, host: _host, ...listener }: ListenerModel): object {
  return listener
}

function pluginContent(plugin: PluginModel): object {
  const { definition, options } = plugin
  const { stage = 'shape', writes = [], needs = [], extensions = [], buffersBody, streams, setup } = definition
  return {
    stage,
    options,
    alwaysOn: isAlwaysOn(plugin),
    buffersBody,
    streams,
    writes: writes.map(nameOf),
    needs: needs.map(nameOf),
    extensions: extensions.map(({ point, name, create }) => ({ point, name, create })),
    setup,
  }
}

/** Without what is derived from the rest, and where a value was written. */
function routeContent({ name: _name, pattern: _pattern, timeoutsFrom: _from, ...route }: RouteModel): object {
  return route
}

/** Listeners on port 0 may share an address. */
function unique<T>(entries: readonly (readonly [string, T])[]): [string, T][] {
  const seen = new Map<string, number>()
  return entries.map(([name, value]) => {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return [count === 1 ? name : `${name}, ${count}`, value]
  })
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : Number(a > b))

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.sort(byName).map(([key, item]) => [key, inOrder(item)]))
}
