import { each, type Sliced } from '../slices.ts'
import { compareEndpoints, type Endpoint, pick } from './endpoint.ts'
import type { Pattern } from './pattern.ts'
import type { FieldReader } from './predicate.ts'

/** What may follow one slash. Where it stands below a literal it is also that literal, in the hash table of its parent. */
export interface Node<T> {
  literals: Map<string, Node<T>> | undefined
  /** The literals as a hash table with linear probing, sealed; its size is a power of two, and a slot is always free. */
  table: readonly (Node<T> | undefined)[]
  param: Node<T> | undefined
  /** Endpoints that take the rest of the path. */
  wildcard: Endpoint<T>[] | undefined
  /** Endpoints whose path ends before the slash. */
  here: Endpoint<T>[] | undefined
  /** Its literal with all that follows without a choice: `v1/users/active`. */
  run: string
  /** Of the first segment of the run alone. */
  hash: number
  /** Where the run leads; undefined: here. */
  end: Node<T> | undefined
  /** The edit that may change it in place: nobody walks it yet. */
  edit: Edit | undefined
}

/** Changes to trees that are walked meanwhile: what they touch is copied first, all else is shared. */
export type Edit = object

function ownNode<T>(node: Node<T> | undefined, edit: Edit): Node<T> {
  if (node?.edit === edit) return node
  return {
    literals: node?.literals && new Map(node.literals),
    table: none,
    param: node?.param,
    wildcard: node?.wildcard?.slice(),
    here: node?.here?.slice(),
    run: '',
    hash: 0,
    end: undefined,
    edit,
  }
}

const none: never[] = []

const slotOf = ({ wildcard }: Pattern) => (wildcard ? 'wildcard' : 'here')

/** Returns what the tree has become. `depth`: the segment that the node has to deal with. */
export function insert<T>(node: Node<T> | undefined, endpoint: Endpoint<T>, edit: Edit, depth = 0): Node<T> {
  const own = ownNode(node, edit)
  const { pattern } = endpoint
  const segment = pattern.segments[depth]
  if (segment === undefined) {
    const slot = slotOf(pattern)
    const endpoints = own[slot]
    if (endpoints === undefined) own[slot] = [endpoint]
    else endpoints.push(endpoint)
  } else if (segment.key === undefined) own.param = insert(own.param, endpoint, edit, depth + 1)
  else {
    own.literals ??= new Map()
    own.literals.set(segment.key, insert(own.literals.get(segment.key), endpoint, edit, depth + 1))
  }
  return own
}

/** Takes out what was put in for a route; undefined when nothing is left. */
export function remove<T>(
  node: Node<T> | undefined,
  route: { readonly name: string; readonly pattern: Pattern },
  edit: Edit,
  depth = 0,
): Node<T> | undefined {
  if (node === undefined) return undefined
  const own = ownNode(node, edit)
  const segment = route.pattern.segments[depth]
  if (segment === undefined) {
    const slot = slotOf(route.pattern)
    const left = own[slot]?.filter(({ name }) => name !== route.name)
    own[slot] = left?.length === 0 ? undefined : left
  } else if (segment.key === undefined) own.param = remove(own.param, route, edit, depth + 1)
  else {
    const child = remove(own.literals?.get(segment.key), route, edit, depth + 1)
    if (child === undefined) own.literals?.delete(segment.key)
    else own.literals?.set(segment.key, child)
    if (own.literals?.size === 0) own.literals = undefined
  }
  return (own.literals ?? own.param ?? own.wildcard ?? own.here) ? own : undefined
}

