import { equal } from '../config/equal.ts'
import type { Choice, Model, RouteModel, ServiceModel } from '../config/model.ts'
import { readFoundTarget } from '../config/normalise-services.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { withoutRequired } from '../config/route-faults.ts'
import type { GatewayHooks } from '../contract/hooks.ts'
import type { Balancer, Connector, Extension, Host, Log, Points, TargetSpec } from '../contract/host.ts'
import { pluginFailure, reasonOf } from '../exchange/plugin-failure.ts'
import { createPace } from '../slices.ts'
import { keepFound } from '../upstream/keep-found.ts'
import { roundRobin } from '../upstream/round-robin.ts'
import { Service } from '../upstream/service.ts'
import { guardBalancer } from '../upstream/service-hooks.ts'
import { type RequestPool, toTargets, type UpstreamTarget } from '../upstream/target.ts'
import { askService } from './ask-service.ts'
import { gatewayHookNames, hookFault } from './check-hooks.ts'
import { compileRoute, type RoutePlugin } from './compile-route.ts'
import { FoundRoutes } from './found-routes.ts'
import { Generation, type RunningRoute, type RunningService } from './generation.ts'
import { createHost } from './host.ts'
import { lacksRequired } from './required.ts'
import type { SharedStore } from './shared-store.ts'
import { within } from './within.ts'

type Hooks = GatewayHooks<never, unknown>

/**
 * Builds a generation aside, while an older one may be serving: sets up every plugin, every service, asks every plugin
 * about every route. All or nothing: when a step fails, what the steps before it opened is closed again, newest first.
 * What `before` has made of an equal service or route, and still holds, is taken over as it is.
 *
 * @throws ConfigProblems with everything that was wrong.
 */
export async function buildGeneration(
  id: number,
  model: Model,
  store: SharedStore,
  log: Log,
  before?: Generation,
): Promise<Generation> {
  const generation = new Generation(id, model, store, log)
  const problems: Problem[] = []
  const report = (problem: Omit<Problem, 'severity'>) => problems.push({ severity: 'error', ...problem })
  const pace = createPace()
  try {
    const plugins = await setUpPlugins(generation, problems)
    if (problems.length > 0) throw new ConfigProblems(problems)
    generation.foundRoutes = new FoundRoutes(generation, plugins)
    const starting: Promise<void>[] = []
    for (const service of model.services) {
      const built = await buildService(generation, service, plugins, before?.services.get(service.name), report)
      generation.services.set(service.name, { model: service, service: built })
      starting.push(discover(generation, built, service, report))
      await pace()
    }
    // All at once, since each may wait for a word of its source.
    await Promise.all(starting)
    const routes: RunningRoute[] = []
    const known = runningBy(before)
    for (const route of model.routes) {
      const old = known.get(route)
      const compiled = compileRoute(route, plugins, generation.services, old?.compiled, report)
      routes.push(old?.compiled === compiled ? old : { model: route, compiled })
      const pause = pace()
      if (pause !== undefined) await pause
    }
    generation.routes = routes
    checkRequired(generation, plugins, report)
    if (problems.length > 0) throw new ConfigProblems(problems)
    await generation.foundRoutes.begin(before)
    return generation
  } catch (error) {
    await generation.release()
    throw error
  }
}

/** By their models. A function of its own: where a closure knew `before`, what is kept of this build would hold on to it. */
function runningBy(before: Generation | undefined): Map<RouteModel, RunningRoute> {
  const running = new Map<RouteModel, RunningRoute>()
  for (const route of before?.routes ?? []) running.set(route.model, route)
  return running
}

async function setUpPlugins(generation: Generation, problems: Problem[]): Promise<RoutePlugin[]> {
  const plugins: RoutePlugin[] = []
  for (const plugin of generation.model.plugins) {
    const { name, definition } = plugin
    let hooks: Hooks = {}
    try {
      // The schema's output is what setup was typed with, so the erased call is sound.
      const setup = definition.setup as ((host: Host, options: unknown) => unknown) | undefined
      const set = setup?.call(definition, createHost(generation, name), plugin.options)
      const returned = await within(generation.model.setupTimeoutMs, set)
      const fault = hookFault(returned, gatewayHookNames)
      if (fault !== undefined) throw new TypeError(`setup ${fault}`)
      hooks = (returned ?? {}) as Hooks
    } catch (error) {
      problems.push(failure(`plugin "${name}" failed to set up`, error, ['plugins', plugin.position]))
      break
    }
    // Bound, since a plugin may have written its hooks as methods of a class.
    const { onConnection, onService, onRoute } = hooks
    if (onConnection !== undefined) {
      generation.connectionHooks = [...generation.connectionHooks, { plugin: name, run: onConnection.bind(hooks) }]
    }
    plugins.push({
      name,
      definition,
      options: plugin.options,
      onService: onService?.bind(hooks) as RoutePlugin['onService'],
      onRoute: onRoute?.bind(hooks) as RoutePlugin['onRoute'],
    })
  }
  return plugins
}

/** Asked of all routes, also of those that did not change: what is required may have. */
function checkRequired(
  generation: Generation,
  plugins: readonly RoutePlugin[],
  report: (problem: Omit<Problem, 'severity'>) => void,
): void {
  for (const plugin of plugins) {
    for (const { model, compiled } of generation.routes) {
      const own = model.options[plugin.name]
      if (lacksRequired(generation, plugin, compiled, own)) report(withoutRequired(plugin.name, model.name))
    }
  }
}

