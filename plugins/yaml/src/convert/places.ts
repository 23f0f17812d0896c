import { isNull, type Node, type Scalar } from '../read/node.ts'

/** The nodes of a file, in the order in which they stand, without what is the file's own business (`x-…`). */
export class Places {
  /** Each with what it is in. */
  readonly #parents = new Map<Node, Node | undefined>()
  readonly #byPlace = new Map<string, Node>()

  constructor(root: Node) {
    this.#add(root, undefined)
  }

  get nodes(): Iterable<Node> {
    return this.#parents.keys()
  }

  /** Those that name environment variables. */
  *references(): Generator<Scalar> {
    for (const node of this.nodes) if (node.kind === 'scalar' && node.references.length > 0) yield node
  }

  parentOf(node: Node): Node | undefined {
    return this.#parents.get(node)
  }

  /** What stands at a place, by its key or by itself. */
  at(file: string, line: number, column: number): Node | undefined {
    return this.#byPlace.get(`${file}:${line}:${column}`)
  }

  #add(node: Node, parent: Node | undefined): void {
    // What an anchor stands for comes up again under each alias.
    if (this.#parents.has(node)) return
    this.#parents.set(node, parent)
    this.#place(node, node)
    for (const child of childrenOf(node)) this.#add(child, node)
    if (node.kind !== 'mapping') return
    for (const { key, value } of node.entries.values()) this.#place(key, isNull(value) ? node : value)
  }

  #place({ source, offset }: Pick<Node, 'source' | 'offset'>, node: Node): void {
    const { line, column } = source.place(offset)
    const place = `${source.file}:${line}:${column}`
    if (!this.#byPlace.has(place)) this.#byPlace.set(place, node)
  }
}

export function childrenOf(node: Node): readonly Node[] {
  if (node.kind === 'sequence') return node.items
  if (node.kind === 'scalar') return []
  return [...node.entries].flatMap(([name, { value }]) => (name.startsWith('x-') ? [] : [value]))
}
