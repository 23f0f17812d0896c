import { asksAlike } from '../config/share-model.ts'
import { compileRouter, type Router, type RouteSpec } from '../routing/router.ts'
import { each, inSlices, type Sliced } from '../slices.ts'
import type { RunningRoute } from './generation.ts'

/** A list of routes and the router that leads to the places in it. */
export interface Routing {
  readonly routes: readonly RunningRoute[]
  readonly router: Router<number>
}

/**
 * The routes with a router that leads to them, made of those before: it changes for the routes that are chosen for other
 * requests than theirs was, and for those that stand elsewhere in the list. So those that stay keep their places, and
 * the others fill the gaps.
 */
export function arrange(all: readonly RunningRoute[], before: Routing | undefined): Promise<Routing> {
  return inSlices(arrangeAfter(before ?? { routes: [], router: compileRouter([]) }, all))
}

function* arrangeAfter(before: Routing, all: readonly RunningRoute[]): Sliced<Routing> {
  const routes = keepPlaces(all, before.routes)
  const removed = before.routes.slice(routes.length).map(({ model }) => model)
  const added: RouteSpec<number>[] = []
  yield* each(routes, ({ model }, value) => {
    const other = before.routes[value]?.model
    if (asksAlike(model, other)) return
    added.push({ ...model, value })
    if (other !== undefined) removed.push(other)
  })
  if (removed.length + added.length === 0) return { routes, router: before.router }
  // Taking them out one by one is more work than to begin anew.
  if (removed.length <= routes.length / 2) return { routes, router: yield* before.router.change(removed, added) }
  const specs = routes.map(({ model }, value) => ({ ...model, value }))
  return { routes, router: yield* compileRouter<number>([]).change([], specs) }
}

function keepPlaces(routes: readonly RunningRoute[], before: readonly RunningRoute[]): readonly RunningRoute[] {
  const stays = (route: RunningRoute, place: number) =>
    place >= before.length || before[place]?.model.name === route.model.name
  if (routes.every(stays)) return routes
  const places = new Map<string, number>()
  for (const [place, { model }] of before.entries()) places.set(model.name, place)
  const kept = new Map<number, RunningRoute>()
  const rest: RunningRoute[] = []
  for (const route of routes) {
    const place = places.get(route.model.name)
    if (place !== undefined && place < routes.length) kept.set(place, route)
    else rest.push(route)
  }
  rest.reverse()
  return routes.map((route, place) => kept.get(place) ?? rest.pop() ?? route)
}
