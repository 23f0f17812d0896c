import type { Extension, Host, Log, Points, TargetSpec } from '../contract/host.ts'
import type { GatewayHooks } from '../contract/hooks.ts'
import type { Choice, Model, PluginModel, ServiceModel } from '../config/model.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { compileRouter } from '../routing/router.ts'
import { Pool } from '../upstream/pool.ts'
import { roundRobin } from '../upstream/round-robin.ts'
import { Service, UpstreamTarget } from '../upstream/service.ts'
import { compileRoute, type RoutePlugin } from './compile-route.ts'
import { Generation } from './generation.ts'
import { createHost } from './host.ts'
import type { SharedStore } from './shared-store.ts'

type Hooks = GatewayHooks<never, unknown>

/**
 * Builds a generation aside, while an older one may be serving: sets up every plugin, every service, asks every plugin
 * about every route. All or nothing: when a step fails, what the steps before it opened is closed again, newest first.
 *
 * @throws ConfigProblems with everything that was wrong.
 */
export async function buildGeneration(id: number, model: Model, store: SharedStore, log: Log): Promise<Generation> {
  const generation = new Generation(id, model, store, log)
  const problems: Problem[] = []
  const report = (problem: Omit<Problem, 'severity'>) => problems.push({ severity: 'error', ...problem })
  try {
    const plugins = await setUpPlugins(generation, problems)
    if (problems.length > 0) throw new ConfigProblems(problems)
    const services = new Map<string, Service>()
    for (const service of model.services) services.set(service.name, await buildService(generation, service))
    const routes = model.routes.map(route => ({
      name: route.name,
      hosts: route.hosts,
      methods: route.methods,
      patterns: [route.pattern],
      headers: route.headers,
      query: route.query,
      value: compileRoute(route, plugins, services, report),
    }))
    if (problems.length > 0) throw new ConfigProblems(problems)
    generation.router = compileRouter(routes)
    return generation
  } catch (error) {
    await generation.release()
    throw error
  }
}

async function setUpPlugins(generation: Generation, problems: Problem[]): Promise<RoutePlugin[]> {
  const plugins: RoutePlugin[] = []
  for (const plugin of generation.model.plugins) {
    const { name, definition } = plugin
    let hooks: Hooks = {}
    try {
      // The schema's output is what setup was typed with, so the erased call is sound.
      const setup = definition.setup as ((host: Host, options: unknown) => unknown) | undefined
      hooks = ((await setup?.(createHost(generation, name), plugin.options)) ?? {}) as Hooks
    } catch (error) {
      problems.push(setupProblem(plugin, error))
      break
    }
    if (hooks.onConnection !== undefined) {
      generation.connectionHooks = [...generation.connectionHooks, { plugin: name, run: hooks.onConnection }]
    }
    plugins.push({ name, definition, onRoute: hooks.onRoute as RoutePlugin['onRoute'] })
  }
  return plugins
}

function setupProblem({ name, position }: PluginModel, error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error)
  return { severity: 'error', code: 'CONFIG_SETUP_FAILED', message: `plugin "${name}" failed to set up: ${reason}`, path: ['plugins', position] }
}

async function buildService(generation: Generation, model: ServiceModel): Promise<Service> {
  const toTarget = (spec: TargetSpec) => new UpstreamTarget(spec, sharedPool(generation, spec.url, model))
  const service = new Service(model.name, model.targets.map(toTarget), {
    balancer: model.balance.use === 'roundRobin' ? roundRobin() : await provide(generation, 'balancer', model.balance, model.name),
    connector: model.connector && (await provide(generation, 'connector', model.connector, model.name)),
    preserveHost: model.preserveHost,
  })
  if (model.discover !== undefined) {
    const discovery = await provide(generation, 'discovery', model.discover, model.name)
    await discovery.watch(specs => {
      // A target that stays keeps its object, so that a balancer's state about it stays too.
      const known = new Map(service.targets.map(target => [`${target.url} ${target.weight}`, target]))
      service.targets = specs.map(spec => known.get(`${spec.url} ${spec.weight ?? 1}`) ?? toTarget(spec))
    })
  }
  return service
}

/** Connections to a target are kept for as long as some generation has a service with that target and those options. */
function sharedPool(generation: Generation, origin: string, { pool, tls }: ServiceModel): Pool {
  return generation.lease.share({
    name: `gateway.pool ${origin} ${JSON.stringify([pool, tls])}`,
    create: () =>
      new Pool(origin, {
        ...(pool.connections === undefined ? {} : { maxConnections: pool.connections }),
        ...(pool.queue === undefined ? {} : { maxQueued: pool.queue }),
        ...(pool.idleTimeout === undefined ? {} : { idleTimeout: pool.idleTimeout }),
        ...(pool.maxAge === undefined ? {} : { maxLifetime: pool.maxAge }),
        tls,
      }),
    // Not waited for: a long download may still hold one of its connections.
    close: shared => void shared.close(),
  })
}

async function provide<Point extends keyof Points>(generation: Generation, point: Point, choice: Choice, service: string): Promise<Points[Point]> {
  for (const plugin of generation.model.plugins) {
    const found = plugin.definition.extensions?.find(extension => extension.point === point && extension.name === choice.use)
    if (found === undefined) continue
    const create = found.create as (host: Host, options: unknown) => ReturnType<Extension['create']>
    try {
      return (await create(createHost(generation, plugin.name), choice.options)) as Points[Point]
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new ConfigProblems([{ severity: 'error', code: 'CONFIG_SETUP_FAILED', message: `${point} "${choice.use}" failed to start: ${reason}`, path: ['services', service] }])
    }
  }
  throw new TypeError(`no plugin provides the ${point} "${choice.use}"`)
}

