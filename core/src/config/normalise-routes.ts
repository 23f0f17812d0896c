import * as z from 'zod'
import type { Reply } from '../contract/context.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { RouteSpec } from '../contract/host.ts'
import { parseHostPattern } from '../routing/host.ts'
import { type Pattern, parsePattern } from '../routing/pattern.ts'
import { methods } from '../routing/router.ts'
import { parseTemplate } from '../routing/template.ts'
import { each, type Sliced } from '../slices.ts'
import type { HeaderRules, Predicate } from './config.ts'
import { equal, snapshot } from './equal.ts'
import { type ConfigPath, didYouMean, isRecord, parse, type Report } from './issues.ts'
import type { FieldPredicate, GivenTimeouts, Model, RouteAction, RouteModel, RouteTimeouts } from './model.ts'
import type { PluginList } from './normalise-plugins.ts'
import { type Reach, reachOf, readListenerNames } from './normalise-reach.ts'
import { readOptions, readTable, withOptionsOf } from './normalise-services.ts'
import { hookShape, routeShape } from './schema.ts'

/** A route as it was written, and what was made of it. */
interface KnownRoute {
  readonly raw: Readonly<Record<string, unknown>>
  readonly model: RouteModel
}

/** What a config's routes were made of, so that those which say the same again need not be read again. */
export interface KnownRoutes {
  readonly routes: ReadonlyMap<string, KnownRoute>
  /** Of the plugins' options on routes. */
  readonly schemas: ReadonlyMap<string, unknown>
  readonly defaults: GivenTimeouts | undefined
  readonly reach: Reach | undefined
}

/** What routes are read with. */
export interface RouteReading {
  readonly plugins: PluginList
  /** Undefined when the services could not be read at all. */
  readonly services: ReadonlySet<string> | undefined
  /** Undefined when the listeners could not be read. */
  readonly reach: Reach | undefined
  readonly defaults: GivenTimeouts | undefined
  readonly before: KnownRoutes | undefined
  readonly report: Report
}

/** Returns the routes, and what the next config is to be compared with. */
export function* readRoutes(value: unknown, reading: RouteReading): Sliced<[RouteModel[], KnownRoutes]> {
  const { plugins, reach, defaults, before, report } = reading
  const routes: RouteModel[] = []
  const read = new Map<string, KnownRoute>()
  const schemas = new Map(plugins.list.map(({ name, definition }) => [name, definition.routeOptions]))
  const known = { routes: read, schemas, defaults, reach }
  if (value === undefined) {
    report({ code: 'CONFIG_NO_ROUTES', message: 'the config has no routes', path: ['routes'] })
    return [routes, known]
  }
  // A split config carries a list of tables, one for each gateway.routes({ … }).
  const tables = Array.isArray(value) ? value : [value]
  const schema = withOptionsOf(plugins, 'routeOptions', { ...routeShape, ...hookShape })
  const names = new Set<string>()
  const reread = rereader(schemas, reading)
  for (const table of tables) {
    const items = readTable(table, 'routes', report)
    yield* each(Object.keys(items), name => {
      if (names.has(name)) {
        const message = `two tables have a route "${name}": rename one`
        report({ code: 'CONFIG_DUPLICATE_ROUTE', message, path: ['routes', name] })
      }
      if (tables.length > 1) names.add(name)
      const old = before?.routes.get(name)
      const route = (old && reread(old, items[name])) ?? readNew(name, items[name])
      if (route === undefined) return
      routes.push(route.model)
      read.set(name, route)
    })
  }
  return [routes, known]

  function readNew(name: string, item: unknown): KnownRoute | undefined {
    const raw = snapshot(item)
    const model = readRoute(name, raw, schema, reading)
    return model && isRecord(raw) ? { raw, model } : undefined
  }
}

/** Makes the function that tells what became of a known route without reading it; undefined when it has to be read. */
function rereader(
  schemas: KnownRoutes['schemas'],
  { plugins, services, reach, defaults, before, report }: RouteReading,
): (old: KnownRoute, item: unknown) => KnownRoute | undefined {
  if (before === undefined || !equal([defaults, reach], [before.defaults, before.reach])) return () => undefined
  const changed = [...new Set([...schemas.keys(), ...before.schemas.keys()])].filter(
    name => schemas.get(name) !== before.schemas.get(name),
  )
  const isThere = (service: string) => services?.has(service) === true
  return (old, item) => {
    const { raw, model } = old
    const { action, name } = model
    const goesSomewhere =
      action.kind !== 'service' || (isThere(action.service) && action.others?.every(isThere) !== false)
    if (!goesSomewhere || !equal(item, raw)) return undefined
    const other = changed.length === 0 ? changed : changed.filter(plugin => Object.hasOwn(raw, plugin))
    if (other.length === 0) return old
    if (other.some(plugin => schemas.get(plugin) === undefined)) return undefined
    // A plugin that was loaded anew: only what it makes of its options may differ.
    const path = ['routes', name]
    const options = readOptions(raw, plugins, 'routeOptions', path, report)
    const leads = withOthers(action, readNamedServices(options, plugins, services, path, report))
    return equal([options, leads], [model.options, action]) ? old : { raw, model: { ...model, options, action: leads } }
  }
}