function failure(what: string, error: unknown, path: readonly (string | number)[]): Problem {
  return { severity: 'error', code: 'CONFIG_SETUP_FAILED', message: `${what}: ${reasonOf(error)}`, path }
}

async function buildService(
  generation: Generation,
  model: ServiceModel,
  plugins: readonly RoutePlugin[],
  before: RunningService | undefined,
  report: (problem: Omit<Problem, 'severity'>) => void,
): Promise<Service> {
  const { name, discover, balance, connector, preserveHost } = model
  const changes = before?.service.changes ?? { count: 0 }
  // A target that stays keeps its object, so that a balancer's state about it stays too.
  const targetsOf = (specs: readonly TargetSpec[], known: readonly UpstreamTarget[] = []) =>
    toTargets(specs, known, changes, url => sharedPool(generation, url, model))
  const known = before?.service.targets
  const isSame = before?.model === model
  // Until a provider speaks up, what it said last is the best there is.
  const isKnown = discover !== undefined && before !== undefined && equal(before.model.discover, discover)
  const targets = targetsOf(isKnown ? before.service.targets.map(({ spec }) => spec) : model.targets, known)
  let service: Service | undefined
  const hooks = askService(generation, plugins, model, () => service?.targets ?? targets, report)
  // What plugins provide for it lives as long as the generation whose host it was given.
  const isOwn = balance.use === 'roundRobin' && connector === undefined && discover === undefined && hooks.length === 0
  if (isSame && isOwn && before.service.hooks.length === 0) {
    service = before.service
    return service
  }
  service = new Service(name, targets, {
    balancer: balance.use === 'roundRobin' ? roundRobin() : await provideBalancer(generation, balance, name),
    connector: connector && (await provideConnector(generation, connector, name)),
    preserveHost,
    hooks,
    changes,
  })
  if (isKnown) service.discovery = before.service.discovery
  return service
}

/** Keeps the service's targets as its provider finds them. */
async function discover(
  generation: Generation,
  service: Service,
  model: ServiceModel,
  report: (problem: Omit<Problem, 'severity'>) => void,
): Promise<void> {
  const { lease, log, services, store } = generation
  const { discover: choice } = model
  if (choice === undefined) return
  const found = keepFound(service, {
    use: choice.use,
    log,
    now: store.platform.now,
    // A source that was not stopped in time must not open anything for a generation that is gone.
    isOver: () => generation.released,
    read: readFoundTarget,
    poolOf: url => sharedPool(generation, url, model),
    claim: routes => generation.foundRoutes?.claim(service.name, routes),
    // Requests under way keep the pool of a target that went for as long as they need it.
    letGo({ url, pool }) {
      const isUsed = services.values().some(other => other.service.targets.some(target => target.pool === pool))
      if (!isUsed) void lease.letGo(store.platform.pool(url, model).name)
    },
  })
  try {
    const { provided } = await provide(generation, 'discovery', choice, service.name)
    await within(generation.model.setupTimeoutMs, provided.watch(found.found, found.lost))
  } catch (error) {
    const path = ['services', service.name]
    if (error instanceof ConfigProblems) for (const problem of error.problems) report(problem)
    else report(failure(`discovery "${choice.use}" failed to start`, error, path))
  }
}

async function provideBalancer(generation: Generation, choice: Choice, service: string): Promise<Balancer> {
  const { provided, plugin } = await provide(generation, 'balancer', choice, service)
  return guardBalancer(provided, choice.use, (where, error) => pluginFailure(plugin, where, error))
}

async function provideConnector(generation: Generation, choice: Choice, service: string): Promise<Connector> {
  const { provided, plugin } = await provide(generation, 'connector', choice, service)
  return {
    async open(ctx, attempt, body) {
      try {
        return await provided.open(ctx, attempt, body)
      } catch (error) {
        throw pluginFailure(plugin, `the connector "${choice.use}"`, error)
      }
    },
  }
}

/** Connections to a target are kept for as long as some generation has a service with that target and those options. */
function sharedPool(generation: Generation, origin: string, service: ServiceModel): RequestPool {
  // Alone, since what is shared outlives the generation and must not hold on to it.
  const { store } = generation
  return generation.lease.share<RequestPool>({
    ...store.platform.pool(origin, service),
    // Not waited for here: a long download may still hold one of its connections.
    close: shared => store.closesLater(shared.close()),
  })
}

async function provide<Point extends keyof Points>(
  generation: Generation,
  point: Point,
  choice: Choice,
  service: string,
) {
  for (const { name: plugin, definition } of generation.model.plugins) {
    const found = definition.extensions?.find(extension => extension.point === point && extension.name === choice.use)
    if (found === undefined) continue
    const create = found.create as (host: Host, options: unknown, service: string) => ReturnType<Extension['create']>
    try {
      const created = create.call(found, createHost(generation, plugin), choice.options, service)
      const provided = (await within(generation.model.setupTimeoutMs, created)) as Points[Point]
      return { provided, plugin }
    } catch (error) {
      throw new ConfigProblems([failure(`${point} "${choice.use}" failed to start`, error, ['services', service])])
    }
  }
  throw new TypeError(`no plugin provides the ${point} "${choice.use}"`)
}
