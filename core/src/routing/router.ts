import { each, type Sliced, whole } from '../slices.ts'
import { answers, type Endpoint } from './endpoint.ts'
import { parseHostPattern } from './host.ts'
import { collect, type Edit, insert, type Node, remove, seal, walk } from './path-tree.ts'
import { matchKey, type Pattern } from './pattern.ts'
import { allHold, conditionsOf, type FieldReader, type Predicate } from './predicate.ts'

/** What a route asks of a request. Names are unique. */
export interface RouteSpec<T> {
  readonly name: string
  /** Host patterns; none means any host. */
  readonly hosts: readonly string[]
  /** Upper-case; none means any method. */
  readonly methods: readonly string[]
  /** Names; none means any listener. */
  readonly listeners?: readonly string[] | undefined
  readonly pattern: Pattern
  readonly headers?: readonly Predicate[] | undefined
  readonly query?: readonly Predicate[] | undefined
  readonly value: T
}

export type { Endpoint }

/** Those that a route can name; one for any method takes others as well. */
export const methods: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT']

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
  readonly verdict: 'chosen' | 'shadowed' | 'method differs' | 'condition differs'
}

export interface Router<T> {
  /**
   * The most specific route of a request, or why there is none. Compared in this order:
   * 1. host: exact, then the longer wildcard, then any;
   * 2. path, segment by segment from the left: literal, then parameter, then wildcard, so that `/a/b/*` goes before
   *    `/a/:x/c`;
   * 3. method: named (for HEAD also: GET where HEAD is not), then any;
   * 4. conditions on listener, header and query: the more the better, then those for an exact value, then those for an
   *    expression, then those for fewer listeners;
   * 5. name, so that the order of the input decides nothing.
   * Whatever fails, at any level, gives way to the next: a request that no route of its exact host takes is offered to
   * those of wildcards, then to those without a host.
   *
   * @param host as `normalizeHost` returns it
   * @param path canonical
   * @param query without the question mark
   * @param listener the name of the one that it came to; empty, the default, when that has none
   */
  match(
    method: string,
    host: string,
    path: string,
    query: string,
    fields: FieldReader,
    listener?: string,
  ): Endpoint<T> | Miss
  /** Methods that find a route, in alphabetical order. Costs more than a match. */
  allowed(host: string, path: string, query: string, fields: FieldReader, listener?: string): string[]
  /** Every route that host and path lead to, the most specific path first. Costs more than a match. */
  explain(
    method: string,
    host: string,
    path: string,
    query: string,
    fields: FieldReader,
    listener?: string,
  ): Candidate[]
  /**
   * A router without some of its routes and with others, which shares with it all that they do not touch. One that is
   * both is replaced; of the removed ones name, hosts and pattern count.
   */
  change(removed: Iterable<Taken>, added: Iterable<RouteSpec<T>>): Sliced<Router<T>>
}

type Taken = Pick<RouteSpec<unknown>, 'name' | 'hosts' | 'pattern'>

const notFound: Miss = { found: false, status: 404, allow: [] }

/** @throws TypeError for a host that is no host pattern: check hosts with `parseHostPattern` before */
export function compileRouter<T>(routes: readonly RouteSpec<T>[]): Router<T> {
  return whole(changeTables({ any: undefined, hosts: new Map(), methodLists: new Map() }, [], routes))
}

interface Tables<T> {
  readonly any: Node<T> | undefined
  /** By `api.example.com` and, for a wildcard, `.example.com`. */
  readonly hosts: ReadonlyMap<string, Node<T>>
  /** A list of its own for each of 10,000 routes would be as many places in memory, out of the processor's cache. */
  readonly methodLists: Map<string, readonly string[]>
}

