import type { Sliced } from '../slices.ts'
import { compareEndpoints, type Endpoint, pick } from './endpoint.ts'
import type { FieldReader } from './predicate.ts'

/** What may follow one slash. */
export interface Node<T> {
  literals: Map<string, Node<T>> | undefined
  /** The literals as a hash table with linear probing, sealed; its size is a power of two, and a slot is always free. */
  runs: readonly (Run<T> | undefined)[]
  param: Node<T> | undefined
  /** Endpoints that take the rest of the path. */
  wildcard: Endpoint<T>[] | undefined
  /** Endpoints whose path ends before the slash. */
  here: Endpoint<T>[] | undefined
}

/** A literal segment with all that follows it without a choice: `v1/users/active`. */
interface Run<T> {
  readonly text: string
  /** Of the first segment alone. */
  readonly hash: number
  readonly end: Node<T>
}

export const createNode = <T>(): Node<T> => ({
  literals: undefined,
  runs: [],
  param: undefined,
  wildcard: undefined,
  here: undefined,
})

export function insert<T>(table: Node<T>, endpoint: Endpoint<T>): void {
  let node = table
  for (const { key } of endpoint.pattern.segments) {
    let child = key === undefined ? node.param : node.literals?.get(key)
    if (child === undefined) {
      child = createNode()
      if (key === undefined) node.param = child
      else {
        node.literals ??= new Map()
        node.literals.set(key, child)
      }
    }
    node = child
  }
  const slot = endpoint.pattern.wildcard ? 'wildcard' : 'here'
  const endpoints = node[slot]
  if (endpoints === undefined) node[slot] = [endpoint]
  else endpoints.push(endpoint)
}

/** Sorts each list of endpoints and makes the hash tables: after the last insert, before the first walk. */
export function* seal<T>(table: Node<T>): Sliced<void> {
  // A run is made of those below it, so backwards: the children before their parents.
  const nodes = [table]
  for (const { literals, param } of nodes) {
    yield
    if (param !== undefined) nodes.push(param)
    if (literals !== undefined) for (const child of literals.values()) nodes.push(child)
  }
  for (const node of nodes.reverse()) {
    yield
    node.here?.sort(compareEndpoints)
    node.wildcard?.sort(compareEndpoints)
    if (node.literals === undefined) continue
    const size = 2 ** Math.ceil(Math.log2(node.literals.size * 2))
    const runs = new Array<Run<T> | undefined>(size).fill(undefined)
    for (const [text, child] of node.literals) {
      yield
      const run = runOf(text, child)
      let slot = run.hash & (size - 1)
      while (runs[slot] !== undefined) slot = (slot + 1) & (size - 1)
      runs[slot] = run
    }
    node.runs = runs
  }
}

function runOf<T>(text: string, child: Node<T>): Run<T> {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i))
  const straight = child.literals?.size === 1 && !child.param && !child.wildcard && !child.here
  const next = straight ? child.runs.find(run => run !== undefined) : undefined
  return next === undefined ? { text, hash, end: child } : { text: `${text}/${next.text}`, hash, end: next.end }
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
  const { runs, param, wildcard } = node
  let hash = 0
  let end = at
  for (; end < key.length; end++) {
    const code = key.charCodeAt(end)
    if (code === 47 /* / */) break
    hash = mix(hash, code)
  }
  let found: Endpoint<T> | null | undefined
  if (runs.length !== 0) {
    const mask = runs.length - 1
    let slot = hash & mask
    for (let run = runs[slot]; run !== undefined; run = runs[slot]) {
      if (run.hash === hash && startsWith(key, run.text, at)) {
        found = step(run.end, key, at + run.text.length, method, query, fields, listener)
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
