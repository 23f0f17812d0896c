import type { Spot } from '../read/node.ts'
import type { CallIr, Ir, ObjectIr } from './ir.ts'
import type { Mark } from './source-map.ts'

export interface Printed {
  readonly code: string
  readonly marks: readonly Mark[]
}

/** Prints a config as the module that exports it. */
export function printModule(config: ObjectIr): Printed {
  const imports = new Imports(['defineConfig'])
  imports.collect(config)
  const writer = new Writer(imports)
  imports.print(writer)
  writer.write('\nexport default defineConfig(')
  writer.value(config, undefined)
  writer.write(')\n')
  return writer.printed()
}

/** What the calls of a config import, under names that do not collide. */
class Imports {
  readonly #packages = new Map<string, { readonly at: Spot | undefined; readonly names: Map<string, string> }>()
  readonly #taken = new Set<string>()

  constructor(core: readonly string[]) {
    for (const name of core) this.#add('@gateway/core', name, undefined)
  }

  collect(ir: Ir): void {
    if (ir.kind === 'list') for (const item of ir.items) this.collect(item)
    else if (ir.kind === 'object') for (const value of ir.entries.values()) this.collect(value)
    else if (ir.kind === 'call') {
      this.#add(ir.from, base(ir.name), ir.at)
      for (const argument of ir.args) this.collect(argument)
    }
  }

  nameOf({ from, name }: CallIr): string {
    const local = this.#packages.get(from)?.names.get(base(name)) ?? base(name)
    return local + name.slice(base(name).length)
  }

  print(writer: Writer): void {
    for (const [from, { at, names }] of [...this.#packages].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const list = [...names].map(([name, local]) => (name === local ? name : `${name} as ${local}`))
      writer.write('import { ')
      // What is wrong with a name is told of it, what is wrong with a package of its specifier.
      writer.mark(at)
      writer.write(`${list.sort().join(', ')} } from `)
      writer.mark(at)
      writer.write(`${quote(from)}\n`)
    }
  }

  #add(from: string, name: string, at: Spot | undefined): void {
    const known = this.#packages.get(from) ?? { at, names: new Map<string, string>() }
    this.#packages.set(from, known)
    if (known.names.has(name)) return
    let local = name
    for (let count = 2; this.#taken.has(local); count++) local = `${name}${count}`
    this.#taken.add(local)
    known.names.set(name, local)
  }
}

const base = (name: string) => name.split('.', 1)[0] ?? name

class Writer {
  readonly #imports: Imports
  readonly #marks: Mark[] = []
  readonly #pieces: string[] = []
  #line = 0
  #column = 0

  constructor(imports: Imports) {
    this.#imports = imports
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

  /** `outer`: the place of what it is in. */
  value(ir: Ir, outer: Spot | undefined, indent = ''): void {
    const at = ir.at ?? outer
    this.mark(at)
    if (ir.kind === 'value') this.write(ir.value instanceof RegExp ? String(ir.value) : quoteAny(ir.value))
    else if (ir.kind === 'call') {
      this.write(`${this.#imports.nameOf(ir)}(`)
      for (const [index, argument] of ir.args.entries()) {
        if (index > 0) this.write(', ')
        this.value(argument, at, indent)
      }
      this.write(')')
    } else if (ir.kind === 'list') this.#list(ir.items, at, indent)
    else this.#object(ir, at, indent)
  }

  #list(items: readonly Ir[], at: Spot | undefined, indent: string): void {
    const inner = `${indent}  `
    const flat = items.every(item => item.kind === 'value')
    this.write('[')
    for (const [index, item] of items.entries()) {
      this.write(flat ? (index > 0 ? ', ' : '') : `\n${inner}`)
      this.value(item, at, inner)
      if (!flat) this.write(',')
    }
    this.write(flat ? ']' : `\n${indent}]`)
  }

  #object({ entries, keys }: ObjectIr, at: Spot | undefined, indent: string): void {
    if (entries.size === 0) return this.write('{}')
    const inner = `${indent}  `
    this.write('{')
    for (const [key, value] of entries) {
      this.write(`\n${inner}`)
      this.mark(keys?.get(key) ?? value.at ?? at)
      this.write(`${quoteKey(key)}: `)
      this.value(value, at, inner)
      this.write(',')
    }
    this.write(`\n${indent}}`)
  }
}

export function quote(text: string): string {
  const json = JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

function quoteAny(value: string | number | boolean | null): string {
  return typeof value === 'string' ? quote(value) : String(value)
}

function quoteKey(key: string): string {
  // Written plainly, it would set the prototype.
  if (key === '__proto__') return "['__proto__']"
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? key : quote(key)
}
