import { suggest } from '@gateway/core'
import type { Problems } from '../problems.ts'
import { isNull, type Mapping, type Node, type Spot } from '../read/node.ts'
import { toFlag, toInteger, toNumber, toPlain, toText } from './coerce.ts'
import {
  type About,
  type Field,
  type Fields,
  type GivenKeys,
  type GivenOf,
  type GivenTable,
  type Leaf,
  node as nodeKey,
  ofPlugins,
} from './field.ts'
import { Given } from './given.ts'

/** What tables are read with. */
export interface TableReading {
  readonly problems: Problems
  /** Names of the plugins in the file's own list. */
  readonly plugins: ReadonlySet<string>
}

/** Reads a value by its field, and reports what is wrong with it. Undefined where it is absent, null or wrong. */
export function readField<F extends Field>(
  field: F,
  node: Node | undefined,
  reading: TableReading,
): GivenOf<F> | undefined {
  if (node === undefined || isNull(node)) return undefined
  if (field.noEffect !== undefined) {
    if (field.quiet !== true)
      reading.problems.warning(node, `has no effect: ${field.noEffect}`, { code: 'CONFIG_NO_EFFECT' })
  }
  // The kinds below are those that GivenOf tells apart by the same key.
  return readers[field.kind](field as never, node, reading) as GivenOf<F> | undefined
}

/** The keys of a mapping that a table names; what else is in there is left to others. */
export function readKeys<K extends Fields>(keys: K, mapping: Node | undefined, reading: TableReading): GivenKeys<K> {
  const given: Record<string, unknown> = {}
  if (mapping?.kind !== 'mapping') return {}
  for (const [key, field] of Object.entries(keys)) {
    const value = readField(field, mapping.entries.get(key)?.value, reading)
    if (value !== undefined) given[key] = value
    else if (field.required && absent(mapping, key)) {
      const message = `has no "${key}"${field.says === undefined ? '' : `: ${field.says}`}`
      reading.problems.error(mapping, message, { code: 'CONFIG_MISSING_KEY' })
    }
  }
  return given as GivenKeys<K>
}

function absent(mapping: Mapping, key: string): boolean {
  const entry = mapping.entries.get(key)
  return entry === undefined || isNull(entry.value)
}

/** What stands under the names of plugins in a mapping; a key that is known by itself is none of theirs. */
export function pluginOptions(
  mapping: Mapping,
  keys: Fields,
  { plugins }: TableReading,
): ReadonlyMap<string, Given<unknown>> {
  const found = [...plugins].flatMap(name => {
    const value = Object.hasOwn(keys, name) ? undefined : mapping.entries.get(name)?.value
    return value === undefined || isNull(value) ? [] : [[name, new Given<unknown>(undefined, value)] as const]
  })
  return new Map(found)
}

/** Warns of keys that nobody reads. Those that begin with `x-` are the file's own business. */
export function checkKeys(
  mapping: Mapping,
  known: readonly string[],
  { problems, plugins }: TableReading,
  takesPlugins = false,
): void {
  for (const [key, entry] of mapping.entries) {
    if (known.includes(key) || key.startsWith('x-') || (takesPlugins && plugins.has(key))) continue
    unknownKey(entry.key, key, takesPlugins ? [...known, ...plugins] : known, problems)
  }
}

