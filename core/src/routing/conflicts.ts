import type { Sliced } from '../slices.ts'
import { compareSpecificity, compareText } from './endpoint.ts'
import { parseHostPattern } from './host.ts'
import type { Pattern } from './pattern.ts'
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
  /** Shapes of its patterns, each with one pattern that has it. */
  readonly shapes: ReadonlyMap<string, Pattern>
  readonly conditions: readonly Condition[]
  /** Its conditions contradict each other. */
  readonly impossible: boolean
}

/** The same text for routes that ask for exactly the same. */
export const askKey = (route: Asked): string => keyOf(entryOf(route))

/** Routes of one host and one shape, in the order in which the router asks them. */
interface Group {
  readonly entries: readonly Entry[]
  /** Where each entry stands. */
  readonly places: ReadonlyMap<Entry, number>
}

// What a shape writes for a parameter and for a wildcard: no canonical path holds either character.
const param = '\x00'
const wildcard = '\x01'

// Thousands of routes may differ in one header only; comparing all of them with all would take minutes.
const rivalsLookedAt = 32
const atomsSplit = 8

type Asked = Omit<RouteSpec<unknown>, 'value' | 'patterns'> &
  (Pick<RouteSpec<unknown>, 'patterns'> | { readonly pattern: Pattern })

/**
 * Routes that ask for exactly what another asks for, by name the first of them. No two of `known` may do so: a route that
 * is the same object as one of them is only compared with routes that are not.
 */
export function* findDuplicates(routes: readonly Asked[], known: readonly Asked[] = []): Sliced<Conflict[]> {
  const unseen = new Set(known)
  const shapes = new Set<string>()
  for (const route of routes) {
    yield
    if (!unseen.delete(route)) for (const pattern of patternsOf(route)) shapes.add(shapeOf(pattern))
  }
  const byKey = new Map<string, Entry[]>()
  for (const route of routes) {
    yield
    if (patternsOf(route).some(pattern => shapes.has(shapeOf(pattern)))) addByKey(byKey, route)
  }
  return duplicatesOf(byKey)
}

/**
 * What is wrong with a table of routes as a whole; at most one conflict a route. Yields undefined after each piece of the
 * work, for whoever has to pause: 10,000 routes take a tenth of a second.
 *
 * A route is unreachable when each request that it matches, by host, method, path, header and query, goes to a route that
 * wins over it: one, or several together. Nothing is reported that is not so. Missed are only: a cover that takes more
 * than eight conditions together, rivals further away than 32 places among routes of one host and path shape, and what
 * follows from the meaning of two expressions (`/^ab/` lies in `/^a/`).
 * A cover of a wildcard counts although paths with empty segments (`emptySegments: 'keep'`) would get past it.
 */
