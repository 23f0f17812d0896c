import * as z from 'zod'
import type { Reply } from '../contract/context.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { Extension, Points } from '../contract/host.ts'
import { type Plugin, reservedNames } from '../contract/plugin.ts'
import { findConflicts } from '../routing/conflicts.ts'
import { parseHostPattern } from '../routing/host.ts'
import { type Pattern, parsePattern } from '../routing/pattern.ts'
import { parseTemplate } from '../routing/template.ts'
import type { HeaderRules, Predicate } from './config.ts'
import { type ConfigPath, type Report, unknownKey, validate } from './issues.ts'
import type {
  Choice,
  FieldPredicate,
  ListenerModel,
  Model,
  PluginModel,
  RouteAction,
  RouteModel,
  RouteTimeouts,
  ServiceModel,
} from './model.ts'
import { orderPlugins } from './plugin-order.ts'
import { type Problem, suggest } from './problem.ts'
import { hookShape, listener, routeShape, serviceShape, settingsShape } from './schema.ts'

export interface Normalised {
  /** Undefined when a problem is an error. */
  readonly model: Model | undefined
  readonly problems: readonly Problem[]
}

/** Turns what a config file exports into the model, or into every problem there is in it. Never throws, starts nothing. */
export function normalise(config: unknown): Normalised {
  const problems: Problem[] = []
  const report: Report = problem => problems.push({ severity: 'error', ...problem })
  if (!isRecord(config)) {
    report({
      code: 'CONFIG_NOT_AN_OBJECT',
      message: 'the config must be an object: export default defineConfig({ … })',
      path: [],
    })
    return { model: undefined, problems }
  }
  const { plugins: pluginList, services: serviceTable, routes: routeTables, ...rest } = config
  for (const key of Object.keys(rest)) {
    if (!Object.hasOwn(settingsShape, key))
      report(unknownKey(key, [], [...Object.keys(settingsShape), 'plugins', 'services', 'routes']))
  }
  const settings = parse(z.object(settingsShape), rest, [], report)
  const listeners = readListeners(rest['listen'], report)
  const plugins = readPlugins(pluginList, report)
  const services = readServices(serviceTable, plugins, report)
  const routes = readRoutes(routeTables, plugins, services, settings?.timeouts, report)
  checkRoutes(routes, services, report)
  const failed = problems.some(problem => problem.severity === 'error')
  if (failed || settings === undefined) return { model: undefined, problems }
  const { timeoutStatus, drainTimeout, log } = settings
  return { model: { listeners, plugins, services, routes, timeoutStatus, drainTimeoutMs: drainTimeout, log }, problems }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: ConfigPath,
  report: Report,
): z.output<S> | undefined {
  return validate(schema, value, path, report)?.value as z.output<S> | undefined
}

function readListeners(value: unknown, report: Report): ListenerModel[] {
  const list = Array.isArray(value) ? value : [value ?? { port: 8080 }]
  const seen = new Map<string, number>()
  return list.flatMap((item, index) => {
    const path = Array.isArray(value) ? ['listen', index] : ['listen']
    const read = parse(listener, item, path, report)
    if (read === undefined) return []
    const address = `${read.host ?? '*'}:${read.port}`
    if (read.port !== 0 && seen.has(address)) {
      report({ code: 'CONFIG_DUPLICATE_LISTENER', message: `${address} is listened on twice`, path })
    }
    seen.set(address, index)
    return [{ ...read, host: read.host }]
  })
}

function readPlugins(value: unknown, report: Report): PluginModel[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) {
    report({ code: 'CONFIG_INVALID_VALUE', message: 'must be an array of plugins', path: ['plugins'] })
    return []
  }
  const read: PluginModel[] = []
  value.forEach((item: unknown, position) => {
    const path = ['plugins', position]
    if (!isPlugin(item)) {
      const called =
        typeof item === 'function'
          ? 'is a plugin that was not called: write it with parentheses'
          : 'is not a plugin: use definePlugin'
      report({ code: 'CONFIG_NOT_A_PLUGIN', message: called, path })
      return
    }
    const { name, definition } = item
    if ((reservedNames as readonly string[]).includes(name) || Object.hasOwn(hookShape, name)) {
      report({
        code: 'CONFIG_RESERVED_NAME',
        message: `"${name}" is a field of a route or service and cannot name a plugin`,
        path,
      })
    }
    if (read.some(other => other.name === name)) {
      report({ code: 'CONFIG_DUPLICATE_PLUGIN', message: `plugin "${name}" is listed twice`, path })
    }
    const options =
      definition.options === undefined ? undefined : validate(definition.options, item.options ?? {}, path, report)
    if (definition.options === undefined && item.options !== undefined) {
      report({ code: 'CONFIG_INVALID_VALUE', message: `plugin "${name}" takes no options`, path })
    }
    read.push({ name, position, definition, options: options?.value })
  })
  return orderPlugins(read, report)
}

