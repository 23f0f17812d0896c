import type {
  ArrayExpression,
  Expression,
  Function as FunctionNode,
  ObjectExpression,
  PropertyKey,
  Span,
  Statement,
} from 'oxc-parser'
import type { SourcePlace } from './load-problem.ts'
import { type Binding, findBinding, findExport, type Spot } from './locate-bindings.ts'
import { parseSource, type Source } from './locate-parse.ts'

/** Something that has members: a literal, or the exports of a module. */
type Holder =
  | { readonly source: Source; readonly node: ObjectExpression | ArrayExpression }
  | { readonly namespace: Source }

/** A member as it is written; the name is missing in arrays and namespaces. */
interface Member {
  readonly value: Binding
  readonly source: Source
  readonly at: Span
  readonly key: Span | undefined
}

interface Found {
  readonly depth: number
  readonly source: Source
  readonly value: Span
  readonly key: Span | undefined
}

/** Bounds the work on code that leads in circles or branches without end. */
interface Budget {
  steps: number
}

/**
 * Where the value at a config path is written, or its key. Follows calls like `defineConfig({ … })`, names, spreads and
 * imports of local files. Where the code computes what the path goes through, it is the deepest place that can be read.
 * Undefined when there is no default export to begin with. Never throws.
 */
export function locate(
  file: string,
  path: readonly (string | number)[],
  part: 'key' | 'value' = 'value',
): SourcePlace | undefined {
  try {
    const source = parseSource(file)
    const root = source && findExport(source, 'default')
    if (root === undefined || 'namespace' in root) return undefined
    const start: Found = { depth: 0, source: root.source, value: root.node, key: undefined }
    const found = walk(root, path, start, { steps: 5_000 })
    const wantsKey = part === 'key' && found.depth === path.length
    return placeOf(found.source, (wantsKey ? found.key : undefined) ?? found.value)
  } catch {
    return undefined
  }
}

export function placeOf({ file, text, origin }: Source, { start }: Span): SourcePlace {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  let line = 1
  for (let index = text.indexOf('\n'); index !== -1 && index < start; index = text.indexOf('\n', index + 1)) line += 1
  const column = start - lineStart + 1
  return origin === undefined ? { file, line, column } : (origin(line, column) ?? { file, line: 1, column: 1 })
}

function walk(from: Binding, path: readonly (string | number)[], here: Found, budget: Budget): Found {
  const segment = path[here.depth]
  if (segment === undefined) return here
  let best = here
  for (const holder of holdersOf(from, budget)) {
    const member = memberOf(holder, segment, budget)
    if (member === undefined) continue
    const next = { depth: here.depth + 1, source: member.source, value: member.at, key: member.key }
    const found = walk(member.value, path, next, budget)
    if (found.depth > best.depth) best = found
    if (best.depth === path.length) break
  }
  return best
}

/** The literals that an expression may come to, the likeliest first. */
function holdersOf(binding: Binding, budget: Budget): Holder[] {
  if ('namespace' in binding) return [binding]
  budget.steps -= 1
  if (budget.steps < 0) return []
  const { source, node } = binding
  const all = (nodes: readonly Expression[]) => nodes.flatMap(inner => holdersOf({ source, node: inner }, budget))
  switch (node.type) {
    case 'ObjectExpression':
    case 'ArrayExpression':
      return [{ source, node }]
    case 'Identifier': {
      const found = findBinding(source, node.name)
      return found === undefined ? [] : holdersOf(found, budget)
    }
    case 'MemberExpression': {
      const name = keyName(node.property, node.computed)
      if (name === undefined) return []
      return holdersOf({ source, node: node.object }, budget).flatMap(holder => {
        const member = memberOf(holder, name, budget)
        return member === undefined ? [] : holdersOf(member.value, budget)
      })
    }
    case 'CallExpression':
    case 'NewExpression': {
      // What a call returns is as a rule what it was given: defineConfig({ … }), rateLimit({ … }), Object.freeze({ … }).
      const given = node.arguments.filter(argument => argument.type !== 'SpreadElement')
      return all(node.callee.type === 'Identifier' ? [...given, node.callee] : given)
    }
    case 'ConditionalExpression':
      return all([node.consequent, node.alternate])
    case 'LogicalExpression':
      return all([node.right, node.left])
    case 'SequenceExpression':
      return all(node.expressions.slice(-1))
    case 'AwaitExpression':
      return all([node.argument])
    case 'ChainExpression':
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
    case 'TSNonNullExpression':
      return all([node.expression])
    case 'ArrowFunctionExpression':
      return all(node.body.type === 'BlockStatement' ? returned(node.body.body) : [node.body])
    case 'FunctionExpression':
    case 'FunctionDeclaration':
      return all(returnedBy(node))
    default:
      return []
  }
}

