import { parseHostPattern } from './host.ts'
import { matchKey, type Pattern } from './pattern.ts'
import { allHold, type Condition, conditionsOf, type FieldReader, type Predicate } from './predicate.ts'

/** What a route asks of a request. Names are unique. */
export interface RouteSpec<T> {
  readonly name: string
  /** Host patterns; none means any host. */
  readonly hosts: readonly string[]
  /** Upper-case; none means any method. */
  readonly methods: readonly string[]
  /** Any of them. */
  readonly patterns: readonly Pattern[]
  readonly headers?: readonly Predicate[] | undefined
  readonly query?: readonly Predicate[] | undefined
  readonly value: T
}

/** One pattern of a route, as a match returns it: always the same object, nothing is allocated. */
export interface Endpoint<T> {
  readonly found: true
  readonly name: string
  readonly value: T
  /** For `pathParams` and `rawParams`. */
  readonly pattern: Pattern
  readonly methods: readonly string[]
  readonly conditions: readonly Condition[]
}

export interface Miss {
  readonly found: false
  readonly status: 404 | 405
  /** Methods that would have found a route, in alphabetical order; empty with 404. */
  readonly allow: readonly string[]
}

/** One route that host and path of a request lead to, and whether it took the request. */
export interface Candidate {
  readonly name: string
  readonly path: string
  /** `shadowed`: it would have, had no more specific one. */
  readonly verdict: 'chosen' | 'shadowed' | 'method differs' | 'header or query differs'
}

export interface Router<T> {
  /**
   * The most specific route of a request, or why there is none. Compared in this order:
   * 1. host: exact, then the longer wildcard, then any;
   * 2. path, segment by segment from the left: literal, then parameter, then wildcard, so that `/a/b/*` goes before
   *    `/a/:x/c`;
   * 3. method: named (for HEAD also: GET where HEAD is not), then any;
   * 4. conditions on header and query: the more the better, then those for an exact value, then those for an expression;
   * 5. name, so that the order of the input decides nothing.
   * Whatever fails, at any level, gives way to the next: a request that no route of its exact host takes is offered to
   * those of wildcards, then to those without a host.
   *
   * @param host as `normalizeHost` returns it
   * @param path canonical
   * @param query without the question mark
   */
  match(method: string, host: string, path: string, query: string, fields: FieldReader): Endpoint<T> | Miss
  /** Every route that host and path lead to, in the order in which `match` asks them. Costs more than a match. */
  explain(method: string, host: string, path: string, query: string, fields: FieldReader): Candidate[]
}

/** What follows one slash. */
interface Node<T> {
  readonly literals: Map<string, Node<T>>
  /** The literals, when they are few, each with all that follows it without a choice: faster than a look-up. */
  runs: readonly { readonly text: string; readonly end: Node<T> }[]
  param: Node<T> | undefined
  /** Endpoints that take the rest of the path. */
  wildcard: Endpoint<T>[] | undefined
  /** Endpoints whose path ends before the slash. */
  here: Endpoint<T>[] | undefined
}

interface Table<T> {
  /** Patterns without parameters, by path: one look-up, and no pattern is more specific. They are not in the tree. */
  readonly fixed: Map<string, Endpoint<T>[]>
  readonly root: Node<T>
}

// Whether the match under way has met a path whose endpoints all refused: only then can there be a 405 to work out.
let refused = false

const mostRuns = 4

const notFound: Miss = { found: false, status: 404, allow: [] }

const createNode = <T>(): Node<T> => ({
  literals: new Map(),
  runs: [],
  param: undefined,
  wildcard: undefined,
  here: undefined,
})

