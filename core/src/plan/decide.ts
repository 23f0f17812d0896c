import type { ListenerModel, RouteModel } from '../config/model.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Entry, Json, SerialisedModel } from '../control/serialise-model.ts'
import { redirectReply } from '../exchange/redirect.ts'
import { unrouted, unserved } from '../exchange/refusals.ts'
import { type Located, upstreamPath } from '../exchange/upstream-path.ts'
import { compilePaths, compileRedirect } from '../generation/compile-route.ts'
import { defaultPathOptions } from '../routing/canonical-path.ts'
import { listenerOfUrl } from '../routing/listener-of-url.ts'
import { compileRouter, type RouteSpec } from '../routing/router.ts'
import { parseTarget } from '../routing/target.ts'
import type { RecordedRequest } from './recorded-requests.ts'

/** What requests are decided by. */
export interface Deciding {
  readonly listeners: readonly Pick<ListenerModel, 'name' | 'port' | 'paths'>[]
  readonly routes: readonly Pick<
    RouteModel,
    'name' | 'methods' | 'listeners' | 'hosts' | 'pattern' | 'headers' | 'query' | 'action'
  >[]
}

/** What becomes of all requests of one kind, as far as a config says; part of `gateway plan --json`. */
export interface Decision {
  /** Null: none takes it. */
  readonly route: string | null
  /** Of a refusal, redirect or reply; null when it is the upstream's to choose. */
  readonly status: number | null
  /** Of a refusal. */
  readonly code: string | null
  readonly service: string | null
  readonly targets: Json
  /** Likewise, by name, of services that plugins may choose in its place, or send copies to. */
  readonly others: Json
  /** That may take part, by name, with their options. */
  readonly plugins: readonly PluginPart[]
}

export interface PluginPart {
  readonly name: string
  readonly options: Json
  readonly routeOptions: Json
  readonly serviceOptions: Json
}

export interface Decided {
  /** The same object for the same outcome. */
  readonly decision: Decision
  /** Path and query that go upstream, or where a redirect leads; empty for all else. */
  readonly to: string
}

export type Decide = (request: RecordedRequest) => Decided

/** Decides as exchange/dispatch.ts does, up to the first hook. `serialised` says what the routes lead to. */
export function createDecide(serialised: SerialisedModel, { listeners, routes }: Deciding): Decide {
  const nothing = { route: null, service: null, targets: null, others: null, plugins: [] }
  const refusals = new Map<string, Decided>()
  const refuse = ({ status, code }: { readonly status: number; readonly code: string | null }): Decided => {
    const key = code ?? String(status)
    const decided = refusals.get(key) ?? { decision: { ...nothing, status, code }, to: '' }
    refusals.set(key, decided)
    return decided
  }
  const specs = routes.map((route): RouteSpec<(located: Located) => Decided> => {
    const decision = decisionOf(serialised, route)
    const to = destination(route)
    return { ...route, value: located => ({ decision, to: to(located) }) }
  })
  const router = compileRouter(specs)

  return ({ method, url, host: named, fields }) => {
    const { paths = defaultPathOptions, name: listener } = listenerOfUrl(listeners, url) ?? {}
    const target = parseTarget(method, url, fields.get('host') ?? named, paths)
    if (target instanceof GatewayError) return refuse(target)
    const refusal = unserved(method)
    if (refusal !== undefined) return refuse(refusal)
    const { host, path, query } = target
    if (path === '*') return refuse({ status: 204, code: null })
    const match = router.match(method, host, path, query, fields, listener)
    if (!match.found) return refuse(unrouted(method, path, match))
    return match.value({ path, query, pattern: match.pattern })
  }
}

type DecidingRoute = Deciding['routes'][number]

function destination({ action, pattern }: DecidingRoute): (located: Located) => string {
  if (action.kind === 'reply') return () => ''
  if (action.kind === 'redirect') {
    const redirect = compileRedirect(action, pattern)
    return located => String(redirectReply(located, redirect).headers?.location)
  }
  const paths = compilePaths(action, pattern)
  return located => upstreamPath(located, paths)
}

function decisionOf({ services, plugins, pluginOrder, routes }: SerialisedModel, route: DecidingRoute): Decision {
  const { name, action } = route
  const serviceName = action.kind === 'service' ? action.service : null
  const service = serviceName === null ? undefined : services[serviceName]
  const status = action.kind === 'service' ? null : action.kind === 'reply' ? action.reply.status : action.status
  const others = action.kind === 'service' ? action.others : undefined
  const ownOptions = (entry: Entry | undefined, plugin: string): Json => itemOf(entry?.options, plugin)
  return {
    route: name,
    status: status ?? null,
    code: null,
    service: serviceName,
    targets: targetsOf(service),
    others: others === undefined ? null : Object.fromEntries(others.map(other => [other, targetsOf(services[other])])),
    plugins: pluginOrder.flatMap((plugin): PluginPart[] => {
      const routeOptions = ownOptions(routes[name], plugin)
      const serviceOptions = ownOptions(service, plugin)
      const says = routeOptions !== null || serviceOptions !== null
      if (routeOptions === false || (!says && plugins[plugin]?.alwaysOn !== true)) return []
      return [{ name: plugin, options: plugins[plugin]?.options ?? null, routeOptions, serviceOptions }]
    }),
  }
}

function targetsOf(service: Entry | undefined): Json {
  if (service === undefined) return null
  return { targets: null, ...pick(service, ['targets', 'discover', 'balance', 'connector', 'protocol']) }
}

function itemOf(table: Json | undefined, key: string): Json {
  if (typeof table !== 'object' || table === null || !Object.hasOwn(table, key)) return null
  return Reflect.get(table, key) as Json
}

function pick(entry: Entry, keys: readonly string[]): Entry {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => keys.includes(key)))
}