/** A route that a provider found. Undefined when it is none; where anything was reported it is not to be used. */
export function readFoundRoute(
  name: string,
  service: string,
  { match, host, rewrite, stripPrefix }: RouteSpec,
  { timeouts: defaults, listeners }: Pick<Model, 'timeouts' | 'listeners'>,
  report: Report,
): RouteModel | undefined {
  const plugins = { list: [], complete: true }
  const given = { match, host, rewrite, stripPrefix, service }
  const reading = { plugins, services: undefined, reach: reachOf(listeners), defaults, before: undefined, report }
  const route = readRoute(name, given, foundRoute, reading)
  return route && { ...route, found: true }
}

function readRoute(name: string, item: unknown, schema: RouteSchema, reading: RouteReading): RouteModel | undefined {
  const { plugins, services, reach, defaults, report } = reading
  const path = ['routes', name]
  const read = parse(schema, item, path, report)
  if (read === undefined || !isRecord(item)) return undefined
  const matched = readMatch(read.match, [...path, 'match'], report)
  const action = readAction(read, matched?.pattern, services, path, report)
  const options = readOptions(item, plugins, 'routeOptions', path, report)
  const listeners = readListenerNames(read.listener, reach, [...path, 'listener'], report)
  const others = readNamedServices(options, plugins, services, path, report)
  const hosts = readHosts(read.host, [...path, 'host'], report)
  if (matched === undefined || action === undefined) return undefined
  if (read.methods !== undefined && matched.methods.length > 0) {
    const message = `names a method, as "match" does: write "ANY ${matched.pattern.text}" there`
    report({ code: 'CONFIG_INVALID_MATCH', message, path: [...path, 'methods'] })
  }
  return {
    name,
    match: read.methods === undefined ? read.match : `${read.methods.join()} ${matched.pattern.text}`,
    methods: read.methods ?? matched.methods,
    pattern: matched.pattern,
    listeners,
    hosts,
    headers: readPredicates(read.headers),
    query: readPredicates(read.query),
    action: withOthers(action, others),
    ...readTimeouts(read.timeout, defaults),
    requestHeaders: read.requestHeaders as HeaderRules | undefined,
    responseHeaders: read.responseHeaders as HeaderRules | undefined,
    options,
    hooks: readHooks(item),
  }
}

function readHooks(item: Readonly<Record<string, unknown>>): RouteHooks {
  const given = hookNames.filter(name => item[name] !== undefined)
  return given.length === 0 ? noHooks : (Object.fromEntries(given.map(name => [name, item[name]])) as RouteHooks)
}

const hookNames = Object.keys(hookShape)
// One for all, since most routes have none; so with the lists below.
const noHooks: RouteHooks = {}
const none: never[] = []

const foundRoute = z.strictObject({ ...routeShape, ...hookShape })
type RouteSchema = z.ZodObject<typeof routeShape & typeof hookShape>

const methodWords = [...methods, 'ANY']

