import type { Spot } from '../read/node.ts'
import { Imports } from './imports.ts'
import type { Ir, ListIr, ObjectIr } from './ir.ts'
import { quote, quoteInTemplate, quoteKey } from './quote.ts'
import type { Mark } from './source-map.ts'

export interface Printed {
  readonly code: string
  readonly marks: readonly Mark[]
}

/** Comments for readers of the module, without their slashes; a line each. */
export interface Notes {
  /** At the top of the file. */
  readonly header: readonly string[]
  /** Beside what they are about, where that comes up first. */
  readonly of: ReadonlyMap<Ir, Note>
}

export interface Note {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** Prints a config as the module that exports it, in the form that Biome and Prettier give it at this width. */
export function printModule(config: ObjectIr, notes: Notes = { header: [], of: new Map() }): Printed {
  const imports = new Imports(['defineConfig'])
  imports.collect(config)
  const writer = new Writer(imports, notes.of)
  for (const line of notes.header) writer.write(`${comment(line)}\n`)
  for (const { at, before, specifier } of imports.lines()) {
    writer.write('import { ')
    // What is wrong with a name is told of it, what is wrong with a package of its specifier.
    writer.mark(at)
    writer.write(before)
    writer.mark(at)
    writer.write(`${specifier}\n`)
  }
  writer.write('\nexport default defineConfig(')
  writer.config(config)
  writer.write(')\n')
  return writer.printed()
}

const width = 120

/** Of the config, these are tables, an entry a line, however short. */
const tables: readonly string[] = ['services', 'routes']

/** How something is printed: the place of what it is in, the indent of its line, how much follows it on its line. */
interface Around {
  readonly at: Spot | undefined
  readonly indent: string
  readonly after: number
}

class Writer {
  readonly #imports: Imports
  /** Those that are not printed yet. */
  readonly #notes: Map<Ir, Note>
  readonly #marks: Mark[] = []
  readonly #pieces: string[] = []
  #line = 0
  #column = 0

  constructor(imports: Imports, notes: ReadonlyMap<Ir, Note>) {
    this.#imports = imports
    this.#notes = new Map(notes)
  }

  printed(): Printed {
    return { code: this.#pieces.join(''), marks: this.#marks }
  }

  write(text: string): void {
    this.#pieces.push(text)
    const lines = text.split('\n')
    this.#line += lines.length - 1
    this.#column = (lines.length === 1 ? this.#column : 0) + (lines.at(-1)?.length ?? 0)
  }

  mark(at: Spot | undefined): void {
    if (at !== undefined) this.#marks.push({ line: this.#line, column: this.#column, at })
  }

  config(config: ObjectIr): void {
    this.#object(config, { at: undefined, indent: '', after: 1 }, false, tables)
  }

  #value(ir: Ir, around: Around, flat = this.#fits(ir, around)): void {
    const at = ir.at ?? around.at
    this.mark(at)
    if (ir.kind === 'object') this.#object(ir, { ...around, at }, flat)
    else if (ir.kind === 'list') this.#list(ir, { ...around, at }, flat)
    else if (ir.kind === 'call') {
      this.write(`${this.#imports.nameOf(ir)}(`)
      for (const [index, argument] of ir.args.entries()) {
        if (index > 0) this.write(', ')
        this.#value(argument, { ...around, at, after: around.after + 1 }, flat || argument.kind === 'value')
      }
      this.write(')')
    } else if (ir.kind === 'template') {
      this.write('`')
      for (const part of ir.parts) {
        const isText = part.kind === 'value'
        this.write(isText ? quoteInTemplate(String(part.value)) : '${')
        if (!isText) this.#value(part, { ...around, at }, true)
        if (!isText) this.write('}')
      }
      this.write('`')
    } else this.write(literal(ir.value))
  }

  #list({ items }: ListIr, around: Around, flat: boolean): void {
    const inner = { ...around, indent: `${around.indent}  `, after: 1 }
    this.write('[')
    for (const [index, item] of items.entries()) {
      if (flat) {
        if (index > 0) this.write(', ')
        this.#value(item, inner, true)
      } else this.#lineOf(item, inner, () => this.#value(item, inner))
    }
    this.write(flat ? ']' : `\n${around.indent}]`)
  }

