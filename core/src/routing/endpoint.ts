import type { Pattern } from './pattern.ts'
import { allHold, type Condition, type FieldReader } from './predicate.ts'

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

const count = (conditions: readonly Condition[], test: 'value' | 'pattern') =>
  conditions.filter(condition => condition.not !== true && condition[test] !== undefined).length

const listeners = (conditions: readonly Condition[]) => conditions.find(({ anyOf }) => anyOf)?.anyOf?.length ?? 1

/** Steps 3 and 4 of the order of specificity, for two of one host and path: below 0 when `a` goes first. */
export function compareSpecificity(
  a: Pick<Endpoint<unknown>, 'methods' | 'conditions'>,
  b: Pick<Endpoint<unknown>, 'methods' | 'conditions'>,
): number {
  return (
    Number(a.methods.length === 0) - Number(b.methods.length === 0) ||
    b.conditions.length - a.conditions.length ||
    count(b.conditions, 'value') - count(a.conditions, 'value') ||
    count(b.conditions, 'pattern') - count(a.conditions, 'pattern') ||
    listeners(a.conditions) - listeners(b.conditions)
  )
}

export const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b))

export const compareEndpoints = (a: Endpoint<unknown>, b: Endpoint<unknown>) =>
  compareSpecificity(a, b) || compareText(a.name, b.name) || compareText(a.pattern.text, b.pattern.text)

const accepts = ({ methods }: Endpoint<unknown>, method: string) => methods.length === 0 || methods.includes(method)

/** Whether the endpoint can take a request of that method. One for GET also answers HEAD. */
export const answers = (endpoint: Endpoint<unknown>, method: string) =>
  accepts(endpoint, method) || (method === 'HEAD' && endpoint.methods.includes('GET'))

/** The first of one path's endpoints, sorted, that takes a request; null when none does. */
export function pick<T>(
  endpoints: readonly Endpoint<T>[],
  method: string,
  query: string,
  fields: FieldReader,
  listener: string,
): Endpoint<T> | null {
  if (method !== 'HEAD') return first(endpoints, method, query, fields, listener)
  const named = endpoints.filter(endpoint => endpoint.methods.includes('HEAD'))
  return first(named, 'HEAD', query, fields, listener) ?? first(endpoints, 'GET', query, fields, listener)
}

function first<T>(
  endpoints: readonly Endpoint<T>[],
  method: string,
  query: string,
  fields: FieldReader,
  listener: string,
) {
  for (const endpoint of endpoints) {
    if (accepts(endpoint, method) && allHold(endpoint.conditions, query, fields, listener)) return endpoint
  }
  return null
}
