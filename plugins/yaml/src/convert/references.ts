import type { CallIr, Ir, ListIr, ObjectIr, TemplateIr, ValueIr } from '../ir/ir.ts'
import { call } from '../ir/make-ir.ts'
import { piecesOf } from '../read/expand.ts'
import type { Reference, Scalar } from '../read/node.ts'
import { toFlag, toNumber } from '../table/coerce.ts'

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

function carry(ir: ValueIr, node: Scalar, key: string): CallIr | TemplateIr | undefined {
  const { value, at } = ir
  const pieces = piecesOf(node.written ?? node.text).filter(piece => piece !== '')
  const [only, ...others] = pieces
  if (typeof value === 'number') return single(only, others, 'number', fallback => toNumber(scalarFor(fallback, node)))
  if (typeof value === 'boolean') return single(only, others, 'boolean', fallback => toFlag(scalarFor(fallback, node)))
  if (typeof value !== 'string' || words.has(key)) return undefined
  if (value === node.text && others.length === 0) return single(only, [], 'string', fallback => fallback)
  const [before, after, ...more] = value.split(node.text)
  if (before === undefined || after === undefined || more.length > 0) return undefined
  // The path of a match has to begin with a slash, in its type as well.
  if (key === 'match' && !before.includes('/') && !(typeof only === 'string' && only.startsWith('/'))) return undefined
  // A duration and the like: a number with its unit.
  const isNumber = others.length === 0 && /^\d+$/.test(node.text) && value !== node.text
  const parts = [before, ...pieces, after].flatMap((piece): readonly (ValueIr | CallIr)[] => {
    if (piece === '') return []
    if (typeof piece === 'string') return [{ kind: 'value', value: piece }]
    return [isNumber ? read('number', piece, Number) : read('string', piece, text => text)]
  })
  return { kind: 'template', parts, at }

  function single<T extends string | number | boolean>(
    piece: string | Reference | undefined,
    rest: readonly unknown[],
    type: string,
    parse: (fallback: string) => T | undefined,
  ): CallIr | undefined {
    if (typeof piece !== 'object' || rest.length > 0) return undefined
    return { ...read(type, piece, parse), at }
  }
}

function read(
  type: string,
  { name, fallback }: Reference,
  parse: (fallback: string) => string | number | boolean | undefined,
): CallIr {
  const otherwise = fallback === undefined ? undefined : parse(fallback)
  return call('@gateway/core', `env.${type}`, otherwise === undefined ? [name] : [name, { default: otherwise }])
}

const scalarFor = (text: string, node: Scalar): Scalar => ({ ...node, text })