  #object({ entries, keys }: ObjectIr, around: Around, flat: boolean, expanded: readonly string[] = []): void {
    if (entries.size === 0) return this.write('{}')
    const inner = { ...around, indent: `${around.indent}  `, after: 1 }
    let count = 0
    this.write('{')
    for (const [key, value] of entries) {
      const print = (isFlat?: boolean) => {
        this.mark(keys?.get(key) ?? value.at ?? around.at)
        this.write(`${quoteKey(key)}:`)
        const breaks = isFlat === undefined && value.kind === 'value' && this.#breaksAfter(key, value, inner)
        this.write(breaks ? `\n${inner.indent}  ` : ' ')
        this.#value(value, inner, isFlat)
      }
      if (flat) {
        this.write(count++ > 0 ? ', ' : ' ')
        print(true)
      } else this.#lineOf(value, inner, () => print(expanded.includes(key) ? false : undefined))
    }
    this.write(flat ? ' }' : `\n${around.indent}}`)
  }

  /** A line, or several, of what is in a list or an object, with its notes. */
  #lineOf(ir: Ir, { indent }: Around, print: () => void): void {
    const note = this.#notes.get(ir)
    this.#notes.delete(ir)
    for (const line of note?.before ?? []) this.write(`\n${indent}${comment(line)}`)
    this.write(`\n${indent}`)
    const first = this.#line
    print()
    this.write(',')
    const { after = [] } = note ?? {}
    const isBeside = after.length === 1 && first === this.#line
    for (const line of after) this.write(isBeside ? ` ${comment(line)}` : `\n${indent}${comment(line)}`)
  }

  /** A text that is too long for its line goes to the next one, where that wins enough. */
  #breaksAfter(key: string, value: Ir & { kind: 'value' }, around: Around): boolean {
    return typeof value.value === 'string' && quoteKey(key).length > 4 && !this.#fits(value, around, 1)
  }

  #fits(ir: Ir, { after }: Around, more = 0): boolean {
    return this.#room(ir, width - this.#column - after - more) >= 0
  }

  /** What is left of so many columns after this on one line; less than none also where it takes several. */
  #room(ir: Ir, columns: number, within = false): number {
    if (columns < 0 || (within && this.#notes.has(ir))) return -1
    if (ir.kind === 'value') return columns - literal(ir.value).length
    if (ir.kind === 'template') {
      const lengths = ir.parts.map(part => (part.kind === 'value' ? quoteInTemplate(String(part.value)).length : 3))
      const others = ir.parts.filter(part => part.kind !== 'value')
      return this.#roomOf(others, columns - 2 - lengths.reduce((sum, length) => sum + length, 0), 0)
    }
    if (ir.kind === 'call') return this.#roomOf(ir.args, columns - this.#imports.nameOf(ir).length - 2, 2)
    if (ir.kind === 'list') return isMatrix(ir) ? -1 : this.#roomOf(ir.items, columns - 2, 2)
    if (ir.entries.size === 0) return columns - 2
    let left = columns - 2
    for (const [key, value] of ir.entries) {
      left = this.#room(value, left - quoteKey(key).length - 4, true)
      if (left < 0) return left
    }
    return left
  }

  #roomOf(all: readonly Ir[], columns: number, between: number): number {
    let left = columns + between
    for (const ir of all) {
      left = this.#room(ir, left - between, true)
      if (left < 0) return left
    }
    return all.length === 0 ? columns : left
  }
}

/** Several lists or objects of several entries each go on lines of their own. */
function isMatrix({ items }: ListIr): boolean {
  if (items.length < 2) return false
  return (
    items.every(item => item.kind === 'object' && item.entries.size > 1) ||
    items.every(item => item.kind === 'list' && item.items.length > 1)
  )
}

function literal(value: string | number | boolean | null | RegExp): string {
  return typeof value === 'string' ? quote(value) : String(value)
}

const comment = (line: string) => `//${line === '' || line.startsWith(' ') ? '' : ' '}${line}`.trimEnd()
