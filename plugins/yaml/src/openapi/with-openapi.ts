import { Problems } from '../problems.ts'
import type { FileReading } from '../read/include.ts'
import { type Entry, type Mapping, type Node, type Spot, valueAt } from '../read/node.ts'
import { openapiTable } from '../sections/openapi.ts'
import { readField } from '../table/read-field.ts'
import { readDocuments } from './documents.ts'
import { type Operation, operationsOf } from './operations.ts'

/** The config with a rule for each operation of the OpenAPI documents that it names, behind the rules of its own. */
export async function withOpenApi(gateway: Mapping, file: string, reading: FileReading): Promise<Mapping> {
  // What is wrong with the section is told of when it is its turn.
  const given = readField(openapiTable, valueAt(gateway, 'openapi'), { problems: new Problems(), plugins: new Set() })
  if (given?.enabled?.value !== true) return gateway
  const documents = await readDocuments(given, file, reading)
  const operations = documents.flatMap(document => [...operationsOf(document, given, reading.problems)])
  return withRules(gateway, settle(operations, given.manager?.conflictResolution?.value))
}

/** Of several that take the same, the one that is wanted; without a word on that all, of which the router then tells. */
function settle(operations: readonly Operation[], how: string | undefined): readonly Operation[] {
  if (how !== 'newest' && how !== 'skip') return operations
  const kept = new Map<string, Operation>()
  for (const operation of operations) {
    if (how === 'newest' || !kept.has(operation.takes)) kept.set(operation.takes, operation)
  }
  return [...kept.values()]
}

function withRules(gateway: Mapping, operations: readonly Operation[]): Mapping {
  const router = valueAt(gateway, 'router')
  const rules = valueAt(router, 'rules')
  // What is no mapping, or no list, is told of by the router.
  if (operations.length === 0 || (router && router.kind !== 'mapping') || (rules && rules.kind !== 'sequence')) {
    return gateway
  }
  const own = rules?.items ?? []
  const items = [...own, ...named(operations, own)]
  const list: Node = rules === undefined ? { ...spotOf(gateway), kind: 'sequence', items } : { ...rules, items }
  const table: Mapping = router ?? { ...spotOf(gateway), kind: 'mapping', entries: new Map() }
  return withEntry(gateway, 'router', withEntry(table, 'rules', list))
}

/** An operation whose id another has gets a number behind it: documents do not know of each other. */
function named(operations: readonly Operation[], own: readonly Node[]): readonly Mapping[] {
  const taken = new Set<string>()
  for (const rule of own) {
    const id = valueAt(rule, 'id') ?? valueAt(rule, 'path')
    if (id?.kind === 'scalar') taken.add(id.text)
  }
  return operations.map(({ id, rule }) => {
    let name = id
    for (let number = 2; taken.has(name); number++) name = `${id}_${number}`
    taken.add(name)
    const value = rule.entries.get('id')?.value
    return name === id || value?.kind !== 'scalar' ? rule : withEntry(rule, 'id', { ...value, text: name })
  })
}

function withEntry(mapping: Mapping, key: string, value: Node): Mapping {
  const entry: Entry = { key: mapping.entries.get(key)?.key ?? value, value }
  return { ...mapping, entries: new Map(mapping.entries).set(key, entry) }
}

function spotOf({ source, offset }: Spot): Spot {
  return { source, offset }
}
