import { each, type Sliced } from '../slices.ts'
import { compareSpecificity, compareText } from './endpoint.ts'
import { parseHostPattern } from './host.ts'
import { type Pattern, paramMark, wildcardMark } from './pattern.ts'
import { type Condition, conditionsOf, implies, negate } from './predicate.ts'
import type { RouteSpec } from './router.ts'

export interface Conflict {
  /**
   * - `duplicate`: both ask for exactly the same.
   * - `unreachable`: whatever the route asks for, more specific ones take.
   * - `ambiguous`: some requests meet both, neither is more specific, and the name decides.
   */
  readonly kind: 'duplicate' | 'unreachable' | 'ambiguous'
  /** The route that comes off worse. */
  readonly route: string
  /** Itself, when its own conditions contradict each other. */
  readonly by: string
  /** To be read after the route's name. */
  readonly message: string
}

interface Entry {
  readonly name: string
  readonly methods: readonly string[]
  readonly hosts: readonly string[]
  readonly pattern: Pattern
  readonly conditions: readonly Condition[]
  /** Its conditions contradict each other. */
  readonly impossible: boolean
}

/** The same text for routes that ask for exactly the same. */
export const askKey = (route: Asked): string => keyOf(entryOf(route))

/** Routes of one host and one shape, by both. */
type Groups = ReadonlyMap<string, readonly Entry[]>

// Thousands of routes may differ in one header only; comparing all of them with all would take minutes.
const rivalsLookedAt = 32
const atomsSplit = 8

type Asked = Omit<RouteSpec<unknown>, 'value'>

/**
 * Routes that ask for exactly what another asks for, by name the first of them. No two of `known` may do so: a route that
 * is the same object as one of them is only compared with routes that are not.
 */
export function* findDuplicates(routes: readonly Asked[], known: readonly Asked[] = []): Sliced<Conflict[]> {
  const unseen = new Set(known)
  const shapes = new Set<string>()
  yield* each(routes, route => {
    if (!unseen.delete(route)) shapes.add(route.pattern.shape)
  })
  const byKey = new Map<string, Entry[]>()
  yield* each(routes, route => {
    if (shapes.has(route.pattern.shape)) addByKey(byKey, route)
  })
  return duplicatesOf(byKey)
}

/**
 * Which routes of a table without duplicates are never chosen, and which are chosen for their name alone; at most one
 * conflict a route. 10,000 routes are a tenth of a second of work.
 *
 * A route is unreachable when each request that it matches, by host, method, path, header and query, goes to a route that
 * wins over it: one, or several together. Nothing is reported that is not so. Missed are only: a cover that takes more
 * than eight conditions together, rivals further away than 32 places among routes of one host and path shape, and what
 * follows from the meaning of two expressions (`/^ab/` lies in `/^a/`).
 * A cover of a wildcard counts although paths with empty segments (`emptySegments: 'keep'`) would get past it.
 */
export function* findConflicts(routes: readonly Asked[]): Sliced<Conflict[]> {
  const entries: Entry[] = []
  const groups = new Map<string, Entry[]>()
  yield* each(routes, route => {
    const entry = entryOf(route)
    entries.push(entry)
    for (const host of entry.hosts) {
      const place = host + entry.pattern.shape
      const group = groups.get(place)
      if (group === undefined) groups.set(place, [entry])
      else group.push(entry)
    }
  })
  yield* each(groups.values(), group => group.sort(inOrder))
  const conflicts: Conflict[] = []
  yield* each(entries, entry => {
    const conflict = unreachable(entry, groups) ?? ambiguous(entry, groups)
    if (conflict !== undefined) conflicts.push(conflict)
  })
  return conflicts
}

/** In which the router asks routes of one host and one shape. */
const inOrder = (a: Entry, b: Entry) => compareSpecificity(a, b) || compareText(a.name, b.name)

