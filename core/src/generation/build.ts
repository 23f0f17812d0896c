import { createHash } from 'node:crypto'
import type { Choice, Model, ServiceModel, TlsModel } from '../config/model.ts'
import { ConfigProblems, type Problem } from '../config/problem.ts'
import { withoutRequired } from '../config/route-faults.ts'
import type { GatewayHooks } from '../contract/hooks.ts'
import type { Balancer, Connector, Extension, Host, Log, Points, TargetSpec } from '../contract/host.ts'
import { pluginFailure, reasonOf } from '../exchange/plugin-failure.ts'
import type { CompiledRoute } from '../exchange/route.ts'
import { Http2Pool } from '../http2/client.ts'
import { compileRouter } from '../routing/router.ts'
import { Pool } from '../upstream/pool.ts'
import { roundRobin } from '../upstream/round-robin.ts'
import { type RequestPool, Service, UpstreamTarget } from '../upstream/service.ts'
import { gatewayHookNames, hookFault } from './check-hooks.ts'
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
    checkRequired(generation, plugins, routes, report)
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
      const returned = await setup?.call(definition, createHost(generation, name), plugin.options)
      const fault = hookFault(returned, gatewayHookNames)
      if (fault !== undefined) throw new TypeError(`setup ${fault}`)
      hooks = (returned ?? {}) as Hooks
    } catch (error) {
      problems.push(failure(`plugin "${name}" failed to set up`, error, ['plugins', plugin.position]))
      break
    }
    // Bound, since a plugin may have written its hooks as methods of a class.
    const { onConnection, onRoute } = hooks
    if (onConnection !== undefined) {
      generation.connectionHooks = [...generation.connectionHooks, { plugin: name, run: onConnection.bind(hooks) }]
    }
    plugins.push({ name, definition, options: plugin.options, onRoute: onRoute?.bind(hooks) as RoutePlugin['onRoute'] })
  }
  return plugins
}

/**
 * A plugin that the config requires must have returned hooks for every route that does not switch it off, or see every
 * connection. Asked of all routes, also of those that did not change: what is required may have.
 */
function checkRequired(
  { model, connectionHooks }: Generation,
  plugins: readonly RoutePlugin[],
  routes: readonly { readonly value: CompiledRoute }[],
  report: (problem: Omit<Problem, 'severity'>) => void,
): void {
  for (const { name, onRoute } of plugins) {
    const onConnections = onRoute === undefined && connectionHooks.some(({ plugin }) => plugin === name)
    if (!model.require.includes(name) || onConnections) continue
    for (const [index, { value }] of routes.entries()) {
      if (value.plugins.includes(name) || model.routes[index]?.options[name] === false) continue
      report(withoutRequired(name, value.name))
    }
  }
}

function failure(what: string, error: unknown, path: readonly (string | number)[]): Problem {
  return { severity: 'error', code: 'CONFIG_SETUP_FAILED', message: `${what}: ${reasonOf(error)}`, path }
}

async function buildService(generation: Generation, model: ServiceModel): Promise<Service> {
  const { name, discover } = model
  const toTarget = (spec: TargetSpec) => new UpstreamTarget(spec, sharedPool(generation, spec.url, model))
  const service = new Service(name, model.targets.map(toTarget), {
    balancer:
      model.balance.use === 'roundRobin' ? roundRobin() : await provideBalancer(generation, model.balance, name),
    connector: model.connector && (await provideConnector(generation, model.connector, name)),
    preserveHost: model.preserveHost,
  })
  if (discover === undefined) return service
  const { provided } = await provide(generation, 'discovery', discover, name)
  try {
    await provided.watch(specs => {
      // A source that was not stopped in time must not open anything for a generation that is gone.
      if (generation.released) return
      // A target that stays keeps its object, so that a balancer's state about it stays too.
      const known = new Map(service.targets.map(target => [`${target.url} ${target.weight}`, target]))
      service.targets = specs.map(spec => known.get(`${spec.url} ${spec.weight ?? 1}`) ?? toTarget(spec))
    })
  } catch (error) {
    throw new ConfigProblems([failure(`discovery "${discover.use}" failed to start`, error, ['services', name])])
  }
  return service
}

async function provideBalancer(generation: Generation, choice: Choice, service: string): Promise<Balancer> {
  const { provided, plugin } = await provide(generation, 'balancer', choice, service)
  return {
    pick(targets, ctx) {
      try {
        return provided.pick(targets, ctx)
      } catch (error) {
        throw pluginFailure(plugin, `the balancer "${choice.use}"`, error)
      }
    },
  }
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
function sharedPool(generation: Generation, origin: string, { protocol, pool, tls }: ServiceModel): RequestPool {
  // Alone, since what is shared outlives the generation and must not hold on to it.
  const { store } = generation
  const options = {
    ...(pool.connections === undefined ? {} : { maxConnections: pool.connections }),
    ...(pool.queue === undefined ? {} : { maxQueued: pool.queue }),
    ...(pool.idleTimeout === undefined ? {} : { idleTimeout: pool.idleTimeout }),
    ...(pool.maxAge === undefined ? {} : { maxLifetime: pool.maxAge }),
    tls,
  }
  const version = protocol === 'http2' ? ' http2' : ''
  return generation.lease.share<RequestPool>({
    name: `gateway.pool ${origin} ${JSON.stringify(pool)}${version}${tls === undefined ? '' : ` tls ${fingerprint(tls)}`}`,
    create: () => (protocol === 'http2' ? new Http2Pool(origin, options) : new Pool(origin, options)),
    // Not waited for here: a long download may still hold one of its connections.
    close: shared => store.closesLater(shared.close()),
  })
}

/** Names are shown, and these options may hold a private key. */
function fingerprint(tls: TlsModel): string {
  return createHash('sha256').update(JSON.stringify(tls)).digest('base64url')
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
    const create = found.create as (host: Host, options: unknown) => ReturnType<Extension['create']>
    try {
      const provided = (await create.call(found, createHost(generation, plugin), choice.options)) as Points[Point]
      return { provided, plugin }
    } catch (error) {
      throw new ConfigProblems([failure(`${point} "${choice.use}" failed to start`, error, ['services', service])])
    }
  }
  throw new TypeError(`no plugin provides the ${point} "${choice.use}"`)
}