function unknownKey(at: Spot, key: string, known: readonly string[], problems: Problems): void {
  const near = suggest(key, known)
  const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean "${near}"?`
  problems.warning(at, `unknown key "${key}"`, { code: 'CONFIG_UNKNOWN_KEY', hint })
}

/** What is read of a field of each kind. */
const readers: {
  readonly [K in Field['kind']]: (field: Extract<Field, { kind: K }>, node: Node, reading: TableReading) => unknown
} = {
  leaf: readLeaf,
  table(field, node, reading) {
    if (node.kind !== 'mapping') return wrong(node, 'a mapping', reading)
    const given: Record<PropertyKey, unknown> = readKeys(field.keys, node, reading)
    checkKeys(node, Object.keys(field.keys), reading, field.plugins !== undefined)
    given[nodeKey] = node
    given[ofPlugins] = field.plugins !== undefined ? pluginOptions(node, field.keys, reading) : new Map()
    return given as GivenTable<Fields>
  },
  list(field, node, reading) {
    if (node.kind !== 'sequence') return wrong(node, 'a list', reading)
    const items = node.items.flatMap(item => readField(field.item, item, reading) ?? [])
    return Object.assign(items, { [nodeKey]: node })
  },
  map(field, node, reading) {
    if (node.kind !== 'mapping') return wrong(node, 'a mapping', reading)
    const entries = [...node.entries].flatMap(([name, { value }]) => {
      const given = readField(field.item, value, reading)
      return given === undefined ? [] : [[name, given] as const]
    })
    return Object.assign(new Map(entries), { [nodeKey]: node })
  },
  anything: (_field, node) => new Given<unknown>(undefined, node),
  either({ scalar, mapping, list }, node, reading) {
    const form = { scalar, mapping, sequence: list }[node.kind]
    if (form !== undefined) return readField(form, node, reading)
    const forms = [scalar && nameOf(scalar), mapping && 'a mapping', list && 'a list'].filter(
      name => name !== undefined,
    )
    return wrong(node, forms.join(' or '), reading)
  },
}

const leafTypes = {
  text: { name: 'a text', read: toText },
  integer: { name: 'a whole number', read: toInteger },
  number: { name: 'a number', read: toNumber },
  flag: { name: 'true or false', read: toFlag },
  texts: { name: 'a list of texts', read: (node: Node) => toMany(node, toText) },
  integers: { name: 'a list of whole numbers', read: (node: Node) => toMany(node, toInteger) },
} as const

function readLeaf(field: Leaf<unknown>, node: Node, reading: TableReading): Given<unknown> | undefined {
  if (field.lone && node.kind === 'scalar') return new Given<unknown>([node.text], node)
  const { name, read } = leafTypes[field.type]
  const value = read(node)
  if (value === undefined) return wrong(node, `${name}${unitOf(field)}`, reading)
  const { min, max, oneOf } = field
  if (typeof value === 'number' && ((min !== undefined && value < min) || (max !== undefined && value > max))) {
    return wrong(node, `${name}${boundsOf(min, max)}`, reading)
  }
  if (oneOf !== undefined && !oneOf.includes(value)) {
    const words = oneOf.map(String)
    const near = suggest(String(value), words)
    const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
    return wrong(node, `one of ${words.join(', ')}`, reading, hint)
  }
  return new Given(value, node)
}

function toMany<T>(node: Node, read: (item: Node) => T | undefined): readonly T[] | undefined {
  if (node.kind !== 'sequence') return undefined
  const items = node.items.flatMap(item => read(item) ?? [])
  return items.length === node.items.length ? items : undefined
}

function wrong(node: Node, wanted: string, { problems }: TableReading, details: { hint?: string } = {}): undefined {
  problems.error(node, `must be ${wanted}, not ${show(node)}`, details)
  return undefined
}

/** Never the text of a long one, nor of what stands for a variable: it may be a secret. */
function show(node: Node): string {
  if (node.kind !== 'scalar') return node.kind === 'mapping' ? 'a mapping' : 'a list'
  if (node.references.length > 0) return `what ${node.written ?? 'a variable'} stands for`
  if (node.text.length > 60) return `a text of ${node.text.length} characters`
  const plain = toPlain(node)
  return typeof plain === 'string' ? JSON.stringify(plain) : node.text
}

function nameOf(field: Field): string {
  return field.kind === 'leaf' ? leafTypes[field.type].name : 'a value'
}

function unitOf({ unit }: About): string {
  return unit === undefined ? '' : ` of ${{ s: 'seconds', ms: 'milliseconds', bytes: 'bytes' }[unit]}`
}

function boundsOf(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`
  return min === undefined ? ` of at most ${max}` : ` of at least ${min}`
}