/** Where the entry would stand among these. */
function placeOf(entry: Entry, group: readonly Entry[]): number {
  let low = 0
  let high = group.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = group[middle]
    if (other !== undefined && inOrder(other, entry) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function addByKey(byKey: Map<string, Entry[]>, route: Asked): void {
  const entry = entryOf(route)
  const key = keyOf(entry)
  const same = byKey.get(key)
  if (same === undefined) byKey.set(key, [entry])
  else same.push(entry)
}

/** Sorts those that ask for the same by name. */
function duplicatesOf(byKey: ReadonlyMap<string, Entry[]>): Conflict[] {
  return [...byKey.values()].flatMap(same => {
    if (same.length === 1) return []
    const [first, ...others] = same.sort((a, b) => compareText(a.name, b.name))
    const by = first?.name ?? ''
    const message = `asks for exactly what route "${by}" asks for: remove one of them`
    return others.map(({ name }): Conflict => ({ kind: 'duplicate', route: name, by, message }))
  })
}

const distinct = (items: readonly string[]) => (items.length < 2 ? items : [...new Set(items)].sort())

function entryOf(route: Asked): Entry {
  const { name, methods, listeners, hosts, pattern, headers, query } = route
  const conditions = conditionsOf(headers, query, listeners)
  return {
    name,
    methods: distinct(methods),
    // A host that is none is for the config to report; here it only has to equal itself.
    hosts: hosts.length === 0 ? [''] : distinct(hosts.map(host => hostKey(host))),
    pattern,
    conditions,
    impossible: conditions.length > 1 && exclude(conditions, conditions),
  }
}

function hostKey(text: string): string {
  const host = parseHostPattern(text)
  return typeof host === 'string' ? host : text
}

function keyOf({ methods, hosts, pattern: { shape }, conditions }: Entry): string {
  const asked = conditions.map(({ source, name, value, anyOf, pattern, not }) =>
    JSON.stringify([source, name, value ?? anyOf, pattern?.toString(), not === true]),
  )
  return [methods, hosts, [shape], distinct(asked)].map(part => part.join('\n')).join('\n\n')
}

function unreachable(entry: Entry, groups: Groups): Conflict | undefined {
  if (entry.impossible) {
    const message = 'is never chosen: no request meets all of its conditions, which contradict each other'
    return { kind: 'unreachable', route: entry.name, by: entry.name, message }
  }
  const by = new Set<string>()
  for (const host of entry.hosts) {
    // The set of methods is open, so only routes for any method take all that such a route asks for.
    for (const method of entry.methods.length === 0 ? [undefined] : entry.methods) {
      const takers = takersOf(entry, host, entry.pattern.shape, method, groups)
      if (takers === undefined) return undefined
      for (const taker of takers) by.add(taker)
    }
  }
  const names = [...by].sort()
  const [first] = names
  if (first === undefined) return undefined
  const list = names.map(name => `"${name}"`).join(', ')
  const message = `is never chosen: ${names.length === 1 ? `route ${list} takes` : `routes ${list} together take`} every request first, so remove it or make it more specific`
  return { kind: 'unreachable', route: entry.name, by: first, message }
}

/** The routes that leave nothing of one host, shape and method to `entry`; undefined when something is left. */
function takersOf(
  entry: Entry,
  host: string,
  shape: string,
  method: string | undefined,
  groups: Groups,
): string[] | undefined {
  const group = groups.get(host + shape)
  if (group !== undefined) {
    const own = placeOf(entry, group)
    const isThere = group[own] === entry
    const end = isThere ? own : group.length
    const rivals = group
      .slice(Math.max(0, end - rivalsLookedAt), end)
      .filter(rival => takesAll(rival, method, !isThere))
    const takers = cover(entry.conditions, rivals, atomsSplit)
    if (takers !== undefined) return takers
  }
  if (!shape.endsWith(wildcardMark)) return undefined
  // A wildcard is also used up by what is more specific: the bare slash, one segment, and all that is below one.
  const prefix = shape.slice(0, -1)
  const takers: string[] = []
  for (const rest of ['', paramMark, `${paramMark}/${wildcardMark}`]) {
    if (
      rest.endsWith(wildcardMark) &&
      !groups.has(`${host}${prefix}${rest}`) &&
      !groups.has(`${host}${prefix}${paramMark}/`)
    ) {
      return undefined
    }
    const found = takersOf(entry, host, prefix + rest, method, groups)
    if (found === undefined) return undefined
    takers.push(...found)
  }
  return takers
}

/** On a more specific path a route for GET takes HEAD too; on the same one it leaves it to the route that names HEAD. */
function takesAll({ methods }: Entry, method: string | undefined, moreSpecificPath: boolean): boolean {
  if (methods.length === 0) return true
  if (method === undefined) return false
  return methods.includes(method) || (moreSpecificPath && method === 'HEAD' && methods.includes('GET'))
}

/**
 * The names of `rivals` of which at least one is met by every request that meets `given`; undefined when a request may
 * meet none. Tries each rival alone, then splits by a condition of theirs: the requests that meet it, and the others.
 */
function cover(given: readonly Condition[], rivals: readonly Entry[], splits: number): string[] | undefined {
  const open: Entry[] = []
  for (const rival of rivals) {
    if (rival.conditions.every(condition => given.some(fact => implies(fact, condition)))) return [rival.name]
    if (!rival.conditions.some(condition => given.some(fact => implies(fact, negate(condition))))) open.push(rival)
  }
  // Without a negation two sets of conditions never make a whole.
  if (splits === 0 || !open.some(rival => rival.conditions.some(({ not }) => not))) return undefined
  const split = open[0]?.conditions.find(condition => !given.some(fact => implies(fact, condition)))
  if (split === undefined) return undefined
  const met = cover([...given, split], open, splits - 1)
  const unmet = met && cover([...given, negate(split)], open, splits - 1)
  return unmet && [...met, ...unmet]
}

function ambiguous(entry: Entry, groups: Groups): Conflict | undefined {
  for (const host of entry.hosts) {
    const group = groups.get(host + entry.pattern.shape)
    const own = group === undefined ? 0 : placeOf(entry, group)
    if (group === undefined || own === 0) continue
    for (const rival of group.slice(Math.max(0, own - rivalsLookedAt), own).reverse()) {
      if (compareSpecificity(rival, entry) !== 0) break
      if (rival.impossible) continue
      const shared = entry.methods.filter(method => rival.methods.includes(method))
      // Equally specific: both name methods, or neither does.
      if ((shared.length === 0 && entry.methods.length > 0) || exclude(rival.conditions, entry.conditions)) continue
      const what = `${shared.length === 0 ? '' : `${shared.join(', ')} `}${host}${entry.pattern.text}`
      const message = `and route "${rival.name}" can both take a request for ${what}, and neither is more specific: "${rival.name}" goes first, by its name`
      return { kind: 'ambiguous', route: entry.name, by: rival.name, message }
    }
  }
  return undefined
}

const exclude = (a: readonly Condition[], b: readonly Condition[]) =>
  a.some(one => b.some(other => implies(one, negate(other)) || implies(other, negate(one))))