/** Sorts each list of endpoints and makes the hash tables of what the edit touched, which ends it. */
export function* seal<T>(root: Node<T>, edit: Edit): Sliced<void> {
  // A run is made of those below it, so backwards: the children before their parents.
  const nodes: Node<T>[] = []
  const texts: string[] = []
  const add = (node: Node<T> | undefined, text: string) => {
    if (node?.edit !== edit) return
    nodes.push(node)
    texts.push(text)
  }
  add(root, '')
  // It grows meanwhile.
  yield* each(nodes, ({ literals, param }) => {
    add(param, '')
    for (const [text, child] of literals ?? none) add(child, text)
  })
  nodes.reverse()
  texts.reverse()
  yield* each(nodes, (node, place) => {
    node.edit = undefined
    node.here?.sort(compareEndpoints)
    node.wildcard?.sort(compareEndpoints)
    const { literals } = node
    if (literals !== undefined) node.table = tableOf(literals)
    const text = texts[place] ?? ''
    node.run = text
    for (let i = 0; i < text.length; i++) node.hash = mix(node.hash, text.charCodeAt(i))
    if (literals?.size !== 1 || node.param || node.wildcard || node.here) return
    for (const [, next] of literals) {
      node.run = `${text}/${next.run}`
      node.end = next.end ?? next
    }
  })
}

function tableOf<T>(literals: ReadonlyMap<string, Node<T>>): (Node<T> | undefined)[] {
  const size = 2 ** Math.ceil(Math.log2(literals.size * 2))
  const table = new Array<Node<T> | undefined>(size).fill(undefined)
  for (const child of literals.values()) {
    let slot = child.hash & (size - 1)
    while (table[slot] !== undefined) slot = (slot + 1) & (size - 1)
    table[slot] = child
  }
  return table
}

const mix = (hash: number, code: number) => (Math.imul(hash, 31) + code) | 0

/**
 * Depth first, the most specific branch first. `at` is where the segment begins that `node` has to deal with. Hashes the
 * segment where it stands: cutting it out for a Map's look-up costs twice as much.
 *
 * @returns an endpoint; null when paths match but all their endpoints refuse; undefined when no path matches
 */
export function walk<T>(
  node: Node<T>,
  key: string,
  at: number,
  method: string,
  query: string,
  fields: FieldReader,
  listener: string,
): Endpoint<T> | null | undefined {
  const { table, param, wildcard } = node
  let hash = 0
  let end = at
  for (; end < key.length; end++) {
    const code = key.charCodeAt(end)
    if (code === 47 /* / */) break
    hash = mix(hash, code)
  }
  let found: Endpoint<T> | null | undefined
  if (table.length !== 0) {
    const mask = table.length - 1
    let slot = hash & mask
    for (let child = table[slot]; child !== undefined; child = table[slot]) {
      if (child.hash === hash && startsWith(key, child.run, at)) {
        found = step(child.end ?? child, key, at + child.run.length, method, query, fields, listener)
        break
      }
      slot = (slot + 1) & mask
    }
  }
  if (!found && param !== undefined && end !== at) {
    const below = step(param, key, end, method, query, fields, listener)
    if (below !== undefined) found = below
  }
  if (!found && wildcard !== undefined) found = pick(wildcard, method, query, fields, listener)
  return found
}

/** Whether `text`, whole segments, stands in `key` at `at`, whole. */
function startsWith(key: string, text: string, at: number): boolean {
  const end = at + text.length
  if (end !== key.length && key.charCodeAt(end) !== 47 /* / */) return false
  for (let i = 0; i < text.length; i++) if (key.charCodeAt(at + i) !== text.charCodeAt(i)) return false
  return true
}

/** Goes on at `end`, where a segment has ended: at a slash or at the end of the path. */
function step<T>(
  node: Node<T>,
  key: string,
  end: number,
  method: string,
  query: string,
  fields: FieldReader,
  listener: string,
) {
  if (end !== key.length) return walk(node, key, end + 1, method, query, fields, listener)
  return node.here === undefined ? undefined : pick(node.here, method, query, fields, listener)
}

/** Every endpoint whose path matches, the most specific path first. */
export function collect<T>(node: Node<T>, key: string, at: number, endpoints: Endpoint<T>[]): void {
  const slash = key.indexOf('/', at)
  const end = slash === -1 ? key.length : slash
  const literal = node.literals?.get(key.slice(at, end))
  for (const child of [literal, end === at ? undefined : node.param]) {
    if (child === undefined) continue
    if (slash === -1) endpoints.push(...(child.here ?? []))
    else collect(child, key, slash + 1, endpoints)
  }
  endpoints.push(...(node.wildcard ?? []))
}
