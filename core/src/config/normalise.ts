import * as z from 'zod'
import { findDuplicates } from '../routing/conflicts.ts'
import { type Sliced, whole } from '../slices.ts'
import { lookAgain } from './environment/secret-file.ts'
import { didYouMean, isRecord, parse, type Report, unknownKey } from './issues.ts'
import type { ListenerModel, Model, RouteModel } from './model.ts'
import { type PluginList, readPlugins } from './normalise-plugins.ts'
import { reachOf } from './normalise-reach.ts'
import { type KnownRoutes, readRoutes } from './normalise-routes.ts'
import { readServices } from './normalise-services.ts'
import { readTls } from './normalise-tls.ts'
import type { Problem } from './problem.ts'
import { listener, settingsShape } from './schema.ts'
import { askAlike, shareModel } from './share-model.ts'

export interface Normalised {
  /** Undefined when a problem is an error. */
  readonly model: Model | undefined
  readonly problems: readonly Problem[]
  /** Absolute paths of what was read beside the config, or would have been were it there. */
  readonly files: readonly string[]
  /** For the next config to be compared with. */
  readonly known: KnownRoutes | undefined
}

const settingsSchema = z.object(settingsShape)

/** Turns what a config file exports into the model, or into every problem there is in it. Never throws, starts nothing. Reads certificates and keys. */
export function normalise(config: unknown): Normalised {
  return whole(normaliseAfter(undefined, config))
}

/**
 * The same for a config that takes the place of one before: what both say alike is the same object in both models,
 * plugin by plugin, service by service, route by route, and an equal config is the same model.
 */
export function* normaliseAfter(before: Normalised | undefined, config: unknown): Sliced<Normalised> {
  lookAgain()
  const problems: Problem[] = []
  const report: Report = problem => problems.push({ severity: 'error', ...problem })
  if (!isRecord(config)) {
    const message = 'the config must be an object: export default defineConfig({ … })'
    report({ code: 'CONFIG_NOT_AN_OBJECT', message, path: [] })
    return { model: undefined, problems, files: [], known: undefined }
  }
  const { plugins: pluginList, services: serviceTable, routes: routeTables, ...rest } = config
  const keys = [...Object.keys(settingsShape), 'plugins', 'services', 'routes']
  for (const key of Object.keys(rest)) if (!keys.includes(key)) report(unknownKey(key, [], keys))
  const settings = parse(settingsSchema, rest, [], report)
  const read = new Set<string>()
  const listeners = readListeners(rest.listen, read, report)
  const plugins = readPlugins(pluginList, report)
  const reach = listeners.length === listenersGiven(rest.listen).length ? reachOf(listeners) : undefined
  const services = yield* readServices(serviceTable, plugins, report)
  const serviceNames = serviceTable === undefined ? [] : isRecord(serviceTable) ? Object.keys(serviceTable) : undefined
  const reading = {
    plugins,
    services: serviceNames && new Set(serviceNames),
    reach,
    defaults: settings?.timeouts,
    before: before?.known,
    report,
  }
  const [routes, known] = yield* readRoutes(routeTables, reading)
  // What asks for the same requests as before has no duplicates either.
  if (!askAlike(routes, before?.model?.routes)) yield* checkDuplicates(routes, before?.model?.routes, report)
  checkRequired(settings?.require ?? [], plugins, report)
  const failed = problems.some(problem => problem.severity === 'error')
  const files = [...read]
  if (failed || settings === undefined) return { model: undefined, problems, files, known: undefined }
  const { drainTimeout, setupTimeout, timeouts = {}, timeoutStatus, workers, require, log, lint } = settings
  const parts = { listeners, plugins: plugins.list, services, routes, require }
  const times = { timeouts, timeoutStatus, drainTimeoutMs: drainTimeout, setupTimeoutMs: setupTimeout }
  const model = yield* shareModel(before?.model, { ...parts, ...times, workers, files, log, lint })
  return { model, problems, files, known }
}

function readListeners(value: unknown, files: Set<string>, report: Report): ListenerModel[] {
  const seen = new Set<string>()
  return listenersGiven(value).flatMap((item, index) => {
    const path = Array.isArray(value) ? ['listen', index] : ['listen']
    const read = parse(listener, item, path, report)
    if (read === undefined) return []
    const address = `${read.host ?? '*'}:${read.port}`
    if (read.port !== 0 && seen.has(address)) {
      report({ code: 'CONFIG_DUPLICATE_LISTENER', message: `${address} is listened on twice: leave one out`, path })
    }
    seen.add(address)
    if (read.name !== undefined && seen.has(read.name)) {
      const message = `two listeners have the name "${read.name}": rename one`
      report({ code: 'CONFIG_DUPLICATE_LISTENER', message, path: [...path, 'name'] })
    }
    if (read.name !== undefined) seen.add(read.name)
    if (read.exclusive && read.name === undefined) {
      const message = 'leaves only routes that name the listener, and it has no name'
      report({ code: 'CONFIG_LISTENER_NAME', message, path: [...path, 'exclusive'] })
    }
    if (read.proxyProtocol && read.trust.length === 0) {
      const message = 'needs the proxies that it is taken from: list them in "trust"'
      report({ code: 'CONFIG_PROXY_PROTOCOL_TRUST', message, path: [...path, 'proxyProtocol'] })
    }
    const tls = read.tls === undefined ? undefined : readTls(read.tls, [...path, 'tls'], files, report)
    return [{ ...read, host: read.host, name: read.name, tls }]
  })
}

const listenersGiven = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : [value === undefined ? { port: 8080 } : value]

function* checkDuplicates(
  routes: readonly RouteModel[],
  before: readonly RouteModel[] | undefined,
  report: Report,
): Sliced<void> {
  for (const { route, message } of yield* findDuplicates(routes, before)) {
    report({ code: 'CONFIG_ROUTE_DUPLICATE', message, path: ['routes', route, 'match'] })
  }
}

function checkRequired(required: readonly string[], plugins: PluginList, report: Report): void {
  const known = plugins.list.map(({ name }) => name)
  for (const [index, name] of required.entries()) {
    if (known.includes(name) || !plugins.complete) continue
    const message = `there is no plugin "${name}" in plugins`
    report({ code: 'CONFIG_UNKNOWN_PLUGIN', message, path: ['require', index], ...didYouMean(name, known) })
  }
}
