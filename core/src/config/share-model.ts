import { each, type Sliced } from '../slices.ts'
import { equal, keep } from './equal.ts'
import type { Model, RouteModel } from './model.ts'

/**
 * The model with all that the one before says alike taken over from it, plugin by plugin, service by service, route by
 * route: whatever was made of that may stay. When nothing differs, it is the one before itself.
 */
export function* shareModel(before: Model | undefined, now: Model): Sliced<Model> {
  if (before === undefined) return now
  const plugins = yield* shareByName(before.plugins, now.plugins)
  const services = yield* shareByName(before.services, now.services)
  const routes = yield* shareByName(before.routes, now.routes)
  // Quick, since the long lists are the same objects by now where they say the same.
  return keep(before, { ...now, plugins, services, routes })
}

function* shareByName<T extends { readonly name: string }>(
  before: readonly T[],
  now: readonly T[],
): Sliced<readonly T[]> {
  let byName: Map<string, T> | undefined
  const known = (name: string) => {
    byName ??= new Map(before.map(item => [item.name, item]))
    return byName.get(name)
  }
  const shared: T[] = []
  yield* each(now, (item, place) => {
    const other = before[place]
    shared.push(keep(other?.name === item.name ? other : known(item.name), item))
  })
  return shared.length === before.length && shared.every((item, i) => item === before[i]) ? before : shared
}

/** Whether routes are chosen for the same requests, one by one. */
export function askAlike(routes: readonly RouteModel[], before: readonly RouteModel[] | undefined): boolean {
  return routes.length === before?.length && routes.every((route, place) => asksAlike(route, before[place]))
}

export function asksAlike(a: RouteModel, b: RouteModel | undefined): boolean {
  if (a === b) return true
  const asks = (route: RouteModel | undefined) =>
    route && [route.name, route.methods, route.listeners, route.hosts, route.pattern.text, route.headers, route.query]
  return equal(asks(a), asks(b))
}