/** @throws TypeError for a host that is no host pattern: check hosts with `parseHostPattern` before */
export function compileRouter<T>(routes: readonly RouteSpec<T>[]): Router<T> {
  const exact = new Map<string, Table<T>>()
  const wildcards = new Map<string, Table<T>>()
  const any: Table<T> = { fixed: new Map(), root: createNode() }

  for (const route of routes) {
    const endpoints = endpointsOf(route)
    for (const table of tablesFor(route)) for (const endpoint of endpoints) insert(table, endpoint)
  }
  for (const table of [any, ...exact.values(), ...wildcards.values()]) seal(table)

  function tablesFor(route: RouteSpec<T>): Table<T>[] {
    if (route.hosts.length === 0) return [any]
    const tables = route.hosts.map(text => {
      const host = parseHostPattern(text)
      if (typeof host !== 'string') throw new TypeError(`route ${route.name}: ${host.error}`)
      const [byName, name] = host.startsWith('*') ? [wildcards, host.slice(1)] : [exact, host]
      let table = byName.get(name)
      if (table === undefined) {
        table = { fixed: new Map(), root: createNode() }
        byName.set(name, table)
      }
      return table
    })
    return [...new Set(tables)]
  }

  /** The tables for a host, the most specific first. */
  function* tablesOf(host: string): Generator<Table<T>> {
    const own = exact.get(host)
    if (own !== undefined) yield own
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const table = wildcards.get(host.slice(dot))
      if (table !== undefined) yield table
    }
    yield any
  }

  function match(method: string, host: string, path: string, query: string, fields: FieldReader): Endpoint<T> | Miss {
    if (path.charCodeAt(0) !== 47 /* / */) return notFound
    refused = false
    const key = matchKey(path)
    if (exact.size !== 0 || wildcards.size !== 0) {
      for (const table of tablesOf(host)) {
        const endpoint = find(table, key, method, query, fields)
        if (endpoint !== undefined) return endpoint
      }
      return miss(host, key, query, fields)
    }
    return find(any, key, method, query, fields) ?? miss(host, key, query, fields)
  }

  function candidates(host: string, key: string): Endpoint<T>[] {
    const endpoints: Endpoint<T>[] = []
    for (const table of tablesOf(host)) {
      endpoints.push(...(table.fixed.get(key) ?? []))
      collect(table.root, key, 1, endpoints)
    }
    return endpoints
  }

  function miss(host: string, key: string, query: string, fields: FieldReader): Miss {
    if (!refused) return notFound
    const allow = new Set<string>()
    for (const endpoint of candidates(host, key)) {
      if (!allHold(endpoint.conditions, query, fields)) continue
      for (const method of endpoint.methods) allow.add(method)
    }
    if (allow.size === 0) return notFound
    if (allow.has('GET')) allow.add('HEAD')
    return { found: false, status: 405, allow: [...allow].sort() }
  }

  return {
    match,
    explain(method, host, path, query, fields) {
      const chosen = match(method, host, path, query, fields)
      const verdict = (endpoint: Endpoint<T>) => {
        if (endpoint === chosen) return 'chosen'
        if (!accepts(endpoint, method) && !(method === 'HEAD' && accepts(endpoint, 'GET'))) return 'method differs'
        return allHold(endpoint.conditions, query, fields) ? 'shadowed' : 'header or query differs'
      }
      if (!path.startsWith('/')) return []
      return candidates(host, matchKey(path)).map(endpoint => ({
        name: endpoint.name,
        path: endpoint.pattern.text,
        verdict: verdict(endpoint),
      }))
    },
  }
}

function endpointsOf<T>({ name, value, methods, headers, query, patterns }: RouteSpec<T>): Endpoint<T>[] {
  const conditions = conditionsOf(headers, query)
  return patterns.map(pattern => ({ found: true, name, value, pattern, methods, conditions }))
}

function insert<T>(table: Table<T>, endpoint: Endpoint<T>): void {
  const { segments, wildcard, params } = endpoint.pattern
  if (params.length === 0) {
    const key = `/${segments.map(segment => segment.key).join('/')}`
    const endpoints = table.fixed.get(key)
    if (endpoints === undefined) table.fixed.set(key, [endpoint])
    else endpoints.push(endpoint)
    return
  }
  let node = table.root
  for (const { key } of segments) {
    let child = key === undefined ? node.param : node.literals.get(key)
    if (child === undefined) {
      child = createNode()
      if (key === undefined) node.param = child
      else node.literals.set(key, child)
    }
    node = child
  }
  const slot = wildcard ? 'wildcard' : 'here'
  const endpoints = node[slot]
  if (endpoints === undefined) node[slot] = [endpoint]
  else endpoints.push(endpoint)
}

/** Sorts each list of endpoints, and shortens what has no branches. */
function seal<T>(table: Table<T>): void {
  for (const endpoints of table.fixed.values()) endpoints.sort(compareEndpoints)
  const sealNode = (node: Node<T>) => {
    node.here?.sort(compareEndpoints)
    node.wildcard?.sort(compareEndpoints)
    if (node.param !== undefined) sealNode(node.param)
    for (const child of node.literals.values()) sealNode(child)
    if (node.literals.size > mostRuns) return
    node.runs = Array.from(node.literals, ([text, child]) => {
      const [run] = child.runs
      const straight = run !== undefined && child.literals.size === 1 && !child.param && !child.wildcard && !child.here
      return straight ? { text: `${text}/${run.text}`, end: run.end } : { text, end: child }
    })
  }
  sealNode(table.root)
}

