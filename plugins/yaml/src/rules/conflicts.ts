import type { Spot } from '../read/node.ts'

/** A path of a rule, for whoever looks for others that some request meets as well. */
export interface Claim {
  readonly rule: string
  readonly at: Spot
  /** A pattern of the gateway: `/users/:id/*`. */
  readonly path: string
  /** Undefined: any. */
  readonly methods: readonly string[] | undefined
}

interface TreeNode {
  readonly literals: Map<string, TreeNode>
  param: TreeNode | undefined
  /** Patterns that end here, and those that take all that is below. */
  readonly exact: Claim[]
  readonly rest: Claim[]
}

/**
 * Pairs of claims of which neither is more specific than the other, while some requests meet both: by the rules of Go's
 * ServeMux they contradict each other. The later one comes second.
 */
export function* findConflicts(claims: readonly Claim[]): Generator<readonly [Claim, Claim]> {
  const root = makeNode()
  for (const claim of claims) {
    const { segments, wildcard } = partsOf(claim.path)
    for (const other of overlapping(root, segments, 0, wildcard)) {
      if (contradict(other, claim)) yield [other, claim]
    }
    insert(root, segments, wildcard, claim)
  }
}

function contradict(a: Claim, b: Claim): boolean {
  if (!meet(a.methods, b.methods)) return false
  const order = compare(partsOf(a.path), partsOf(b.path))
  if (order !== 'same') return order === 'neither'
  // For the same paths the one that names fewer methods is more specific.
  return !(contains(a.methods, b.methods) !== contains(b.methods, a.methods))
}

function meet(a: Claim['methods'], b: Claim['methods']): boolean {
  return a === undefined || b === undefined || a.some(method => b.includes(method))
}

function contains(a: Claim['methods'], b: Claim['methods']): boolean {
  return a === undefined || (b?.every(method => a.includes(method)) ?? false)
}

interface Parts {
  readonly segments: readonly string[]
  readonly wildcard: boolean
}

function partsOf(path: string): Parts {
  const segments = path.slice(1).split('/')
  const wildcard = segments.at(-1) === '*'
  return { segments: wildcard ? segments.slice(0, -1) : segments, wildcard }
}

const isParam = (segment: string | undefined) => segment?.startsWith(':') === true

/** Of two patterns that overlap. */
function compare(a: Parts, b: Parts): 'first' | 'second' | 'same' | 'neither' {
  let first = a.segments.length > b.segments.length || (!a.wildcard && b.wildcard)
  let second = b.segments.length > a.segments.length || (!b.wildcard && a.wildcard)
  for (const [index, segment] of a.segments.entries()) {
    const other = b.segments[index]
    if (other === undefined) break
    if (isParam(other) && !isParam(segment)) first = true
    if (isParam(segment) && !isParam(other)) second = true
  }
  if (first && second) return 'neither'
  return first ? 'first' : second ? 'second' : 'same'
}

function* overlapping(node: TreeNode, segments: readonly string[], index: number, wildcard: boolean): Generator<Claim> {
  const segment = segments[index]
  if (segment === undefined) {
    if (!wildcard) return yield* node.exact
    yield* node.rest
    for (const child of childrenOf(node)) yield* everything(child)
    return
  }
  // A wildcard takes one segment at least, be it empty.
  yield* node.rest
  // A parameter takes no empty segment.
  if (node.param !== undefined && segment !== '') yield* overlapping(node.param, segments, index + 1, wildcard)
  if (!isParam(segment)) {
    const child = node.literals.get(segment)
    if (child !== undefined) yield* overlapping(child, segments, index + 1, wildcard)
  } else {
    for (const [literal, child] of node.literals) {
      if (literal !== '') yield* overlapping(child, segments, index + 1, wildcard)
    }
  }
}

function* everything(node: TreeNode): Generator<Claim> {
  yield* node.exact
  yield* node.rest
  for (const child of childrenOf(node)) yield* everything(child)
}

function* childrenOf({ literals, param }: TreeNode): Generator<TreeNode> {
  yield* literals.values()
  if (param !== undefined) yield param
}

function insert(root: TreeNode, segments: readonly string[], wildcard: boolean, claim: Claim): void {
  let node = root
  for (const segment of segments) node = childFor(node, segment)
  node[wildcard ? 'rest' : 'exact'].push(claim)
}

function childFor(node: TreeNode, segment: string): TreeNode {
  if (isParam(segment)) {
    node.param ??= makeNode()
    return node.param
  }
  const known = node.literals.get(segment)
  if (known !== undefined) return known
  const made = makeNode()
  node.literals.set(segment, made)
  return made
}

function makeNode(): TreeNode {
  return { literals: new Map(), param: undefined, exact: [], rest: [] }
}
