import { asksAlike } from '../config/share-model.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import { inSlices } from '../slices.ts'
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
export async function arrange(all: readonly RunningRoute[], before: Routing | undefined): Promise<Routing> {
  const others = before?.routes ?? []
  const routes = keepPlaces(all, others)
  const moved = others.filter((route, place) => !asksAlike(route.model, routes[place]?.model))
  const added = routes.flatMap(({ model }, value) =>
    asksAlike(model, others[value]?.model) ? [] : [{ ...model, value }],
  )
  if (before !== undefined && moved.length + added.length === 0) return { routes, router: before.router }
  // Taking them out one by one is more work than to begin anew.
  if (before === undefined || moved.length > routes.length / 2) {
    const specs = routes.map(({ model }, value) => ({ ...model, value }))
    return { routes, router: await inSlices(compileRouter<number>([]).change([], specs)) }
  }
  const removed = moved.map(({ model }) => model)
  return { routes, router: await inSlices(before.router.change(removed, added)) }
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
