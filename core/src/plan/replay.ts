import { isDeepStrictEqual } from 'node:util'
import { redact } from '../control/redact.ts'
import type { Decide, Decided, Decision } from './decide.ts'
import type { FoundAt, RecordedRequest } from './recorded-requests.ts'

/** What recorded requests meet in two configs; part of `gateway plan --json`. Fields may be added. */
export interface Replay {
  readonly requests: number
  /** How many of them are decided differently. */
  readonly differing: number
  /** The most frequent first. */
  readonly groups: readonly ReplayGroup[]
  /** Lines or entries that should be a request and are none. */
  readonly malformed: { readonly count: number; readonly first: readonly Fault[] }
  /** Lines that are not about a request. */
  readonly others: number
  /** Requests without a host, where the record names none. */
  readonly hostless: number
}

export interface Fault {
  readonly line: number
  readonly fault: string
}

/** Requests with one outcome before and one after. */
export interface ReplayGroup {
  readonly before: Decision
  readonly after: Decision
  readonly differs: readonly Differing[]
  readonly count: number
  readonly examples: readonly Example[]
}

/** `target`: the service, its targets and how one is chosen; `path`: what goes upstream, or where a redirect leads. */
export type Differing = 'route' | 'status' | 'target' | 'plugins' | 'path'

export interface Example {
  readonly line: number
  readonly method: string
  readonly host: string | null
  readonly url: string
  /** Path and query that go upstream, or where a redirect leads; empty for all else. */
  readonly before: string
  readonly after: string
}

interface Group extends ReplayGroup {
  count: number
  readonly examples: Example[]
}

const examplesKept = 3
const faultsKept = 5

/** Decides each request by both. `host` is that of requests which name none. */
export async function replay(
  pieces: AsyncIterable<readonly FoundAt[]>,
  before: Decide,
  after: Decide,
  host: string | undefined,
): Promise<Replay> {
  const groups = new Groups()
  const first: Fault[] = []
  const counts = { requests: 0, malformed: 0, others: 0, hostless: 0 }
  for await (const piece of pieces) {
    for (const { line, found } of piece) {
      if (found === 'other') counts.others++
      else if ('fault' in found) {
        counts.malformed++
        if (first.length < faultsKept) first.push({ line, fault: found.fault })
      } else {
        counts.requests++
        const request = hasHost(found) ? found : { ...found, host }
        if (!hasHost(request)) counts.hostless++
        groups.add(line, request, before(request), after(request))
      }
    }
  }
  const { requests, malformed, others, hostless } = counts
  const found = groups.sorted()
  const differing = found.reduce((sum, { count }) => sum + count, 0)
  return { requests, differing, groups: found, malformed: { count: malformed, first }, others, hostless }
}

const hasHost = ({ host, url, fields }: RecordedRequest) =>
  (host ?? '') !== '' || !url.startsWith('/') || fields.get('host') !== undefined

class Groups {
  /** By outcome before and after, and whether the paths differ; null where nothing does. */
  readonly #groups = new Map<Decision, Map<Decision, Map<boolean, Group | null>>>()

  add(line: number, request: RecordedRequest, before: Decided, after: Decided): void {
    const group = this.#groupOf(before.decision, after.decision, before.to !== after.to)
    if (group === null) return
    group.count++
    if (group.examples.length === examplesKept) return
    const { method, url, host = null } = request
    // Tokens travel in queries.
    const show = (text: string) => String(redact(text))
    const example = { line, method, host, url: show(url), before: show(before.to), after: show(after.to) }
    const known = group.examples.some(other => isDeepStrictEqual({ ...other, line }, example))
    if (!known) group.examples.push(example)
  }

  sorted(): ReplayGroup[] {
    const all = [...this.#groups.values()].flatMap(byAfter => [...byAfter.values()].flatMap(pair => [...pair.values()]))
    return all.filter(group => group !== null).sort((a, b) => b.count - a.count)
  }

  #groupOf(before: Decision, after: Decision, pathsDiffer: boolean): Group | null {
    const byAfter = this.#groups.get(before) ?? new Map<Decision, Map<boolean, Group | null>>()
    this.#groups.set(before, byAfter)
    const pair = byAfter.get(after) ?? new Map<boolean, Group | null>()
    byAfter.set(after, pair)
    let group = pair.get(pathsDiffer)
    if (group === undefined) {
      const differs = differences(before, after, pathsDiffer)
      group = differs.length === 0 ? null : { before, after, differs, count: 0, examples: [] }
      pair.set(pathsDiffer, group)
    }
    return group
  }
}

function differences(before: Decision, after: Decision, pathsDiffer: boolean): Differing[] {
  const differing: Differing[] = []
  if (before.route !== after.route) differing.push('route')
  if (before.status !== after.status || before.code !== after.code) differing.push('status')
  // Where no route takes it, there is nothing that could have these.
  if (before.route === null || after.route === null) return differing
  const goesTo = ({ service, targets, others }: Decision) => [service, targets, others]
  if (!isDeepStrictEqual(goesTo(before), goesTo(after))) differing.push('target')
  if (!isDeepStrictEqual(before.plugins, after.plugins)) differing.push('plugins')
  if (pathsDiffer) differing.push('path')
  return differing
}