function returnedBy(node: FunctionNode): Expression[] {
  return node.body === null ? [] : returned(node.body.body)
}

/** What a function body returns at its own level. */
function returned(body: readonly Statement[]): Expression[] {
  return body.flatMap(statement =>
    statement.type === 'ReturnStatement' && statement.argument !== null ? [statement.argument] : [],
  )
}

function memberOf(holder: Holder, segment: string | number, budget: Budget): Member | undefined {
  if ('namespace' in holder) {
    const value = findExport(holder.namespace, String(segment))
    if (value === undefined) return undefined
    if ('namespace' in value) return { value, source: value.namespace, at: { start: 0, end: 0 }, key: undefined }
    return { value, source: value.source, at: value.node, key: undefined }
  }
  const { source, node } = holder
  return node.type === 'ObjectExpression'
    ? propertyOf(source, node, String(segment), budget)
    : elementOf(source, node, Number(segment), budget)
}

function propertyOf(source: Source, node: ObjectExpression, name: string, budget: Budget): Member | undefined {
  // The last one written wins, as it does at run time.
  for (const property of node.properties.toReversed()) {
    if (property.type === 'SpreadElement') {
      for (const holder of holdersOf({ source, node: property.argument }, budget)) {
        const member = memberOf(holder, name, budget)
        if (member !== undefined) return member
      }
    } else if (keyName(property.key, property.computed) === name) {
      return { value: { source, node: property.value }, source, at: property.value, key: property.key }
    }
  }
  return undefined
}

function elementOf(source: Source, node: ArrayExpression, index: number, budget: Budget): Member | undefined {
  let left = index
  for (const element of node.elements) {
    if (element?.type === 'SpreadElement') {
      const spread = arrayOf({ source, node: element.argument }, budget)
      const length = spread && lengthOf(spread.source, spread.node, budget)
      // How many elements come before the wanted one is anybody's guess from here on.
      if (spread === undefined || length === undefined) return undefined
      if (left < length) return elementOf(spread.source, spread.node, left, budget)
      left -= length
    } else if (left === 0) {
      return element === null ? undefined : { value: { source, node: element }, source, at: element, key: undefined }
    } else left -= 1
  }
  return undefined
}

function arrayOf(spot: Spot, budget: Budget): { source: Source; node: ArrayExpression } | undefined {
  for (const holder of holdersOf(spot, budget)) {
    if ('node' in holder && holder.node.type === 'ArrayExpression') return { source: holder.source, node: holder.node }
  }
  return undefined
}

function lengthOf(source: Source, node: ArrayExpression, budget: Budget): number | undefined {
  let length = 0
  for (const element of node.elements) {
    if (element?.type !== 'SpreadElement') {
      length += 1
      continue
    }
    const spread = arrayOf({ source, node: element.argument }, budget)
    const inner = spread && lengthOf(spread.source, spread.node, budget)
    if (inner === undefined) return undefined
    length += inner
  }
  return length
}

/** The name that a key spells out; undefined for one that is computed. */
function keyName(key: PropertyKey, computed: boolean): string | undefined {
  if (key.type === 'Identifier') return computed ? undefined : key.name
  if (key.type === 'Literal') return String(key.value)
  if (key.type === 'TemplateLiteral' && key.expressions.length === 0) return key.quasis[0]?.value.cooked ?? undefined
  return undefined
}
