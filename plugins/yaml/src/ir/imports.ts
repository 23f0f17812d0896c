import type { Spot } from '../read/node.ts'
import type { CallIr, Ir } from './ir.ts'
import { quote } from './quote.ts'

/** The import of a package. */
export interface ImportLine {
  readonly at: Spot | undefined
  readonly before: string
  readonly specifier: string
}

/** What the calls of a config import, under names that do not collide. */
export class Imports {
  readonly #packages = new Map<string, { readonly at: Spot | undefined; readonly names: Map<string, string> }>()
  readonly #taken = new Set<string>()

  constructor(core: readonly string[]) {
    for (const name of core) this.#add('@gateway/core', name, undefined)
  }

  collect(ir: Ir): void {
    if (ir.kind === 'list') for (const item of ir.items) this.collect(item)
    else if (ir.kind === 'object') for (const value of ir.entries.values()) this.collect(value)
    else if (ir.kind === 'template') for (const part of ir.parts) this.collect(part)
    else if (ir.kind === 'call') {
      this.#add(ir.from, base(ir.name), ir.at)
      for (const argument of ir.args) this.collect(argument)
    }
  }

  nameOf({ from, name }: CallIr): string {
    const local = this.#packages.get(from)?.names.get(base(name)) ?? base(name)
    return local + name.slice(base(name).length)
  }

  /** Node's own modules first, then packages, then files. */
  *lines(): Generator<ImportLine> {
    const order = (from: string) => (from.startsWith('node:') ? 0 : from.startsWith('.') ? 2 : 1)
    const sorted = [...this.#packages].sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1))
    for (const [from, { at, names }] of sorted) {
      const list = [...names].map(([name, local]) => (name === local ? name : `${name} as ${local}`))
      yield { at, before: `${list.sort().join(', ')} } from `, specifier: quote(from) }
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
