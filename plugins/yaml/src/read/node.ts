/** A file that was read. */
export interface Source {
  /** Absolute path. */
  readonly file: string
  /** Line and column, 1-based, of an offset in UTF-16 code units. */
  place(offset: number): { readonly line: number; readonly column: number }
}

/** A place in a file. Every node is one. */
export interface Spot {
  readonly source: Source
  readonly offset: number
  /** Where it was not the file that said this, the name of the environment variable that did. */
  readonly variable?: string | undefined
}

/** Comments beside a value, without their `#`; of several lines, a line each. */
export interface Comments {
  readonly before?: string
  readonly after?: string
}

/** `${NAME}` or `${NAME:-fallback}`, as a scalar named it. */
export interface Reference {
  readonly name: string
  readonly fallback: string | undefined
}

interface Base extends Spot {
  readonly comments?: Comments | undefined
}

export interface Scalar extends Base {
  readonly kind: 'scalar'
  /** References are expanded in it. */
  readonly text: string
  /** As it was written, where that differs. */
  readonly written?: string
  /** Without quotes: what it looks like says what it is. */
  readonly plain: boolean
  readonly references: readonly Reference[]
}

export interface Entry {
  readonly key: Spot
  readonly value: Node
}

export interface Mapping extends Base {
  readonly kind: 'mapping'
  readonly entries: ReadonlyMap<string, Entry>
}

export interface Sequence extends Base {
  readonly kind: 'sequence'
  readonly items: readonly Node[]
}

/** What a file says, with anchors, merge keys and references resolved. Nodes may be shared, and are never changed. */
export type Node = Scalar | Mapping | Sequence

/** What stands for nothing: the key counts as absent. */
export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.plain && /^(?:~|null|Null|NULL|)$/.test(node.text)
}

/** The mapping's value under a key; undefined where there is none, or null. */
export function valueAt(node: Node | undefined, key: string): Node | undefined {
  const value = node?.kind === 'mapping' ? node.entries.get(key)?.value : undefined
  return value === undefined || isNull(value) ? undefined : value
}

/** The value at a path such as `frontend.http`. */
export function nodeAt(root: Node, path: string): Node | undefined {
  return path.split('.').reduce<Node | undefined>((node, key) => valueAt(node, key), root)
}
