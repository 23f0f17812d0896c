import { makeIr } from '../ir/make-ir.ts'
import { isNull, type Node } from '../read/node.ts'
import { anything, either, type GivenOf, list, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { readField, type TableReading } from '../table/read-field.ts'
import type { Section } from './section.ts'

export const pluginEntry = table({
  package: text({ says: 'The package, or the path of a file, from the folder of this one.', required: true }),
  export: text({ says: "What it exports the plugin as; the last part of the package's name, where this is absent." }),
  options: anything({ says: "The plugin's options." }),
})

const entries = list(either({ scalar: text(), mapping: pluginEntry }), {
  says: 'Plugins by name, with options of their own.',
})

interface Listed {
  readonly from: string
  readonly name: string
  readonly options: Given<unknown> | undefined
  readonly at: Node
}

/** The file's own list of plugins, which is read before all else: their names are keys of rules and services. */
export function readPluginList(node: Node | undefined, reading: TableReading): readonly Listed[] {
  const read = readField(entries, node, reading) ?? []
  return read.flatMap((given: GivenOf<typeof entries>[number]) => {
    const {
      package: from,
      export: name,
      options,
    } = 'value' in given ? { package: given, export: undefined, options: undefined } : given
    return from === undefined
      ? []
      : [{ from: from.value, name: name?.value ?? exportOf(from.value), options, at: from.node }]
  })
}

/** `@acme/gateway-audit-log` exports `auditLog`, as a rule. */
export function exportOf(specifier: string): string {
  const last = specifier.split('/').at(-1) ?? ''
  const words = last.replace(/\.\w+$/, '').replace(/^gateway-(?:plugin-)?/, '')
  return words.replace(/[^A-Za-z0-9]+(.)?/g, (_gap, letter: string | undefined) => letter?.toUpperCase() ?? '')
}

/** What the list comes to. */
export function pluginsSection(listed: readonly Listed[]): Section {
  return {
    path: 'plugins',
    field: entries,
    map(node, _reading, gateway) {
      if (node === undefined || isNull(node)) return
      for (const { from, name, options, at } of listed) {
        // What a section has said of the plugin stays, unless it is said otherwise here.
        const draft = gateway.plugin(from, name, at)
        const given = options && makeIr(options)
        if (given?.kind === 'object') draft.take(given)
        else if (given !== undefined) gateway.problems.error(given.at ?? at, 'must be a mapping of options')
      }
    },
  }
}
export const pluginsField = entries
