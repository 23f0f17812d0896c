import * as z from 'zod'
import type { Extension } from '../contract/host.ts'
import { type Plugin, reservedNames, stages } from '../contract/plugin.ts'
import { snapshot } from './equal.ts'
import { type ConfigPath, isRecord, parse, type Report, validate } from './issues.ts'
import type { PluginModel } from './model.ts'
import { orderPlugins } from './plugin-order.ts'
import { hookShape } from './schema.ts'

export interface PluginList {
  /** In the order in which request hooks run. */
  readonly list: readonly PluginModel[]
  /** False when an entry could not be read: what it would have provided is unknown, and missing it is no mistake. */
  readonly complete: boolean
}

export function readPlugins(value: unknown, report: Report): PluginList {
  if (value === undefined) return { list: [], complete: true }
  if (!Array.isArray(value)) {
    report({ code: 'CONFIG_INVALID_VALUE', message: 'must be an array of plugins', path: ['plugins'] })
    return { list: [], complete: false }
  }
  const read: PluginModel[] = []
  // By index, since forEach and the like pass over the holes of an array.
  for (let position = 0; position < value.length; position++) {
    const plugin = readPlugin(value[position], position, report)
    if (plugin === undefined) continue
    if (read.some(other => other.name === plugin.name)) {
      const message = `plugin "${plugin.name}" is listed twice: leave one out`
      report({ code: 'CONFIG_DUPLICATE_PLUGIN', message, path: ['plugins', position] })
    }
    read.push(plugin)
  }
  checkExtensions(read, report)
  return { list: orderPlugins(read, report), complete: read.length === value.length }
}

function readPlugin(item: unknown, position: number, report: Report): PluginModel | undefined {
  const path = ['plugins', position]
  if (!isPlugin(item)) {
    const message =
      typeof item === 'function'
        ? 'is a plugin that was not called: write it with parentheses'
        : 'is not a plugin: call what definePlugin returned'
    report({ code: 'CONFIG_NOT_A_PLUGIN', message, path })
    return undefined
  }
  const { name, definition } = item
  if (parse(definitionSchema, definition, path, faultsOf(name, path, report)) === undefined) return undefined
  if ((reservedNames as readonly string[]).includes(name) || Object.hasOwn(hookShape, name)) {
    const message = `"${name}" is a field of a route or service and cannot name a plugin: choose another name`
    report({ code: 'CONFIG_RESERVED_NAME', message, path })
  }
  if (definition.options !== undefined) {
    // A plugin called without options is one with none set, unless its schema knows what their absence means.
    const absent = item.options === undefined ? validate(definition.options, undefined, path, () => {}) : undefined
    const options = absent ?? validate(definition.options, snapshot(item.options ?? {}), path, report)
    return { name, position, definition, options: options?.value }
  }
  if (item.options !== undefined) {
    report({ code: 'CONFIG_INVALID_VALUE', message: `plugin "${name}" takes no options: leave them out`, path })
  }
  return { name, position, definition, options: undefined }
}

function isPlugin(value: unknown): value is Plugin {
  return isRecord(value) && typeof value.name === 'string' && isRecord(value.definition)
}

const schema = z
  .custom(value => isRecord(value) || typeof value === 'function', { error: 'must be a Standard Schema' })
  .refine(value => typeof Reflect.get(Object(Reflect.get(Object(value), '~standard')), 'validate') === 'function', {
    error: 'must be a Standard Schema (standardschema.dev), as zod, valibot and others make them',
  })
const slot = z.looseObject({ name: z.string(), index: z.number() }, { error: 'must be a slot: use defineSlot' })
const direction = z.custom(
  value => value === true || value === 'request' || value === 'response' || typeof value === 'function',
  { error: 'must be true, "request", "response" or a function' },
)

/** What TypeScript demands of a definition, for those written without it: what is misspelt here would never run. */
const definitionSchema = z.looseObject({
  name: z.string().regex(/^[a-z][A-Za-z0-9]*$/, { error: 'must be camelCase, of letters and digits' }),
  stage: z.literal(stages).optional(),
  options: schema.optional(),
  routeOptions: schema.optional(),
  serviceOptions: schema.optional(),
  writes: z.array(slot).optional(),
  needs: z.array(slot).optional(),
  extensions: z
    .array(
      z.looseObject(
        {
          point: z.literal(['balancer', 'connector', 'discovery']),
          name: z.string(),
          options: schema.optional(),
          create: z.custom(value => typeof value === 'function', { error: 'must be a function' }),
        },
        { error: 'must be an extension: use defineExtension' },
      ),
    )
    .optional(),
  alwaysOn: z.union([z.boolean(), z.custom(value => typeof value === 'function')]).optional(),
  services: z.custom(value => typeof value === 'function', { error: 'must be a function' }).optional(),
  buffersBody: direction.optional(),
  streams: direction.optional(),
  setup: z.custom(value => typeof value === 'function', { error: 'must be a function' }).optional(),
})

/** Faults of a plugin's definition are shown at its place in the list: the definition itself is not in the config. */
function faultsOf(name: string, path: ConfigPath, report: Report): Report {
  return ({ message, path: at = [], hint }) =>
    report({
      code: 'CONFIG_INVALID_PLUGIN',
      message: `plugin "${name}": ${at.slice(path.length).join('.')} ${message}`,
      path,
      ...(hint === undefined ? {} : { hint }),
    })
}

function checkExtensions(plugins: readonly PluginModel[], report: Report): void {
  const providers = new Map<string, string>()
  for (const { name: plugin, position, definition } of plugins) {
    for (const { point, name } of definition.extensions ?? ([] as readonly Extension[])) {
      const key = `${point} "${name}"`
      const other = point === 'balancer' && name === 'roundRobin' ? 'the gateway itself' : providers.get(key)
      providers.set(key, `plugin "${plugin}"`)
      if (other === undefined) continue
      const message = `plugin "${plugin}" provides the ${key}, as does ${other}: one of them has to go`
      report({ code: 'CONFIG_DUPLICATE_EXTENSION', message, path: ['plugins', position] })
    }
  }
}