const count = (conditions: readonly Condition[], test: 'value' | 'pattern') =>
  conditions.filter(condition => condition.not !== true && condition[test] !== undefined).length

/** Steps 3 and 4 of the order of specificity, for two of one host and path: below 0 when `a` goes first. */
export function compareSpecificity(
  a: Pick<Endpoint<unknown>, 'methods' | 'conditions'>,
  b: Pick<Endpoint<unknown>, 'methods' | 'conditions'>,
): number {
  return (
    Number(a.methods.length === 0) - Number(b.methods.length === 0) ||
    b.conditions.length - a.conditions.length ||
    count(b.conditions, 'value') - count(a.conditions, 'value') ||
    count(b.conditions, 'pattern') - count(a.conditions, 'pattern')
  )
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b))

const compareEndpoints = (a: Endpoint<unknown>, b: Endpoint<unknown>) =>
  compareSpecificity(a, b) || compareText(a.name, b.name) || compareText(a.pattern.text, b.pattern.text)

function find<T>(table: Table<T>, key: string, method: string, query: string, fields: FieldReader) {
  const fixed = table.fixed.get(key)
  const endpoint = fixed === undefined ? undefined : pick(fixed, method, query, fields)
  return endpoint ?? walk(table.root, key, 1, method, query, fields)
}

function startsWith(key: string, text: string, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (key.charCodeAt(at + i) !== text.charCodeAt(i)) return false
  return true
}

/** Depth first, the most specific branch first. `at` is where the segment begins that `node` has to deal with. */
function walk<T>(
  node: Node<T>,
  key: string,
  at: number,
  method: string,
  query: string,
  fields: FieldReader,
): Endpoint<T> | undefined {
  const { runs, literals, param, wildcard } = node
  let found: Endpoint<T> | undefined
  for (let i = 0; i < runs.length; i++) {
    const run = runs[i]
    if (run === undefined || !startsWith(key, run.text, at)) continue
    const end = at + run.text.length
    if (end === key.length) found = run.end.here && pick(run.end.here, method, query, fields)
    else if (key.charCodeAt(end) === 47 /* / */) found = walk(run.end, key, end + 1, method, query, fields)
    else continue
    if (found !== undefined) return found
    break
  }
  const many = literals.size > mostRuns
  if (param !== undefined || many) {
    const slash = key.indexOf('/', at)
    const end = slash === -1 ? key.length : slash
    if (many) {
      const literal = literals.get(key.slice(at, end))
      if (literal !== undefined) found = step(literal, key, slash, method, query, fields)
    }
    if (found === undefined && param !== undefined && end !== at) found = step(param, key, slash, method, query, fields)
    if (found !== undefined) return found
  }
  return wildcard && pick(wildcard, method, query, fields)
}

function step<T>(node: Node<T>, key: string, slash: number, method: string, query: string, fields: FieldReader) {
  if (slash !== -1) return walk(node, key, slash + 1, method, query, fields)
  return node.here === undefined ? undefined : pick(node.here, method, query, fields)
}

function collect<T>(node: Node<T>, key: string, at: number, endpoints: Endpoint<T>[]): void {
  const slash = key.indexOf('/', at)
  const end = slash === -1 ? key.length : slash
  const literal = node.literals.get(key.slice(at, end))
  for (const child of [literal, end === at ? undefined : node.param]) {
    if (child === undefined) continue
    if (slash === -1) endpoints.push(...(child.here ?? []))
    else collect(child, key, slash + 1, endpoints)
  }
  endpoints.push(...(node.wildcard ?? []))
}

const accepts = (endpoint: Endpoint<unknown>, method: string) =>
  endpoint.methods.length === 0 || endpoint.methods.includes(method)

function pick<T>(endpoints: readonly Endpoint<T>[], method: string, query: string, fields: FieldReader) {
  if (method !== 'HEAD') return first(endpoints, method, query, fields)
  const named = endpoints.filter(endpoint => endpoint.methods.includes('HEAD'))
  return first(named, 'HEAD', query, fields) ?? first(endpoints, 'GET', query, fields)
}

function first<T>(endpoints: readonly Endpoint<T>[], method: string, query: string, fields: FieldReader) {
  for (const endpoint of endpoints) {
    if (accepts(endpoint, method) && allHold(endpoint.conditions, query, fields)) return endpoint
  }
  refused = true
  return undefined
}