function readMatch(
  match: string,
  path: ConfigPath,
  report: Report,
): { methods: string[]; pattern: Pattern } | undefined {
  const [, method, text] = /^(\S+) +(\S.*)$/.exec(match) ?? []
  if (method === undefined || text === undefined) {
    const message = `must be method and path, such as 'GET /users/:id', not "${match}"`
    report({ code: 'CONFIG_INVALID_MATCH', message, path })
    return undefined
  }
  if (!methodWords.includes(method)) {
    const hint = didYouMean(method, methodWords)
    report({ code: 'CONFIG_UNKNOWN_METHOD', message: `unknown method "${method}"`, path, ...hint })
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
  services: ReadonlySet<string> | undefined,
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
  const { service, rewrite, stripPrefix } = read
  if (service !== undefined) {
    checkService(service, services, [...path, 'service'], report)
    if (rewrite !== undefined && stripPrefix !== undefined) {
      const message = 'has rewrite and stripPrefix: choose one'
      report({ code: 'CONFIG_ROUTE_ACTION', message, path: [...path, 'stripPrefix'] })
    }
    if (pattern !== undefined && rewrite !== undefined) checkTemplate(rewrite, pattern, [...path, 'rewrite'], report)
    if (pattern !== undefined && stripPrefix !== undefined) {
      checkPrefix(stripPrefix, pattern, [...path, 'stripPrefix'], report)
    }
    return { kind: 'service', service, rewrite, stripPrefix: stripPrefix?.replace(/\/+$/, '') }
  }
  if (rewrite !== undefined || stripPrefix !== undefined) {
    const at = [...path, rewrite === undefined ? 'stripPrefix' : 'rewrite']
    report({ code: 'CONFIG_ROUTE_ACTION', message: 'rewrites a path, but goes to no service', path: at })
  }
  if (read.redirect !== undefined) return readRedirect(read.redirect, pattern, [...path, 'redirect'], report)
  return { kind: 'reply', reply: read.reply as Reply }
}

function checkService(name: string, known: ReadonlySet<string> | undefined, path: ConfigPath, report: Report): void {
  if (known?.has(name) !== false) return
  const message = `there is no service "${name}"`
  report({ code: 'CONFIG_UNKNOWN_SERVICE', message, path, ...didYouMean(name, [...known]) })
}

/** Services that plugins' options on the route name. */
function readNamedServices(
  options: Readonly<Record<string, unknown>>,
  plugins: PluginList,
  known: ReadonlySet<string> | undefined,
  path: ConfigPath,
  report: Report,
): string[] {
  const found = plugins.list.flatMap(({ name: plugin, definition }) => {
    if (definition.services === undefined || options[plugin] === undefined) return []
    // They have been through the schema that it was typed with.
    return definition.services(options[plugin] as never).map(({ name, path: place }) => {
      checkService(name, known, [...path, plugin, ...place], report)
      return name
    })
  })
  return [...new Set(found)]
}

function withOthers(action: RouteAction, named: readonly string[]): RouteAction {
  if (action.kind !== 'service') return action
  const { others: _before, ...rest } = action
  const others = named.filter(name => name !== action.service)
  return others.length === 0 ? rest : { ...rest, others }
}

/** All that its requests, or copies of them, may go to. */
export function servicesOf(action: RouteAction): string[] {
  return action.kind === 'service' ? [action.service, ...(action.others ?? [])] : []
}

function readRedirect(
  given: string | { to: string; status?: 301 | 302 | 303 | 307 | 308 | undefined },
  pattern: Pattern | undefined,
  path: ConfigPath,
  report: Report,
): RouteAction {
  const { to, status = 308 } = typeof given === 'string' ? { to: given } : given
  const at = typeof given === 'string' ? path : [...path, 'to']
  const absolute = /^(https?:\/\/[^/?#\s]+)(.*)$/i.exec(to)
  const tail = absolute === null ? to : (absolute[2] ?? '') || '/'
  if (absolute === null && (!to.startsWith('/') || to.startsWith('//'))) {
    report({ code: 'CONFIG_INVALID_REDIRECT', message: `must be a path or an http(s) URL, not "${to}"`, path: at })
  } else if (pattern !== undefined) checkTemplate(tail, pattern, at, report)
  return { kind: 'redirect', to, status }
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
  if (host === undefined) return none
  const hosts = Array.isArray(host) ? host : [host]
  return hosts.flatMap((text, index) => {
    const parsed = parseHostPattern(text)
    if (typeof parsed === 'string') return [text]
    report({ code: 'CONFIG_INVALID_HOST', message: parsed.error, path: Array.isArray(host) ? [...path, index] : path })
    return []
  })
}

function readPredicates(table: Readonly<Record<string, Predicate>> | undefined): FieldPredicate[] {
  if (table === undefined) return none
  return Object.entries(table).map(([name, is]) => {
    if (is instanceof RegExp) return { name, pattern: is }
    if (typeof is === 'string') return { name, value: is }
    return is ? { name } : { name, not: true }
  })
}

function readTimeouts(
  timeout: number | GivenTimeouts | undefined,
  defaults: GivenTimeouts | undefined,
): Pick<RouteModel, 'timeouts' | 'timeoutsFrom'> {
  const own = typeof timeout === 'number' ? { total: timeout } : timeout
  const pick = (key: keyof RouteTimeouts, fallback: number) => own?.[key] ?? defaults?.[key] ?? fallback
  const from = (key: keyof RouteTimeouts) => {
    if (own?.[key] !== undefined) return 'route'
    return defaults?.[key] === undefined ? 'default' : 'gateway'
  }
  return {
    timeouts: {
      connect: pick('connect', 5_000),
      head: pick('head', 30_000),
      idle: pick('idle', 60_000),
      total: pick('total', 0),
    },
    timeoutsFrom: { connect: from('connect'), head: from('head'), idle: from('idle'), total: from('total') },
  }
}