function isPlugin(value: unknown): value is Plugin {
  return isRecord(value) && typeof value['name'] === 'string' && isRecord(value['definition'])
}

function readServices(value: unknown, plugins: readonly PluginModel[], report: Report): ServiceModel[] {
  return entries(value, 'services', report).flatMap(([name, item]) => {
    const path = ['services', name]
    const shape = { ...serviceShape, ...optionKeys(plugins, 'serviceOptions') }
    const read = parse(z.strictObject(shape), item, path, report)
    if (read === undefined || !isRecord(item)) return []
    if ((read.targets === undefined || read.targets.length === 0) === (read.discover === undefined)) {
      const message = read.discover === undefined ? 'has no targets' : 'has both targets and discover: choose one'
      report({ code: 'CONFIG_SERVICE_TARGETS', message, path: [...path, 'targets'] })
    }
    const choose = (point: keyof Points, key: string, chosen: typeof read.balance) =>
      chosen === undefined ? undefined : readChoice(chosen, point, [...path, key], plugins, report)
    return [
      {
        name,
        targets: (read.targets ?? []).map(target =>
          typeof target === 'string' ? { url: target, weight: 1 } : { url: target.url, weight: target.weight ?? 1 },
        ),
        discover: choose('discovery', 'discover', read.discover),
        balance: choose('balancer', 'balance', read.balance) ?? { use: 'roundRobin', options: undefined },
        connector: choose('connector', 'connector', read.connector),
        preserveHost: read.preserveHost ?? false,
        pool: read.pool ?? {},
        tls: read.tls,
        options: readOptions(item, plugins, 'serviceOptions', path, report),
      },
    ]
  })
}

function readChoice(
  chosen: string | { use: string },
  point: keyof Points,
  path: ConfigPath,
  plugins: readonly PluginModel[],
  report: Report,
): Choice | undefined {
  const { use, ...given } = typeof chosen === 'string' ? { use: chosen } : chosen
  if (point === 'balancer' && use === 'roundRobin') return { use, options: undefined }
  const extensions = plugins
    .flatMap(plugin => plugin.definition.extensions ?? [])
    .filter(extension => extension.point === point)
  const found: Extension | undefined = extensions.find(extension => extension.name === use)
  if (found === undefined) {
    const known = [...(point === 'balancer' ? ['roundRobin'] : []), ...extensions.map(extension => extension.name)]
    report({
      code: `CONFIG_UNKNOWN_${point.toUpperCase()}`,
      message: `no plugin provides the ${point} "${use}"`,
      path,
      ...didYouMean(use, known),
    })
    return undefined
  }
  if (found.options === undefined) return { use, options: undefined }
  const options = validate(found.options, given, path, report)
  return options === undefined ? undefined : { use, options: options.value }
}

function didYouMean(word: string, known: readonly string[]): { hint?: string } {
  const near = suggest(word, known)
  if (near !== undefined) return { hint: `did you mean "${near}"?` }
  return known.length > 0 && known.length <= 20 ? { hint: `known: ${known.join(', ')}` } : {}
}

function entries(value: unknown, key: string, report: Report): [string, unknown][] {
  if (value === undefined) return []
  if (isRecord(value)) return Object.entries(value)
  report({ code: 'CONFIG_INVALID_VALUE', message: 'must be an object', path: [key] })
  return []
}

/** Lets plugins' keys through the kernel's schema; each is then checked by its plugin's own. */
function optionKeys(plugins: readonly PluginModel[], which: 'routeOptions' | 'serviceOptions') {
  return Object.fromEntries(
    plugins.filter(plugin => plugin.definition[which] !== undefined).map(plugin => [plugin.name, z.unknown().optional()]),
  )
}

function readOptions(
  item: Record<string, unknown>,
  plugins: readonly PluginModel[],
  which: 'routeOptions' | 'serviceOptions',
  path: ConfigPath,
  report: Report,
): Record<string, unknown> {
  const options: Record<string, unknown> = Object.create(null)
  for (const { name, definition } of plugins) {
    const schema = definition[which]
    if (schema === undefined || !Object.hasOwn(item, name) || item[name] === undefined) continue
    const read = validate(schema, item[name], [...path, name], report)
    if (read !== undefined) options[name] = read.value
  }
  return options
}

