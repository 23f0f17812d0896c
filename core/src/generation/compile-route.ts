import type { RouteAction, RouteModel } from '../config/model.ts'
import { servicesOf } from '../config/normalise-routes.ts'
import type { Problem } from '../config/problem.ts'
import { bufferedStream } from '../config/route-faults.ts'
import { GatewayError } from '../contract/errors.ts'
import type { Route, RouteHooks, ServiceHooks, ServiceView } from '../contract/hooks.ts'
import { directionOf, type ErasedDefinition, meet } from '../contract/plugin.ts'
import { compileFieldRules } from '../exchange/field-rules.ts'
import { reasonOf } from '../exchange/plugin-failure.ts'
import type { CompiledAction, CompiledRoute, Step } from '../exchange/route.ts'
import type { Pattern } from '../routing/pattern.ts'
import { parseTemplate, type Template } from '../routing/template.ts'
import type { Service } from '../upstream/service.ts'
import { hookFault, routeHookNames } from './check-hooks.ts'
import type { RunningService } from './generation.ts'

/** A plugin that has been set up, as far as routes are concerned. */
export interface RoutePlugin {
  readonly name: string
  readonly definition: ErasedDefinition
  /** Validated. */
  readonly options: unknown
  readonly onService: ((service: ServiceView<unknown>) => ServiceHooks | void) | undefined
  readonly onRoute: ((route: Route<unknown>) => RouteHooks | void) | undefined
}

type Report = (problem: Omit<Problem, 'severity'>) => void

interface Link {
  readonly plugin: string
  readonly hooks: RouteHooks
}

/**
 * Asks each plugin about the route and lines their hooks up: requests in the plugins' order, responses in reverse.
 * `before` is what the generation before made of the same model; it stays where nothing in it is of that generation.
 */
export function compileRoute(
  model: RouteModel,
  plugins: readonly RoutePlugin[],
  services: ReadonlyMap<string, RunningService>,
  before: CompiledRoute | undefined,
  report: Report,
): CompiledRoute {
  const [name = '', ...otherNames] = servicesOf(model.action)
  const service = services.get(name)?.service
  const isOwn = otherNames.length === 0 && before?.plugins.length === 0 && serviceOf(before) === service
  if (isOwn && plugins.length === 0) return before
  const settings = { timeouts: { ...model.timeouts }, replay: { bytes: 0 } }
  const chain: Link[] = []
  const active: RoutePlugin[] = []
  for (const plugin of plugins) {
    const hooks = askPlugin(plugin, model, settings, report)
    if (hooks === undefined) continue
    chain.push({ plugin: plugin.name, hooks })
    active.push(plugin)
  }
  if (isOwn && active.length === 0) return before
  checkWriters(active, model.name, report)
  checkStreams(active, model, report)
  const path = ['routes', model.name]
  const others = otherNames.flatMap(other => services.get(other)?.service ?? [])
  if (Object.keys(model.hooks).length > 0) chain.push({ plugin: 'config', hooks: model.hooks })
  const forward = <H extends keyof RouteHooks>(hook: H) => steps(chain, hook)
  const backward = <H extends keyof RouteHooks>(hook: H) => steps(chain, hook).reverse()
  const action = compileAction(model.action, model.pattern, service)
  if (action === undefined) report({ code: 'CONFIG_UNKNOWN_SERVICE', message: 'its service is missing', path })
  const onTunnel = forward('onTunnel')
  const connected = onTunnel.length > 0 ? [service, ...others].find(other => other?.connector !== undefined) : undefined
  if (connected !== undefined) {
    const message = `plugin "${onTunnel[0]?.plugin}" takes WebSockets here, and service "${connected.name}" has a connector, which answers requests alone: use another service`
    report({ code: 'CONFIG_ROUTE_REFUSED', message, path })
  }
  const onAttemptEnd = backward('onAttemptEnd')
  const byService = others.length === 0 ? noServices : new Map<string, CompiledRoute>()
  const compiled: CompiledRoute = {
    name: model.name,
    plugins: active.length === 0 ? none : active.map(plugin => plugin.name),
    action: action ?? { kind: 'reply', reply: { status: 500 } },
    byService,
    neededSlots: neededSlots(active),
    timeouts: settings.timeouts,
    replayBytes: settings.replay.bytes,
    requestHeaders: compileFieldRules(model.requestHeaders),
    responseHeaders: compileFieldRules(model.responseHeaders),
    onRequest: forward('onRequest'),
    onPreflight: forward('onPreflight'),
    onRequestBody: forward('onRequestBody'),
    onAttempt: forward('onAttempt'),
    onAttemptEnd: joined(service?.observers ?? none, onAttemptEnd),
    onResponse: backward('onResponse'),
    onResponseBody: backward('onResponseBody'),
    onTunnel,
    onError: backward('onError'),
    onFinish: backward('onFinish'),
  }
  if (service === undefined || others.length === 0 || action?.kind !== 'service') return compiled
  byService.set(service.name, compiled)
  for (const other of others) {
    byService.set(other.name, {
      ...compiled,
      action: { ...action, service: other },
      onAttemptEnd: joined(other.observers, onAttemptEnd),
    })
  }
  return compiled
}

