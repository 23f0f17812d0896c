import { readFoundRoute } from '../config/normalise-routes.ts'
import type { RouteSpec } from '../contract/host.ts'
import { askKey } from '../routing/conflicts.ts'
import { arrange } from './arrange.ts'
import { compileRoute, type RoutePlugin } from './compile-route.ts'
import type { Generation, RunningRoute } from './generation.ts'
import { lacksRequired } from './required.ts'

/** That a provider wants a route to a service. */
interface Claim {
  readonly service: string
  readonly spec: RouteSpec
  /** What it says, whoever asks for it. */
  readonly id: string
}

/** Where a route that is not in the config comes from. */
export interface RouteOrigin {
  /** The provider's name. */
  readonly discovery: string
  /** Who asked for it there: `container shop-1`. */
  readonly from: string
}

interface Made {
  /** Undefined where there is a fault. */
  readonly route: RunningRoute | undefined
  readonly fault: string | undefined
}

/**
 * The routes of a generation that its providers found, beside those of its config. They come and go while it serves: the
 * list of routes and the router that leads into it are exchanged in one step. Of those that ask for the same the config's
 * stays, then the one that came first; the others are refused, and told in the log.
 */
export class FoundRoutes {
  readonly #generation: Generation
  readonly #plugins: readonly RoutePlugin[]
  /** In the order in which they came. */
  #claims: readonly Claim[] = []
  /** The config's. */
  #own: readonly RunningRoute[] = []
  /** Kept for the life of the generation, so that plugins are asked once about a route that comes and goes. */
  readonly #made = new Map<string, Made>()
  #refused: ReadonlyMap<string, string> = new Map()
  #begun: Promise<void> | undefined

  constructor(generation: Generation, plugins: readonly RoutePlugin[]) {
    this.#generation = generation
    this.#plugins = plugins
  }

  /** Who found those that serve and for whom, by the route's name. */
  get origins(): ReadonlyMap<string, RouteOrigin> {
    const taken = this.#claims.filter(({ id }) => !this.#refused.has(id))
    const originOf = ({ service, spec }: Claim) => {
      const discovery = this.#generation.services.get(service)?.model.discover?.use ?? ''
      return { discovery, from: spec.from }
    }
    return new Map(taken.map(claim => [nameOf(claim.service, claim.spec), originOf(claim)]))
  }

  /** All that is wanted for a service, in place of what was wanted before. Applied at once in a generation that has begun. */
  claim(service: string, specs: readonly RouteSpec[]): void {
    const wanted = new Map(specs.map(spec => [idOf(service, spec), spec]))
    const kept = this.#claims.flatMap(claim => {
      if (claim.service !== service) return [claim]
      const spec = wanted.get(claim.id)
      wanted.delete(claim.id)
      return spec === undefined ? [] : [{ ...claim, spec }]
    })
    const isSame = wanted.size === 0 && kept.length === this.#claims.length
    this.#claims = [...kept, ...Array.from(wanted, ([id, spec]) => ({ service, spec, id }))]
    if (isSame || this.#begun === undefined) return
    this.#begun = this.#begun
      .then(() => this.#apply(this.#generation))
      .catch(error => this.#generation.log.error('routes that were found could not be taken', { err: error }))
  }

  /** The config's routes have been compiled: makes the router. `before` says who came first, and lends its router. */
  begin(before: Generation | undefined): Promise<void> {
    const earlier = before?.foundRoutes === undefined ? [] : before.foundRoutes.#claims
    const places = new Map(earlier.map(({ id }, place) => [id, place]))
    const placeOf = ({ id }: Claim) => places.get(id) ?? places.size
    this.#claims = this.#claims.toSorted((a, b) => placeOf(a) - placeOf(b))
    this.#refused = before?.foundRoutes === undefined ? this.#refused : before.foundRoutes.#refused
    this.#own = this.#generation.routes
    this.#begun = this.#apply(before)
    return this.#begun
  }

  /** `like`: whose router leads into a list of routes already. */
  async #apply(like: Generation | undefined): Promise<void> {
    const generation = this.#generation
    const { log, draining } = generation
    const claimed = this.#claims.map(claim => ({ ...claim, made: this.#madeOf(claim) }))
    const shapes = new Set(claimed.map(({ made }) => made.route?.model.pattern.shape))
    const rivals = shapes.size === 0 ? [] : this.#own.filter(({ model }) => shapes.has(model.pattern.shape))
    const taken = new Map(rivals.map(({ model }) => [askKey(model), `route "${model.name}" of the config`]))
    const refused = new Map<string, string>()
    const routes = [...this.#own]
    for (const { service, spec, id, made } of claimed) {
      const { route } = made
      const key = route && askKey(route.model)
      const other = key && taken.get(key)
      const fault = made.fault ?? (other && `${other} asks for exactly the same`)
      if (fault !== undefined) refused.set(id, fault)
      else if (key !== undefined && route !== undefined) {
        taken.set(key, `${spec.from}, of service "${service}",`)
        routes.push(route)
      }
      if (fault === undefined || this.#refused.get(id) === fault) continue
      log.warn('a route that was found is refused', { service, match: spec.match, from: spec.from, reason: fault })
    }
    this.#refused = refused
    const routing = await arrange(routes, like)
    // Nobody asks it for a route any more.
    if (draining.aborted) return
    const before = namesOfFound(like)
    generation.routes = routing.routes
    generation.router = routing.router
    const now = namesOfFound(generation)
    const added = now.filter(name => !before.includes(name))
    const removed = before.filter(name => !now.includes(name))
    if (added.length + removed.length > 0) log.info('routes changed', { added, removed })
  }

  #madeOf({ id, service, spec }: Claim): Made {
    const made = this.#made.get(id) ?? this.#make(service, spec)
    this.#made.set(id, made)
    return made
  }

  #make(service: string, spec: RouteSpec): Made {
    const { model, services } = this.#generation
    const faults: string[] = []
    const report = ({ message, path = [] }: { message: string; path?: readonly (string | number)[] | undefined }) =>
      void faults.push([...path.slice(2), message].join(' '))
    const route = readFoundRoute(nameOf(service, spec), service, spec, model, report)
    // Paths with faults cannot be compiled.
    const compiled =
      route && faults.length === 0 ? compileRoute(route, this.#plugins, services, undefined, report) : undefined
    if (model.routes.some(({ name }) => name === route?.name)) faults.push('the config has a route of its name')
    for (const plugin of this.#plugins) {
      if (compiled === undefined || !lacksRequired(this.#generation, plugin, compiled, undefined)) continue
      faults.push(`the config requires "${plugin.name}", which is not at work on it`)
    }
    if (route === undefined || compiled === undefined || faults.length > 0) {
      return { route: undefined, fault: faults.join('; ') }
    }
    return { route: { model: route, compiled }, fault: undefined }
  }
}

const namesOfFound = (generation: Generation | undefined) =>
  generation?.routes.filter(({ model }) => model.found === true).map(({ model }) => model.name) ?? []

const idOf = (service: string, { match, host, rewrite, stripPrefix }: RouteSpec) =>
  JSON.stringify([service, match, host, rewrite, stripPrefix])

const nameOf = (service: string, { match, host }: RouteSpec) =>
  `${service}: ${match}${host === undefined ? '' : ` of ${host}`}`