function readRoutes(
  value: unknown,
  plugins: readonly PluginModel[],
  services: readonly ServiceModel[],
  defaults: GivenTimeouts | undefined,
  report: Report,
): RouteModel[] {
  if (value === undefined) {
    report({ code: 'CONFIG_NO_ROUTES', message: 'the config has no routes', path: ['routes'] })
    return []
  }
  // A split config carries a list of tables, one for each gateway.routes({ … }).
  const tables = Array.isArray(value) ? value : [value]
  const schema = z.strictObject({ ...routeShape, ...hookShape, ...optionKeys(plugins, 'routeOptions') })
  const names = new Set<string>()
  const routes: RouteModel[] = []
  for (const table of tables) {
    for (const [name, item] of entries(table, 'routes', report)) {
      const path = ['routes', name]
      if (names.has(name))
        report({ code: 'CONFIG_DUPLICATE_ROUTE', message: `two tables have a route "${name}"`, path })
      names.add(name)
      const read = parse(schema, item, path, report)
      if (read === undefined || !isRecord(item)) continue
      const matched = readMatch(read.match, [...path, 'match'], report)
      const action = readAction(read, matched?.pattern, services, path, report)
      const options = readOptions(item, plugins, 'routeOptions', path, report)
      if (matched === undefined || action === undefined) continue
      routes.push({
        name,
        match: read.match,
        methods: matched.methods,
        pattern: matched.pattern,
        hosts: readHosts(read.host, [...path, 'host'], report),
        headers: readPredicates(read.headers),
        query: readPredicates(read.query),
        action,
        timeouts: readTimeouts(read.timeout, defaults),
        requestHeaders: read.requestHeaders as HeaderRules | undefined,
        responseHeaders: read.responseHeaders as HeaderRules | undefined,
        options,
        hooks: Object.fromEntries(
          Object.keys(hookShape).flatMap(hook => (item[hook] === undefined ? [] : [[hook, item[hook]]])),
        ) as RouteHooks,
      })
    }
  }
  return routes
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'ANY']

function readMatch(
  match: string,
  path: ConfigPath,
  report: Report,
): { methods: string[]; pattern: Pattern } | undefined {
  const [, method, text] = /^(\S+) +(\S.*)$/.exec(match) ?? []
  if (method === undefined || text === undefined) {
    report({
      code: 'CONFIG_INVALID_MATCH',
      message: `must be method and path, such as 'GET /users/:id', not "${match}"`,
      path,
    })
    return undefined
  }
  if (!methods.includes(method)) {
    report({
      code: 'CONFIG_UNKNOWN_METHOD',
      message: `unknown method "${method}"`,
      path,
      ...didYouMean(method.toUpperCase(), methods),
    })
    return undefined
  }
  const pattern = parsePattern(text)
  if ('error' in pattern) {
    report({ code: 'CONFIG_INVALID_PATH', message: pattern.error, path })
    return undefined
  }
  return { methods: method === 'ANY' ? [] : [method], pattern }
}

interface ActionSource {
  readonly service?: string | undefined
  readonly redirect?: string | { to: string; status?: 301 | 302 | 303 | 307 | 308 | undefined } | undefined
  readonly reply?: unknown
  readonly rewrite?: string | undefined
  readonly stripPrefix?: string | undefined
}

