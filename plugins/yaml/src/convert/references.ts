import type { CallIr, Ir, ListIr, ObjectIr, TemplateIr, ValueIr } from '../ir/ir.ts'
import { call, type Input } from '../ir/make-ir.ts'
import { piecesOf } from '../read/expand.ts'
import type { Reference, Scalar } from '../read/node.ts'
import { toFlag, toNumber, toText } from '../table/coerce.ts'

/** Where the types want one of a few words, or a name that the config itself has, a text of the environment will not do. */
const words: ReadonlySet<string> = new Set([
  'balance',
  'listener',
  'maxVersion',
  'methods',
  'minVersion',
  'mode',
  'protocol',
  'service',
  'use',
])

/**
 * Has a config read the environment variables that its YAML names. `baked` gets those scalars that were read for what
 * they come to, so that the variable would count no more.
 */
export function withReferences(config: ObjectIr, baked: Set<Scalar>, carried: Set<Scalar>): ObjectIr {
  return new Carrier(baked, carried).object(config)
}

class Carrier {
  readonly #baked: Set<Scalar>
  readonly #carried: Set<Scalar>

  constructor(baked: Set<Scalar>, carried: Set<Scalar>) {
    this.#baked = baked
    this.#carried = carried
  }

  object(ir: ObjectIr): ObjectIr {
    return { ...ir, entries: new Map([...ir.entries].map(([key, value]) => [key, this.#change(value, key)])) }
  }

  #change(ir: Ir, key: string): Ir {
    if (ir.kind === 'object') return this.object(ir)
    if (ir.kind === 'list') return { ...ir, items: ir.items.map(item => this.#change(item, key)) } satisfies ListIr
    if (ir.kind === 'call') return this.#call(ir, key)
    if (ir.kind === 'template') return ir
    const node = scalarOf(ir)
    if (node === undefined) return ir
    const made = carry(ir, node, key)
    ;(made === undefined ? this.#baked : this.#carried).add(node)
    return made ?? ir
  }

  #call(ir: CallIr, key: string): CallIr {
    const node = scalarOf(ir)
    const [first] = ir.args
    if (node !== undefined && ir.name === 'secret' && first?.kind === 'value') {
      this.#carried.add(node)
      return ir
    }
    return { ...ir, args: ir.args.map(argument => this.#change(argument, key)) }
  }
}

function scalarOf({ at }: Ir): Scalar | undefined {
  // A place that was read is a node.
  const node = at !== undefined && 'references' in at ? (at as Scalar) : undefined
  return node !== undefined && node.references.length > 0 ? node : undefined
}

/** Undefined where what was read is no more to be seen in the value: `weight: 0` of what is not healthy. */
function carry({ value, at }: ValueIr, node: Scalar, key: string): CallIr | TemplateIr | undefined {
  const pieces = piecesOf(node.written ?? node.text).filter(piece => piece !== '')
  const [only] = pieces.length === 1 ? pieces : []
  const whole = typeof only === 'object' ? only : undefined
  if (typeof value === 'number' || typeof value === 'boolean') {
    const [type, parse] = typeof value === 'number' ? (['number', toNumber] as const) : (['boolean', toFlag] as const)
    return whole && parse(node) === value ? read(type, whole, parse, node) : undefined
  }
  if (typeof value !== 'string' || node.text === '' || words.has(key)) return undefined
  if (value === node.text && whole !== undefined) return read('string', whole, toText, node)
  const [before = '', after, ...more] = value.split(node.text)
  if (after === undefined || more.length > 0) return undefined
  // The path of a match has to begin with a slash, in its type as well.
  const [first] = pieces
  if (key === 'match' && !(typeof first === 'string' && first.startsWith('/'))) return undefined
  // A duration and the like: a number with its unit.
  const isNumber = whole !== undefined && value !== node.text && toNumber(node) !== undefined
  const parts: (ValueIr | CallIr)[] = []
  for (const piece of [before, ...pieces, after]) {
    if (typeof piece === 'string') parts.push({ kind: 'value', value: piece })
    else {
      const call = isNumber ? read('number', piece, toNumber, node) : read('string', piece, toText, node)
      if (call === undefined) return undefined
      parts.push(call)
    }
  }
  return { kind: 'template', parts, at }
}

/** A call that reads a variable, with what it is where it is not set; undefined where that is of another type. */
function read(
  type: 'string' | 'number' | 'boolean',
  { name, fallback }: Reference,
  parse: (scalar: Scalar) => string | number | boolean | undefined,
  node: Scalar,
): CallIr | undefined {
  const from = (args: readonly Input[]) => call('@gateway/core', `env.${type}`, args, node)
  if (fallback === undefined) return from([name])
  const otherwise = parse({ ...node, text: fallback })
  return otherwise === undefined ? undefined : from([name, { default: otherwise }])
}