function* changeTables<T>(
  before: Tables<T>,
  removed: Iterable<Taken>,
  added: Iterable<RouteSpec<T>>,
): Sliced<Router<T>> {
  const { methodLists } = before
  const hosts = new Map(before.hosts)
  const edit: Edit = {}
  const changed = new Set<string>()
  let any = before.any
  const change = (name: string, changeTree: (tree: Node<T> | undefined) => Node<T> | undefined) => {
    changed.add(name)
    if (name === '') any = changeTree(any)
    else {
      const tree = changeTree(hosts.get(name))
      if (tree === undefined) hosts.delete(name)
      else hosts.set(name, tree)
    }
  }
  yield* each(removed, route => {
    for (const name of tableNames(route)) change(name, tree => remove(tree, route, edit))
  })
  yield* each(added, route => {
    const { name, pattern, value } = route
    const list = route.methods.join()
    const methods = methodLists.get(list) ?? route.methods
    methodLists.set(list, methods)
    const conditions = conditionsOf(route.headers, route.query, route.listeners)
    const endpoint: Endpoint<T> = { found: true, name, value, pattern, methods, conditions }
    for (const table of tableNames(route)) change(table, tree => insert(tree, endpoint, edit))
  })
  for (const name of changed) {
    const tree = name === '' ? any : hosts.get(name)
    if (tree !== undefined) yield* seal(tree, edit)
  }
  return createRouter({ any, hosts, methodLists })
}

/** Of the tables of {@link Tables} that a route stands in; the empty name is that of any host. */
function tableNames({ name, hosts }: Pick<RouteSpec<unknown>, 'name' | 'hosts'>): Iterable<string> {
  if (hosts.length === 0) return anyTable
  return new Set(
    hosts.map(text => {
      const host = parseHostPattern(text)
      if (typeof host !== 'string') throw new TypeError(`route ${name}: ${host.error}`)
      return host.replace('*', '')
    }),
  )
}

const anyTable = ['']

function createRouter<T>(tables: Tables<T>): Router<T> {
  const { any, hosts } = tables
  const anyHost = any === undefined ? [] : [any]
  /** For each host pattern that was asked for its own table and those that it gives way to. */
  const chains = new Map<string, readonly Node<T>[]>()

  function chainFrom(name: string): readonly Node<T>[] | undefined {
    const known = chains.get(name)
    const table = known === undefined ? hosts.get(name) : undefined
    if (table === undefined) return known
    const wider = suffixesOf(name.slice(1)).flatMap(suffix => hosts.get(suffix) ?? [])
    const chain = [table, ...wider, ...anyHost]
    chains.set(name, chain)
    return chain
  }

  function chainOf(host: string): readonly Node<T>[] {
    if (hosts.size === 0) return anyHost
    let chain = chainFrom(host)
    for (let dot = host.indexOf('.'); chain === undefined && dot !== -1; dot = host.indexOf('.', dot + 1)) {
      chain = chainFrom(host.slice(dot))
    }
    return chain ?? anyHost
  }

  function match(
    method: string,
    host: string,
    path: string,
    query: string,
    fields: FieldReader,
    listener = '',
  ): Endpoint<T> | Miss {
    if (path.charCodeAt(0) !== 47 /* / */) return notFound
    const key = matchKey(path)
    let refused = false
    for (const table of chainOf(host)) {
      const endpoint = walk(table, key, 1, method, query, fields, listener)
      if (endpoint) return endpoint
      if (endpoint === null) refused = true
    }
    if (!refused) return notFound
    const allow = allowed(host, path, query, fields, listener)
    return allow.length === 0 ? notFound : { found: false, status: 405, allow }
  }

  function candidates(host: string, key: string): Endpoint<T>[] {
    const endpoints: Endpoint<T>[] = []
    for (const table of chainOf(host)) collect(table, key, 1, endpoints)
    return endpoints
  }

  function allowed(host: string, path: string, query: string, fields: FieldReader, listener = ''): string[] {
    const fitting = candidates(host, matchKey(path)).filter(({ conditions }) =>
      allHold(conditions, query, fields, listener),
    )
    const allow = new Set(fitting.flatMap(endpoint => (endpoint.methods.length === 0 ? methods : endpoint.methods)))
    if (allow.has('GET')) allow.add('HEAD')
    return [...allow].sort()
  }

  return {
    match,
    allowed,
    change: (removed, added) => changeTables(tables, removed, added),
    explain(method, host, path, query, fields, listener = '') {
      const chosen = match(method, host, path, query, fields, listener)
      const verdict = (endpoint: Endpoint<T>) => {
        if (endpoint === chosen) return 'chosen'
        if (!answers(endpoint, method)) return 'method differs'
        return allHold(endpoint.conditions, query, fields, listener) ? 'shadowed' : 'condition differs'
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

/** `.b.c` and `.c` of `a.b.c`. */
function suffixesOf(host: string): string[] {
  const labels = host.split('.')
  return labels.slice(1).map((_, i) => `.${labels.slice(i + 1).join('.')}`)
}