function readAction(
  read: ActionSource,
  pattern: Pattern | undefined,
  services: readonly ServiceModel[],
  path: ConfigPath,
  report: Report,
): RouteAction | undefined {
  const kinds = (['service', 'redirect', 'reply'] as const).filter(kind => read[kind] !== undefined)
  if (kinds.length !== 1) {
    const message =
      kinds.length === 0
        ? 'goes nowhere: give it a service, a redirect or a reply'
        : `has ${kinds.join(' and ')}: choose one`
    report({ code: 'CONFIG_ROUTE_ACTION', message, path })
    return undefined
  }
  const template = (text: string, key: string) =>
    pattern !== undefined && checkTemplate(text, pattern, [...path, key], report)
  if (read.service !== undefined) {
    if (!services.some(service => service.name === read.service)) {
      const known = services.map(service => service.name)
      report({
        code: 'CONFIG_UNKNOWN_SERVICE',
        message: `there is no service "${read.service}"`,
        path: [...path, 'service'],
        ...didYouMean(read.service, known),
      })
    }
    if (read.rewrite !== undefined && read.stripPrefix !== undefined) {
      report({
        code: 'CONFIG_ROUTE_ACTION',
        message: 'has rewrite and stripPrefix: choose one',
        path: [...path, 'stripPrefix'],
      })
    }
    if (read.rewrite !== undefined) template(read.rewrite, 'rewrite')
    if (read.stripPrefix !== undefined && pattern !== undefined)
      checkPrefix(read.stripPrefix, pattern, [...path, 'stripPrefix'], report)
    return {
      kind: 'service',
      service: read.service,
      rewrite: read.rewrite,
      stripPrefix: read.stripPrefix?.replace(/\/+$/, ''),
    }
  }
  if (read.rewrite !== undefined || read.stripPrefix !== undefined) {
    report({
      code: 'CONFIG_ROUTE_ACTION',
      message: 'rewrites a path, but goes to no service',
      path: [...path, read.rewrite === undefined ? 'stripPrefix' : 'rewrite'],
    })
  }
  if (read.redirect !== undefined) {
    const { to, status = 308 } = typeof read.redirect === 'string' ? { to: read.redirect } : read.redirect
    const at = typeof read.redirect === 'string' ? [...path, 'redirect'] : [...path, 'redirect', 'to']
    const absolute = /^(https?:\/\/[^/?#\s]+)(.*)$/i.exec(to)
    const tail = absolute === null ? to : (absolute[2] ?? '') || '/'
    if (absolute === null && (!to.startsWith('/') || to.startsWith('//'))) {
      report({ code: 'CONFIG_INVALID_REDIRECT', message: `must be a path or an http(s) URL, not "${to}"`, path: at })
    } else if (pattern !== undefined) checkTemplate(tail, pattern, at, report)
    return { kind: 'redirect', to, status }
  }
  return { kind: 'reply', reply: read.reply as Reply }
}

function checkTemplate(text: string, pattern: Pattern, path: ConfigPath, report: Report): void {
  const template = parseTemplate(text, pattern)
  if (!('error' in template)) return
  const hint = template.unknown === undefined ? {} : didYouMean(template.unknown, pattern.params)
  report({ code: 'CONFIG_INVALID_TEMPLATE', message: template.error, path, ...hint })
}

/** A prefix can be taken off only when every path that the pattern matches begins with it, in whole segments. */
function checkPrefix(prefix: string, pattern: Pattern, path: ConfigPath, report: Report): void {
  const bare = prefix.replace(/\/+$/, '')
  if (pattern.text === bare || pattern.text.startsWith(`${bare}/`)) return
  report({ code: 'CONFIG_INVALID_PREFIX', message: `"${prefix}" is not the beginning of "${pattern.text}"`, path })
}

function readHosts(host: string | string[] | undefined, path: ConfigPath, report: Report): string[] {
  const hosts = host === undefined ? [] : Array.isArray(host) ? host : [host]
  return hosts.flatMap((text, index) => {
    const parsed = parseHostPattern(text)
    if (typeof parsed === 'string') return [text]
    report({ code: 'CONFIG_INVALID_HOST', message: parsed.error, path: Array.isArray(host) ? [...path, index] : path })
    return []
  })
}

function readPredicates(table: Readonly<Record<string, Predicate>> | undefined): FieldPredicate[] {
  return Object.entries(table ?? {}).map(([name, is]) => {
    if (is instanceof RegExp) return { name, pattern: is }
    if (typeof is === 'string') return { name, value: is }
    return is ? { name } : { name, not: true }
  })
}

type GivenTimeouts = { readonly [K in keyof RouteTimeouts]?: number | undefined }

function readTimeouts(
  timeout: number | GivenTimeouts | undefined,
  defaults: GivenTimeouts | undefined,
): RouteTimeouts {
  const own = typeof timeout === 'number' ? { total: timeout } : timeout
  const pick = (key: keyof RouteTimeouts, fallback: number) => own?.[key] ?? defaults?.[key] ?? fallback
  return {
    connect: pick('connect', 5_000),
    head: pick('head', 30_000),
    idle: pick('idle', 60_000),
    total: pick('total', 0),
  }
}

function checkRoutes(routes: readonly RouteModel[], services: readonly ServiceModel[], report: Report): void {
  for (const { kind, route, message } of findConflicts(
    routes.map(({ pattern, ...rest }) => ({ ...rest, patterns: [pattern] })),
  )) {
    report({
      severity: kind === 'duplicate' ? 'error' : 'warning',
      code: `CONFIG_ROUTE_${kind.toUpperCase()}`,
      message,
      path: ['routes', route, 'match'],
    })
  }
  const used = new Set(routes.map(route => (route.action.kind === 'service' ? route.action.service : undefined)))
  for (const { name } of services) {
    if (!used.has(name))
      report({
        severity: 'warning',
        code: 'CONFIG_UNUSED_SERVICE',
        message: 'no route uses this service',
        path: ['services', name],
      })
  }
}
