import type { Problem } from '@gateway/core'
import { Builder } from './build/builder.ts'
import type { ObjectIr } from './ir/ir.ts'
import { printModule } from './ir/print.ts'
import { type SourceMap, sourceMap } from './ir/source-map.ts'
import { withOpenApi } from './openapi/with-openapi.ts'
import { Problems } from './problems.ts'
import { readFiles } from './read/include.ts'
import { type Mapping, type Node, nodeAt, valueAt } from './read/node.ts'
import { overlay } from './read/overlay.ts'
import { gatewayTable, sections } from './sections/index.ts'
import { pluginsSection, readPluginList } from './sections/plugins.ts'
import type { Fields, Table } from './table/field.ts'
import { checkKeys, type TableReading } from './table/read-field.ts'

/** What a translation asks its surroundings for. */
export interface Surroundings {
  /** Names of environment variables. */
  readonly names: Iterable<string>
  /** What one holds; undefined: not set, or empty. */
  variable(name: string): string | undefined
  /** Is told each file that is read, with its content; undefined: there is none. */
  sawFile(file: string, content: Buffer | undefined): void
}

export interface Translation {
  /** Also when a problem is an error, so that what the plugins think of the rest can be told, too. */
  readonly module: { readonly code: string; readonly map: SourceMap } | undefined
  readonly problems: readonly Problem[]
}

/**
 * Reads a YAML config, and writes the module that `gateway.config.ts` would be. `file` is absolute.
 *
 * @throws when the file itself cannot be read
 */
export async function translate(file: string, surroundings: Surroundings): Promise<Translation> {
  const { config, problems } = await readConfig(file, surroundings)
  if (config === undefined) return { module: undefined, problems }
  const { code, marks } = printModule(config)
  return { module: { code, map: sourceMap(marks, file) }, problems }
}

export interface ConfigRead {
  /** As data; also where a problem is an error, when it is of no use. Undefined where there is nothing to go on with. */
  readonly config: ObjectIr | undefined
  /** The file with those that it includes. */
  readonly root: Node | undefined
  readonly problems: readonly Problem[]
}

/** Reads a YAML config, and makes of it what the config comes to here. */
export async function readConfig(file: string, surroundings: Surroundings): Promise<ConfigRead> {
  const problems = new Problems()
  const { variable } = surroundings
  const root = await readFiles(file, { ...surroundings, variable, problems })
  const gateway = root && gatewayOf(root, problems)
  if (gateway === undefined) return { config: undefined, root, problems: problems.list }
  const laid = overlay(gateway, gatewayTable, surroundings.names, { variable, problems })
  const whole = await withOpenApi(laid, file, { ...surroundings, variable, problems })
  const listed = readPluginList(valueAt(whole, 'plugins'), { problems, plugins: new Set() })
  const reading: TableReading = { problems, plugins: new Set(listed.map(({ name }) => name)) }
  checkFolders(whole, gatewayTable, reading)
  const builder = new Builder({ problems, root: whole, variable })
  // What the Go program documents, where a gateway has 504.
  builder.settings.set('timeoutStatus', 408)
  for (const section of [...sections, pluginsSection(listed)])
    section.map(nodeAt(whole, section.path), reading, builder)
  return { config: builder.config(), root, problems: problems.list }
}

const rootKeys = ['gateway', 'include']

function gatewayOf(root: Node, problems: Problems): Mapping | undefined {
  if (root.kind !== 'mapping') {
    problems.error(root, 'must be a mapping that begins with "gateway:"')
    return undefined
  }
  checkKeys(root, rootKeys, { problems, plugins: new Set() })
  const gateway = valueAt(root, 'gateway')
  if (gateway?.kind === 'mapping') return gateway
  if (gateway !== undefined) problems.error(gateway, 'must be a mapping')
  else problems.error(root, 'has no "gateway": everything stands under it', { code: 'CONFIG_MISSING_KEY' })
  return undefined
}

/** Keys above the sections: of `gateway` itself, and of `frontend` and the like. */
function checkFolders(gateway: Mapping, { keys }: Table<Fields>, reading: TableReading): void {
  checkKeys(gateway, Object.keys(keys), reading)
  const names = new Set(sections.flatMap(({ path }) => (path.includes('.') ? [path.split('.', 1)[0] ?? ''] : [])))
  for (const name of names) {
    const node = valueAt(gateway, name)
    const field = keys[name]
    if (node === undefined || field?.kind !== 'table') continue
    if (node.kind === 'mapping') checkKeys(node, Object.keys(field.keys), reading)
    else reading.problems.error(node, 'must be a mapping')
  }
}
