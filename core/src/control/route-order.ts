import type { RouteModel } from '../config/model.ts'
import { compareSpecificity, compareText } from '../routing/endpoint.ts'
import type { Segment } from '../routing/pattern.ts'
import { conditionsOf } from '../routing/predicate.ts'

/**
 * The router's order, made total for a list: routes with hosts by their first host, exact before wildcards; paths segment
 * by segment, literals (alphabetically), then parameters, then a wildcard; then method and conditions; then the name.
 */
export function compareRoutes(a: RouteModel, b: RouteModel): number {
  return compareHosts(a, b) || comparePaths(a, b) || compareSpecificity(rank(a), rank(b)) || compareText(a.name, b.name)
}

const rank = ({ methods, headers, query, listeners }: RouteModel) => ({
  methods,
  conditions: conditionsOf(headers, query, listeners),
})

function compareHosts({ hosts: [a] }: RouteModel, { hosts: [b] }: RouteModel): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  const wild = (host: string) => host.startsWith('*')
  return Number(wild(a)) - Number(wild(b)) || (wild(a) ? b.length - a.length : 0) || compareText(a, b)
}

function comparePaths({ pattern: a }: RouteModel, { pattern: b }: RouteModel): number {
  const length = Math.min(a.segments.length, b.segments.length)
  for (let index = 0; index < length; index++) {
    const order = compareSegments(a.segments[index], b.segments[index])
    if (order !== 0) return order
  }
  // The longer one is the more specific where the shorter goes on as a wildcard; else they have nothing in common.
  return b.segments.length - a.segments.length || Number(a.wildcard) - Number(b.wildcard)
}

function compareSegments(a: Segment | undefined, b: Segment | undefined): number {
  const [left, right] = [a?.key, b?.key]
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined)
  return compareText(left, right)
}