// One for all, since most routes go to one service or none, and few plugins need another's slot.
const noServices = new Map<string, CompiledRoute>()
const noSlots: ReadonlyMap<string, number> = new Map()

function askPlugin(
  plugin: RoutePlugin,
  model: RouteModel,
  settings: Pick<Route<unknown>, 'timeouts' | 'replay'>,
  report: Report,
): RouteHooks | undefined {
  const path = ['routes', model.name, plugin.name]
  const all = servicesOf(model.action)
  try {
    const hooks = plugin.onRoute?.({
      name: model.name,
      match: model.match,
      service: all[0],
      services: all,
      ...settings,
      options: model.options[plugin.name],
      problem: message =>
        void report({ code: 'CONFIG_ROUTE_REFUSED', message: `plugin "${plugin.name}": ${message}`, path }),
    })
    const fault = hookFault(hooks, routeHookNames)
    if (fault !== undefined)
      report({ code: 'CONFIG_PLUGIN_HOOKS', message: `plugin "${plugin.name}": onRoute ${fault}`, path })
    else if (hooks && routeHookNames.some(name => Reflect.get(hooks, name) !== undefined)) return hooks
  } catch (error) {
    const code = error instanceof GatewayError ? error.code : 'CONFIG_ROUTE_REFUSED'
    report({ code, message: `plugin "${plugin.name}" failed in onRoute: ${reasonOf(error)}`, path })
  }
  return undefined
}

/** A reader without its writer would find the slot empty, and an authorisation check that finds nothing must not pass. */
function checkWriters(active: readonly RoutePlugin[], route: string, report: Report): void {
  for (const [index, reader] of active.entries()) {
    for (const slot of reader.definition.needs ?? []) {
      const written = active
        .slice(0, index)
        .some(writer => writer.definition.writes?.some(other => other.name === slot.name))
      if (written) continue
      report({
        code: 'CONFIG_SLOT_NOT_WRITTEN',
        message: `plugin "${reader.name}" needs slot "${slot.name}", and no plugin that writes it is active on this route`,
        path: ['routes', route],
      })
    }
  }
}

/** To wait for the end of a body that has none would hold the route up for ever, and its memory with it. */
function checkStreams(active: readonly RoutePlugin[], { name, options }: RouteModel, report: Report): void {
  for (const buffering of active) {
    const buffers = directionOf(buffering.definition.buffersBody, options[buffering.name], buffering.options)
    const streaming = active.find(other =>
      meet(buffers, directionOf(other.definition.streams, options[other.name], other.options)),
    )
    if (streaming !== undefined) report(bufferedStream(buffering.name, streaming.name, name))
  }
}

function neededSlots(active: readonly RoutePlugin[]): ReadonlyMap<string, number> {
  if (!active.some(({ definition }) => definition.needs !== undefined)) return noSlots
  const needed = new Map<string, number>()
  for (const [position, { definition }] of active.entries()) {
    for (const slot of definition.needs ?? []) if (!needed.has(slot.name)) needed.set(slot.name, position)
  }
  return needed
}

/** One for all, since most lists of most routes are empty. */
const none: never[] = []
const joined = <T>(a: readonly T[], b: readonly T[]): readonly T[] => (a.length + b.length === 0 ? none : [...a, ...b])

function steps<H extends keyof RouteHooks>(chain: readonly Link[], hook: H): Step<NonNullable<RouteHooks[H]>>[] {
  if (!chain.some(({ hooks }) => hooks[hook] !== undefined)) return none
  return chain.flatMap(({ plugin, hooks }, position) => {
    const run = hooks[hook]
    // Bound, since a plugin may have written its hooks as methods of a class.
    return run === undefined ? [] : [{ plugin, position, run: run.bind(hooks) as NonNullable<RouteHooks[H]> }]
  })
}

function compileAction(
  action: RouteAction,
  pattern: Pattern,
  service: Service | undefined,
): CompiledAction | undefined {
  if (action.kind === 'reply') return action
  if (action.kind === 'redirect') return compileRedirect(action, pattern)
  return service && { kind: 'service', service, ...compilePaths(action, pattern) }
}

export function compileRedirect({ to, status }: ActionOf<'redirect'>, pattern: Pattern) {
  const origin = /^https?:\/\/[^/?#]+/i.exec(to)?.[0] ?? ''
  return { kind: 'redirect', origin, template: template(to.slice(origin.length) || '/', pattern), status } as const
}

export function compilePaths({ rewrite, stripPrefix = '' }: ActionOf<'service'>, pattern: Pattern) {
  return { rewrite: rewrite === undefined ? undefined : template(rewrite, pattern), stripPrefix: stripPrefix.length }
}

type ActionOf<Kind> = RouteAction & { readonly kind: Kind }

const serviceOf = ({ action }: CompiledRoute) => (action.kind === 'service' ? action.service : undefined)

/** Templates were checked when the config was normalised. */
function template(text: string, pattern: Pattern): Template {
  const parsed = parseTemplate(text, pattern)
  if ('error' in parsed) throw new TypeError(parsed.error)
  return parsed
}
