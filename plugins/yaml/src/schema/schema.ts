import { gatewayTable } from '../sections/index.ts'
import { exportOf, pluginEntry, pluginsField } from '../sections/plugins.ts'
import { type InstalledPlugin, installedPlugins } from './installed-plugins.ts'
import { definitions, fieldSchema, type JsonSchema, type PluginKeys, rest, tableSchema } from './json-schema.ts'
import { optionsSchema } from './options-schema.ts'

/**
 * A JSON Schema (draft 2020-12) of YAML configs, for editors, with the options of the plugins that are installed for a
 * folder. It knows keys and forms; what depends on several of them, `gateway check` finds.
 */
export async function schema(folder: string): Promise<object> {
  const installed = await installedPlugins(folder)
  const options = new Map(installed.flatMap(optionsOf))
  const refTo = (name: string) => (options.has(name) ? { $ref: `#/$defs/${name}` } : undefined)
  const gateway = tableSchema(gatewayTable, pluginKeys(installed, refTo))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:gateway:schema:yaml',
    title: 'Gateway, in YAML',
    type: 'object',
    properties: {
      include: {
        description: 'Files whose content comes before this one; from the folder of this one.',
        anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
      },
      gateway: { ...gateway, properties: { ...gateway.properties, plugins: pluginList(installed, refTo) } },
    },
    anyOf: [{ required: ['gateway'] }, { required: ['include'] }],
    ...rest,
    $defs: { ...definitions, ...Object.fromEntries(options) },
  }
}

const kinds = ['options', 'routeOptions', 'serviceOptions'] as const
type Kind = (typeof kinds)[number]
type RefTo = (name: string) => JsonSchema | undefined

const nameOf = ({ definition }: InstalledPlugin, kind: Kind) => `${definition.name}.${kind}`

function optionsOf(plugin: InstalledPlugin): readonly (readonly [string, JsonSchema])[] {
  return kinds.flatMap(kind => {
    const schema = plugin.definition[kind]
    const name = nameOf(plugin, kind)
    return schema === undefined ? [] : [[name, optionsSchema(schema, `#/$defs/${name}`)]]
  })
}

function pluginKeys(installed: readonly InstalledPlugin[], refTo: RefTo): PluginKeys {
  const keys = (kind: Kind) =>
    Object.fromEntries(
      installed.flatMap(plugin => {
        const schema = refTo(nameOf(plugin, kind))
        return schema === undefined ? [] : [[plugin.definition.name, schema]]
      }),
    )
  return { route: keys('routeOptions'), service: keys('serviceOptions') }
}

/** The file's own list of plugins, with the options of those that are known. */
function pluginList(installed: readonly InstalledPlugin[], refTo: RefTo): JsonSchema {
  const examples = [...new Set(installed.map(plugin => plugin.package))]
  const known = installed.map(plugin => ({
    if: {
      properties: { package: { const: plugin.package }, export: { const: plugin.export } },
      required: exportOf(plugin.package) === plugin.export ? ['package'] : ['package', 'export'],
    },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { properties: { options: refTo(nameOf(plugin, 'options')) ?? { type: 'null' } } },
  }))
  const entry = fieldSchema(pluginEntry, { route: {}, service: {} })
  const { says } = pluginsField
  const mapping = { ...(typeof entry === 'object' ? entry : {}), allOf: known }
  return { description: says, type: ['array', 'null'], items: { anyOf: [{ type: 'string', examples }, mapping] } }
}
