import { isNull, type Node } from '../read/node.ts'
import { toPlain } from '../table/coerce.ts'
import { node as nodeKey } from '../table/field.ts'
import { Given } from '../table/given.ts'
import type { CallIr, Ir, IrSpot } from './ir.ts'

/**
 * What a mapper may write where a value is wanted: a plain value; one that was read, which brings its place along; a node
 * of the file, taken as it is; or objects and lists of these. Keys that are undefined are left out.
 */
export type Input =
  | string
  | number
  | boolean
  | null
  | undefined
  | RegExp
  | Ir
  | Node
  | Given<unknown>
  | readonly Input[]
  | { readonly [key: string]: Input }

export function makeIr(input: Input, at?: IrSpot): Ir {
  if (input instanceof Given) {
    // Undefined stands for a value that nobody looked into.
    return input.value === undefined ? fromNode(input.node) : fromValue(input.value as Input, input.node)
  }
  if (input === undefined || input === null || typeof input !== 'object' || input instanceof RegExp) {
    return { kind: 'value', value: input ?? null, at }
  }
  if (isIr(input)) return input
  if (isNode(input)) return fromNode(input)
  if (isList(input)) return { kind: 'list', items: input.map(item => makeIr(item)), at: placeOf(input) ?? at }
  const entries = Object.entries(input).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, makeIr(value)] as const],
  )
  return { kind: 'object', entries: new Map(entries), at }
}

/** What was read of a node; items of a list have places of their own. */
function fromValue(value: Input, node: Node): Ir {
  if (node.kind !== 'sequence' || !Array.isArray(value) || value.length !== node.items.length)
    return makeIr(value, node)
  return { kind: 'list', items: value.map((item, index) => makeIr(item, node.items[index])), at: node }
}

/** A call of what a package exports. */
export function call(from: string, name: string, args: readonly Input[], at?: IrSpot): CallIr {
  return { kind: 'call', from, name, args: args.map(arg => makeIr(arg)), at }
}

/** A node as plain data, by YAML's own types. */
function fromNode(node: Node): Ir {
  if (node.kind === 'scalar') return { kind: 'value', value: toPlain(node), at: node }
  if (node.kind === 'sequence') return { kind: 'list', items: node.items.map(fromNode), at: node }
  const entries = [...node.entries].flatMap(([key, { value }]) =>
    isNull(value) ? [] : [[key, fromNode(value)] as const],
  )
  const keys = new Map([...node.entries].map(([name, { key }]) => [name, key]))
  return { kind: 'object', entries: new Map(entries), keys, at: node }
}

const kindsOfIr: readonly unknown[] = ['value', 'list', 'object', 'call', 'template'] satisfies Ir['kind'][]
const kindsOfNode: readonly unknown[] = ['scalar', 'mapping', 'sequence'] satisfies Node['kind'][]

function isIr(input: object): input is Ir {
  return 'kind' in input && kindsOfIr.includes(input.kind)
}

function isNode(input: object): input is Node {
  return 'kind' in input && 'source' in input && kindsOfNode.includes(input.kind)
}

function isList(input: object): input is readonly Input[] {
  return Array.isArray(input)
}

function placeOf(input: object): Node | undefined {
  return nodeKey in input ? (input[nodeKey] as Node) : undefined
}
