/** A condition of a route on a header field or a query parameter. */
export interface Predicate {
  readonly name: string
  /** The whole value, case-sensitive. */
  readonly value?: string | undefined
  /** Tested against the value, unanchored. Without `value` and `pattern` the field only has to be there. */
  readonly pattern?: RegExp | undefined
  /** Turns the whole condition round: `{ name, value, not: true }` also holds when the field is absent. */
  readonly not?: boolean | undefined
}

/** Fields by name without regard to case; several lines of one name are one value, joined. */
export interface FieldReader {
  get(name: string): string | undefined
}

/**
 * A predicate of any kind. All are conditions on one value, or on its absence: repeated query parameters count once. The
 * name of a listener has to be one of several.
 */
export interface Condition extends Predicate {
  readonly source: 'header' | 'query' | 'listener'
  readonly anyOf?: readonly string[] | undefined
}

const none: readonly Condition[] = []

export function conditionsOf(
  headers: readonly Predicate[] = none,
  query: readonly Predicate[] = none,
  listeners: readonly string[] = [],
): readonly Condition[] {
  if (headers.length + query.length + listeners.length === 0) return none
  return [
    ...(listeners.length === 0 ? [] : [{ source: 'listener' as const, name: '', anyOf: listeners }]),
    ...headers.map(header => ({ ...header, name: header.name.toLowerCase(), source: 'header' as const })),
    ...query.map(parameter => ({ ...parameter, source: 'query' as const })),
  ]
}

export function holds(condition: Predicate | Condition, value: string | undefined): boolean {
  return plainHolds(condition, value) !== (condition.not ?? false)
}

function plainHolds(condition: Predicate | Condition, value: string | undefined): boolean {
  const { value: wanted, pattern } = condition
  if (value === undefined) return false
  if ('anyOf' in condition && condition.anyOf !== undefined) return condition.anyOf.includes(value)
  if (wanted !== undefined) return value === wanted
  if (pattern === undefined) return true
  // A global or sticky expression remembers where it stopped.
  pattern.lastIndex = 0
  return pattern.test(value)
}

let parsedText = ''
let parsedQuery = new URLSearchParams()

/** The decoded value of the first parameter of that name. */
export function queryValue(query: string, name: string): string | undefined {
  // The routes of one path look at the query of one request one after the other.
  if (query !== parsedText) {
    parsedText = query
    // URLSearchParams drops one leading "?", which here would be part of the first name.
    parsedQuery = new URLSearchParams(`?${query}`)
  }
  return parsedQuery.get(name) ?? undefined
}

export function allHold(
  conditions: readonly Condition[],
  query: string,
  fields: FieldReader,
  listener: string,
): boolean {
  for (const condition of conditions) {
    const { source, name } = condition
    const value = source === 'header' ? fields.get(name) : source === 'query' ? queryValue(query, name) : listener
    if (!holds(condition, value)) return false
  }
  return true
}

export const negate = (condition: Condition): Condition => ({ ...condition, not: !condition.not })

/** Those that meet its test; undefined where it has no list of them. */
const valuesOf = ({ value, anyOf }: Condition) => (value === undefined ? anyOf : [value])

const sameTest = (a: Condition, b: Condition) =>
  String(valuesOf(a)) === String(valuesOf(b)) && String(a.pattern) === String(b.pattern)

/** Whether every request that meets `a` meets `b`. True only when that is certain. */
export function implies(a: Condition, b: Condition): boolean {
  if (a.source !== b.source || a.name !== b.name) return false
  const [given, wanted] = [valuesOf(a), valuesOf(b)]
  const wantsAny = given === undefined && a.pattern === undefined
  if (a.not === true && wantsAny) return holds(b, undefined)
  if (a.not !== true && given !== undefined) return given.every(value => holds(b, value))
  if (sameTest(a, b)) return (a.not ?? false) === (b.not ?? false)
  // A positive test fails on an absent field, which a negated one lets through; only presence follows from another.
  if (b.not !== true) return a.not !== true && wanted === undefined && b.pattern === undefined
  return wanted?.every(value => !holds(a, value)) === true
}