export function* findConflicts(routes: readonly Asked[]): Generator<Conflict | undefined> {
  const byKey = new Map<string, Entry[]>()
  for (const route of routes) yield void addByKey(byKey, route)
  yield* duplicatesOf(byKey)
  const entries = [...byKey.values()].flatMap(([first]) => first ?? [])
  const lists = new Map<string, Entry[]>()
  for (const entry of entries) yield void addByPlace(lists, entry)
  const groups = new Map<string, Group>()
  for (const [key, list] of lists) yield void groups.set(key, groupOf(list))
  for (const entry of entries) yield unreachable(entry, groups) ?? ambiguous(entry, groups)
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

const patternsOf = (route: Asked) => ('pattern' in route ? [route.pattern] : route.patterns)

function entryOf(route: Asked): Entry {
  const { name, methods, listeners, hosts, headers, query } = route
  const conditions = conditionsOf(headers, query, listeners)
  return {
    name,
    methods: distinct(methods),
    // A host that is none is for the config to report; here it only has to equal itself.
    hosts: hosts.length === 0 ? [''] : distinct(hosts.map(host => hostKey(host))),
    shapes: new Map(patternsOf(route).map(pattern => [shapeOf(pattern), pattern])),
    conditions,
    impossible: conditions.length > 1 && exclude(conditions, conditions),
  }
}

function hostKey(text: string): string {
  const host = parseHostPattern(text)
  return typeof host === 'string' ? host : text
}

function shapeOf(pattern: Pattern): string {
  const segments = pattern.segments.map(({ key }) => key ?? param)
  return `/${(pattern.wildcard ? [...segments, wildcard] : segments).join('/')}`
}

function keyOf({ methods, hosts, shapes, conditions }: Entry): string {
  const asked = conditions.map(({ source, name, value, anyOf, pattern, not }) =>
    JSON.stringify([source, name, value ?? anyOf, pattern?.toString(), not === true]),
  )
  return [methods, hosts, [...shapes.keys()].sort(), distinct(asked)].map(part => part.join('\n')).join('\n\n')
}

function addByPlace(lists: Map<string, Entry[]>, entry: Entry): void {
  for (const host of entry.hosts) {
    for (const shape of entry.shapes.keys()) {
      const list = lists.get(host + shape)
      if (list === undefined) lists.set(host + shape, [entry])
      else list.push(entry)
    }
  }
}

function groupOf(entries: Entry[]): Group {
  entries.sort((a, b) => compareSpecificity(a, b) || compareText(a.name, b.name))
  return { entries, places: new Map(entries.map((entry, place) => [entry, place])) }
}

function unreachable(entry: Entry, groups: ReadonlyMap<string, Group>): Conflict | undefined {
  if (entry.impossible) {
    const message = 'is never chosen: no request meets all of its conditions, which contradict each other'
    return { kind: 'unreachable', route: entry.name, by: entry.name, message }
  }
  const by = new Set<string>()
  for (const host of entry.hosts) {
    for (const shape of entry.shapes.keys()) {
      // The set of methods is open, so only routes for any method take all that such a route asks for.
      for (const method of entry.methods.length === 0 ? [undefined] : entry.methods) {
        const takers = takersOf(entry, host, shape, method, groups)
        if (takers === undefined) return undefined
        for (const taker of takers) by.add(taker)
      }
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
  groups: ReadonlyMap<string, Group>,
): string[] | undefined {
  const group = groups.get(host + shape)
  if (group !== undefined) {
    const own = group.places.get(entry)
    const end = own ?? group.entries.length
    const rivals = group.entries
      .slice(Math.max(0, end - rivalsLookedAt), end)
      .filter(rival => takesAll(rival, method, own === undefined))
    const takers = cover(entry.conditions, rivals, atomsSplit)
    if (takers !== undefined) return takers
  }
  if (!shape.endsWith(wildcard)) return undefined
  // A wildcard is also used up by what is more specific: the bare slash, one segment, and all that is below one.
  const prefix = shape.slice(0, -1)
  const takers: string[] = []
  for (const rest of ['', param, `${param}/${wildcard}`]) {
    if (rest.endsWith(wildcard) && !groups.has(`${host}${prefix}${rest}`) && !groups.has(`${host}${prefix}${param}/`)) {
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

function ambiguous(entry: Entry, groups: ReadonlyMap<string, Group>): Conflict | undefined {
  for (const host of entry.hosts) {
    for (const [shape, pattern] of entry.shapes) {
      const group = groups.get(host + shape)
      const own = group?.places.get(entry)
      if (group === undefined || own === undefined) continue
      for (const rival of group.entries.slice(Math.max(0, own - rivalsLookedAt), own).reverse()) {
        if (compareSpecificity(rival, entry) !== 0) break
        if (rival.impossible) continue
        const shared = entry.methods.filter(method => rival.methods.includes(method))
        // Equally specific: both name methods, or neither does.
        if ((shared.length === 0 && entry.methods.length > 0) || exclude(rival.conditions, entry.conditions)) continue
        const what = `${shared.length === 0 ? '' : `${shared.join(', ')} `}${host}${pattern.text}`
        const message = `and route "${rival.name}" can both take a request for ${what}, and neither is more specific: "${rival.name}" goes first, by its name`
        return { kind: 'ambiguous', route: entry.name, by: rival.name, message }
      }
    }
  }
  return undefined
}

const exclude = (a: readonly Condition[], b: readonly Condition[]) =>
  a.some(one => b.some(other => implies(one, negate(other)) || implies(other, negate(one))))
