import type { Builder } from '../build/builder.ts'
import { goPattern } from '../rules/go-pattern.ts'
import type { Given } from '../table/given.ts'

/** A condition of a route. */
export interface Asks {
  readonly of: 'headers' | 'query'
  readonly name: string
  readonly is: string | RegExp
}

/** What the file says of it. */
interface Strategy {
  readonly strategy?: Given<string> | undefined
  readonly versionHeader?: Given<string> | undefined
  readonly headerName?: Given<string> | undefined
  readonly versionQuery?: Given<string> | undefined
  readonly queryParam?: Given<string> | undefined
  readonly acceptPattern?: Given<string> | undefined
}

/** What a request for one of these versions says beside its path. */
export function asksFor(
  all: ReadonlySet<string>,
  { strategy, versionHeader, headerName, versionQuery, queryParam, acceptPattern }: Strategy,
  gateway: Builder,
): (version: string) => Asks | undefined {
  const is = (version: string) => {
    const source = sourceOf(version, all)
    return source === version ? version : new RegExp(`^${source}$`)
  }
  const header = (versionHeader ?? headerName)?.value || 'X-API-Version'
  const parameter = (versionQuery ?? queryParam)?.value || 'version'
  if (strategy?.value === 'header') return version => ({ of: 'headers', name: header, is: is(version) })
  if (strategy?.value === 'query') return version => ({ of: 'query', name: parameter, is: is(version) })
  if (strategy?.value !== 'accept') return () => undefined
  const written = acceptPattern?.value || standard
  try {
    const group = groupOf(written)
    acceptFor('0', written, group)
    return version => ({ of: 'headers', name: 'Accept', is: acceptFor(sourceOf(version, all), written, group) })
  } catch (error) {
    const message = error instanceof Error ? error.message : 'is no expression'
    if (acceptPattern !== undefined) gateway.problems.error(acceptPattern, message)
    return () => undefined
  }
}

/** What paths begin with that ask for a version. */
export function inPath(version: string, all: ReadonlySet<string>): readonly string[] {
  const whole = wholeOf(version, all)
  return whole === undefined ? [`/v${version}`] : [`/v${whole}`, `/v${whole}.0`]
}

/** The number of a version that may be written with a zero behind it: 2 and 2.0 are one, where only one of them is there. */
function wholeOf(version: string, all: ReadonlySet<string>): string | undefined {
  const whole = /^(\d+)(?:\.0)?$/.exec(version)?.[1]
  return whole !== undefined && all.has(whole) && all.has(`${whole}.0`) ? undefined : whole
}

/** As an expression. */
function sourceOf(version: string, all: ReadonlySet<string>): string {
  const whole = wholeOf(version, all)
  return whole === undefined ? version.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : `${whole}(?:\\.0)?`
}

const standard = 'version=(\\d+(?:\\.\\d+)?)'

/** The expression with the version in the place of its group, and no more of a number behind it. */
function acceptFor(source: string, written: string, group: Span): RegExp {
  return goPattern(`${written.slice(0, group.from)}${source}(?!\\.?\\d)${written.slice(group.to)}`)
}

interface Span {
  readonly from: number
  readonly to: number
}

/** Where the first group that is counted stands. */
function groupOf(pattern: string): Span {
  let from: number | undefined
  let depth = 0
  let inClass = false
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at]
    if (letter === '\\') at++
    else if (inClass) inClass = letter !== ']'
    else if (letter === '[') inClass = true
    else if (letter === '(') {
      depth++
      if (from === undefined && /^\((?!\?)|^\(\?P?</.test(pattern.slice(at))) {
        from = at
        depth = 1
      }
    } else if (letter === ')' && --depth === 0 && from !== undefined) return { from, to: at + 1 }
  }
  throw new SyntaxError('needs a group, in brackets, for the version')
}
