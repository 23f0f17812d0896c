import * as z from 'zod'
import type { Extension, Points, TargetSpec } from '../contract/host.ts'
import type { Sliced } from '../slices.ts'
import { snapshot } from './equal.ts'
import { type ConfigPath, didYouMean, isRecord, parse, type Report, unknownKey, validate } from './issues.ts'
import type { Choice, ServiceModel } from './model.ts'
import type { PluginList } from './normalise-plugins.ts'
import { serviceShape, targetSpec } from './schema.ts'

export function* readServices(value: unknown, plugins: PluginList, report: Report): Sliced<ServiceModel[]> {
  const schema = withOptionsOf(plugins, 'serviceOptions', serviceShape)
  const services: ServiceModel[] = []
  for (const [name, given] of Object.entries(readTable(value, 'services', report))) {
    yield
    const item = snapshot(given)
    const path = ['services', name]
    const read = parse(schema, item, path, report)
    if (read === undefined || !isRecord(item)) continue
    if ((read.targets === undefined || read.targets.length === 0) === (read.discover === undefined)) {
      const message =
        read.discover === undefined
          ? 'has no targets: list some, or choose a provider with "discover"'
          : 'has both targets and discover: choose one'
      report({ code: 'CONFIG_SERVICE_TARGETS', message, path: [...path, 'targets'] })
    }
    const choose = (point: keyof Points, key: string, chosen: typeof read.balance) =>
      chosen === undefined ? undefined : readChoice(chosen, point, [...path, key], plugins, report)
    services.push({
      name,
      targets: (read.targets ?? []).map(target => ({ ...target, weight: target.weight ?? 1 })),
      discover: choose('discovery', 'discover', read.discover),
      balance: choose('balancer', 'balance', read.balance) ?? { use: 'roundRobin', options: undefined },
      connector: choose('connector', 'connector', read.connector),
      preserveHost: read.preserveHost ?? false,
      protocol: read.protocol ?? 'http1',
      pool: read.pool ?? {},
      tls: read.tls,
      options: readOptions(item, plugins, 'serviceOptions', path, report),
    })
  }
  return services
}

const foundSchema = targetSpec()

/** A target that a provider found: undefined, and why told, when it is none. */
export function readFoundTarget(given: unknown, tell: (fault: string) => void): TargetSpec | undefined {
  const url: unknown = Reflect.get(Object(given), 'url')
  const about = typeof url === 'string' ? `${url}: ` : ''
  return parse(foundSchema, given, [], ({ path, message }) => tell(`${about}${[...(path ?? []), message].join(' ')}`))
}

function readChoice(
  chosen: string | { use: string },
  point: keyof Points,
  path: ConfigPath,
  plugins: PluginList,
  report: Report,
): Choice | undefined {
  const { use, ...given } = typeof chosen === 'string' ? { use: chosen } : chosen
  const extensions = plugins.list
    .flatMap(plugin => plugin.definition.extensions ?? [])
    .filter(extension => extension.point === point)
  const found: Extension | undefined = extensions.find(extension => extension.name === use)
  const own = point === 'balancer' && use === 'roundRobin'
  if (found === undefined && !own) {
    const known = [...(point === 'balancer' ? ['roundRobin'] : []), ...extensions.map(extension => extension.name)]
    const hint = known.length === 0 ? { hint: 'add the plugin that provides it' } : didYouMean(use, known)
    const code = `CONFIG_UNKNOWN_${point.toUpperCase()}`
    if (plugins.complete) report({ code, message: `no plugin provides the ${point} "${use}"`, path, ...hint })
    return undefined
  }
  if (found?.options === undefined) {
    for (const key of Object.keys(given)) report(unknownKey(key, path, ['use']))
    return { use, options: undefined }
  }
  const options = validate(found.options, given, path, report)
  return options === undefined ? undefined : { use, options: options.value }
}

type OptionKind = 'routeOptions' | 'serviceOptions'

/** The kernel's fields and a key for each plugin that has options here; those are then checked by the plugin's own schema. */
export function withOptionsOf<S extends z.ZodRawShape>(
  plugins: PluginList,
  kind: OptionKind,
  shape: S,
): z.ZodObject<S> {
  const keys = plugins.list.filter(plugin => plugin.definition[kind] !== undefined).map(plugin => plugin.name)
  const more: object = Object.fromEntries(keys.map(key => [key, z.unknown().optional()]))
  return plugins.complete ? z.strictObject({ ...more, ...shape }) : z.object({ ...more, ...shape })
}

export function readOptions(
  item: Record<string, unknown>,
  plugins: PluginList,
  kind: OptionKind,
  path: ConfigPath,
  report: Report,
): Record<string, unknown> {
  const options: Record<string, unknown> = Object.create(null)
  for (const { name, definition } of plugins.list) {
    const schema = definition[kind]
    if (schema === undefined || !Object.hasOwn(item, name) || item[name] === undefined) continue
    const read = validate(schema, item[name], [...path, name], report)
    if (read !== undefined) options[name] = read.value
  }
  return options
}

/** Of services or routes, by name. */
export function readTable(value: unknown, key: string, report: Report): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value
  if (value !== undefined) {
    report({ code: 'CONFIG_INVALID_VALUE', message: `must be an object: { name: { … } }`, path: [key] })
  }
  return {}
}
