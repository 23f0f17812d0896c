import type { Choice, Model, RouteModel } from '../config/model.ts'
import { hookShape } from '../config/schema.ts'
import { redirectReply } from '../exchange/redirect.ts'
import type { CompiledRoute } from '../exchange/route.ts'
import { upstreamPath } from '../exchange/upstream-path.ts'
import { compilePaths, compileRedirect } from '../generation/compile-route.ts'
import { pathParams } from '../routing/pattern.ts'
import type { Target } from '../routing/target.ts'
import type { UpstreamTarget } from '../upstream/target.ts'
import type {
  ActionExplanation,
  Extension,
  HeaderChange,
  Origin,
  PluginExplanation,
  RouteExplanation,
  ServiceTargets,
} from './explanation.ts'
import { redact } from './redact.ts'

/** What `exchange/forwarded.ts` writes; a test compares. */
const forwardedNames = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Real-IP',
  'X-Request-ID',
  'Via',
] as const

const nowhere: Origin = { from: 'default' }
const at = (...path: (string | number)[]): Origin => ({ from: 'config', path })

/** What the route does with a request for `target`. `running` is undefined for a config that does not run. */
export function explainRoute(
  model: Model,
  route: RouteModel,
  target: Target,
  running: CompiledRoute | undefined,
): RouteExplanation {
  const { name, match, pattern } = route
  const serviceName = route.action.kind === 'service' ? route.action.service : undefined
  const service = model.services.find(other => other.name === serviceName)
  return {
    name,
    origin: route.found ? { from: 'discovery' } : at('routes', name),
    match,
    params: { ...pathParams(pattern, target.path) },
    action: explainAction(model, route, target, running),
    timeouts: {
      connect: timeout(route, 'connect'),
      head: timeout(route, 'head'),
      idle: timeout(route, 'idle'),
      total: timeout(route, 'total'),
    },
    plugins: model.plugins.map(
      ({ name: plugin, position, definition, options }): PluginExplanation => ({
        name: plugin,
        stage: definition.stage ?? 'shape',
        origin: at('plugins', position),
        options: shown(options),
        routeOptions: shown(route.options[plugin]),
        serviceOptions: shown(service?.options[plugin]),
        hooks: running === undefined ? null : hooksOf(running, plugin),
      }),
    ),
    hooks: Object.keys(route.hooks),
    requestHeaders: headerChanges(route, 'requestHeaders'),
    responseHeaders: headerChanges(route, 'responseHeaders'),
  }
}

const shown = (options: unknown) => redact(options) ?? null

const hookNames = Object.keys(hookShape) as (keyof typeof hookShape)[]

function hooksOf(running: CompiledRoute, plugin: string): string[] {
  return hookNames.filter(hook => running[hook].some(step => step.plugin === plugin))
}

function timeout({ name, timeouts, timeoutsFrom }: RouteModel, key: keyof RouteModel['timeouts']) {
  const origins = { route: at('routes', name, 'timeout', key), gateway: at('timeouts', key), default: nowhere }
  return { ms: timeouts[key], origin: origins[timeoutsFrom[key]] }
}

function explainAction(
  model: Model,
  route: RouteModel,
  target: Target,
  running: CompiledRoute | undefined,
): ActionExplanation {
  const { action, pattern } = route
  const located = { path: target.path, query: target.query, pattern }
  if (action.kind === 'reply') {
    const { status, headers = {} } = action.reply
    return { kind: 'reply', status, headers: redact({ ...headers }) as Record<string, unknown> }
  }
  if (action.kind === 'redirect') {
    const { status, headers } = redirectReply(located, compileRedirect(action, pattern))
    return { kind: 'redirect', status, location: String(headers?.location) }
  }
  const path = upstreamPath(located, compilePaths(action, pattern))
  const service = explainService(model, route, action.service, target, running)
  const others = (action.others ?? []).map(name =>
    explainService(model, route, name, target, running?.byService.get(name)),
  )
  return { kind: 'service', ...service, others, path, sets: forwardedNames }
}

function explainService(
  { services }: Model,
  { requestHeaders }: RouteModel,
  name: string,
  { authority }: Target,
  running: CompiledRoute | undefined,
): ServiceTargets {
  const service = services.find(other => other.name === name)
  const { targets: live, discovery } = running?.action.kind === 'service' ? running.action.service : {}
  const isHost = (field: string) => field.toLowerCase() === 'host'
  const setsHost = Object.keys(requestHeaders?.set ?? {}).some(isHost)
  const keepsHost = service?.preserveHost === true && authority !== '' && !requestHeaders?.remove?.some(isHost)
  return {
    service: name,
    origin: at('services', name),
    protocol: service?.protocol ?? 'http1',
    balance: extension(service?.balance) ?? { use: 'roundRobin', options: null },
    discover: extension(service?.discover),
    ...(discovery?.state === 'stale' && { stale: discovery.reason ?? '' }),
    connector: extension(service?.connector),
    targets: live?.map(shownTarget) ?? service?.targets.map(({ url, weight = 1 }) => ({ url, weight })) ?? [],
    host: setsHost ? 'requestHeaders' : keepsHost ? 'client' : 'target',
  }
}

function shownTarget({ url, weight, inFlight, state }: UpstreamTarget): ServiceTargets['targets'][number] {
  return { url, weight, inFlight, ...(!state.available && { held: state.reasons }) }
}

function extension(choice: Choice | undefined): Extension | null {
  return choice === undefined ? null : { use: choice.use, options: shown(choice.options) }
}

/** In the order in which they are applied. */
function headerChanges(route: RouteModel, which: 'requestHeaders' | 'responseHeaders'): HeaderChange[] {
  const { remove = [], set = {}, append = {} } = route[which] ?? {}
  const origin = (...path: (string | number)[]) => at('routes', route.name, which, ...path)
  const values = (change: 'set' | 'append', table: Readonly<Record<string, string>>) =>
    Object.entries(table).map(([name, text]): HeaderChange => {
      const { value } = redact({ name, value: text }) as { value: unknown }
      return { change, name, value, origin: origin(change, name) }
    })
  return [
    ...remove.map((name, index): HeaderChange => ({ change: 'remove', name, origin: origin('remove', index) })),
    ...values('set', set),
    ...values('append', append),
  ]
}
