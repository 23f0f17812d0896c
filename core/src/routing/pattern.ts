import { canonicalPath } from './canonical-path.ts'
import type { PatternError } from './host.ts'

/** A route's path, read. `/users/:id/*` has the segments `users` and `:id`, and a wildcard. */
export interface Pattern {
  /** As it was written. */
  readonly text: string
  /** Between the slashes; a trailing slash is a last, empty literal. The wildcard is not among them. */
  readonly segments: readonly Segment[]
  /** Ends in `/*`: matches what follows that slash, be it nothing. */
  readonly wildcard: boolean
  /** Parameter names from left to right; `*` for the wildcard. */
  readonly params: readonly string[]
  /** The segment at which each of `params` stands. */
  readonly positions: readonly number[]
  /** The same for patterns that match the same paths: literals as they compare, {@link paramMark}, {@link wildcardMark}. */
  readonly shape: string
}

// What a shape writes for a parameter and for a wildcard: no canonical path holds either character.
export const paramMark = '\x00'
export const wildcardMark = '\x01'

/** `text` as it was written; `key` is what a literal compares by (see {@link matchKey}). */
export type Segment =
  | { readonly text: string; readonly key: string; readonly param?: never }
  | { readonly text: string; readonly param: string; readonly key?: never }

/**
 * Decodes all of a canonical path but `%2F` and `%25`, so that `/users/@me` matches `/users/%40me`, as it will at the
 * upstream: `@` and `%40` differ by RFC 3986, but nearly every server takes them for the same.
 */
export function matchKey(path: string): string {
  return path.includes('%') ? path.replace(/(?:%(?!2F|25)..)+/g, decodeURIComponent) : path
}

/**
 * Reads a path pattern: literal segments, `:name` for one whole, non-empty segment, a last `/*` for the rest (without
 * its leading slash, possibly empty, under the name `*`). `/files/*` matches `/files/` and all below, not `/files`.
 * A trailing slash is significant. Literals are written in canonical percent-encoding.
 */
export function parsePattern(text: string): Pattern | PatternError {
  const read = readSegments(text)
  if ('error' in read) return read
  const params: string[] = []
  const positions: number[] = []
  for (const [index, segment] of read.segments.entries()) {
    if (segment.param === undefined) continue
    if (params.includes(segment.param)) {
      const at = text.lastIndexOf(`/:${segment.param}`) + 1
      return { error: `the parameter ":${segment.param}" is there twice: rename one`, at }
    }
    params.push(segment.param)
    positions.push(index)
  }
  if (read.wildcard) {
    params.push('*')
    positions.push(read.segments.length)
  }
  const { segments, wildcard } = read
  return { text, segments, wildcard, params, positions, shape: shapeOf(read) }
}

function shapeOf({ segments, wildcard }: Read): string {
  const marks = segments.map(({ key }) => key ?? paramMark)
  return `/${(wildcard ? [...marks, wildcardMark] : marks).join('/')}`
}

interface Read {
  readonly segments: readonly Segment[]
  readonly wildcard: boolean
}

/** What patterns and templates have in common. */
export function readSegments(text: string): Read | PatternError {
  if (!text.startsWith('/')) return { error: `a path begins with a slash: write "/${text}"`, at: 0 }
  const mark = text.search(/[?#]/)
  if (mark !== -1) {
    return {
      error: `"${text[mark]}" does not belong into a path: match a query with "query", an optional segment with two paths`,
      at: mark,
    }
  }
  const parts = text.slice(1).split('/')
  const segments: Segment[] = []
  let at = 1
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    if (last && part === '*') return { segments, wildcard: true }
    if (part === '' && !last) return { error: 'an empty segment matches nothing: leave one slash out', at }
    const segment = part.startsWith(':') ? readParam(part, at) : readLiteral(part, at)
    if ('error' in segment) return segment
    segments.push(segment)
    at += part.length + 1
  }
  return { segments, wildcard: false }
}

function readParam(part: string, at: number): Segment | PatternError {
  const param = part.slice(1)
  if (/^[A-Za-z_][\w-]*$/.test(param)) return { text: part, param }
  if (param === '') return { error: 'a parameter needs a name: write ":id"', at }
  const odd = Math.max(0, param.search(/[^\w-]/))
  return {
    error: `a parameter is a whole segment, named by letters, digits, "_" and "-", not beginning with a digit or "-": ":${param}" is none`,
    at: at + 1 + odd,
  }
}

// Asked in this order of each literal; what none of them finds is canonical or has a canonical form to suggest.
const literalFaults: readonly (readonly [fault: RegExp, error: string])[] = [
  [/\*/, '"*" stands for the whole rest of a path: write "/*" at its end'],
  [/^\{|\}$/, 'a parameter is written ":id"'],
  [/^(?:\.|%2e){1,2}$/i, 'dot segments match nothing: leave them out'],
  [/%2f/i, 'an encoded slash cannot be matched by a literal: use a parameter'],
  [/%5c|\\/i, 'a path with a backslash is refused before it is routed: leave it out'],
  [/%(?:[01][\da-f]|7f)|\p{Cc}/iu, 'a path with control characters is refused before it is routed: leave them out'],
  [/%(?![\da-f]{2})/i, '"%" begins no encoding: write "%25"'],
]

function readLiteral(part: string, at: number): Segment | PatternError {
  for (const [fault, error] of literalFaults) {
    const index = part.search(fault)
    if (index !== -1) return { error, at: at + index }
  }
  // Twice, since encodeURI also encodes the "%" of what was encoded already.
  const canonical = canonicalPath(`/${encodeURI(part.toWellFormed()).replaceAll('%25', '%')}`)
  if (typeof canonical !== 'string') return { error: 'the encoded bytes are not UTF-8', at }
  if (canonical.slice(1) === part) return { text: part, key: matchKey(part) }
  let same = 0
  while (part[same] === canonical[same + 1]) same++
  return { error: `write it in canonical percent-encoding: "${canonical.slice(1)}"`, at: at + same }
}

/** Whether a path is one of the pattern's, `key` being what {@link matchKey} makes of it. To find one of many, a router is quicker. */
export function matchesPattern({ segments, wildcard }: Pattern, key: string): boolean {
  const parts = key.slice(1).split('/')
  if (wildcard ? parts.length <= segments.length : parts.length !== segments.length) return false
  return segments.every(({ key: literal }, index) =>
    literal === undefined ? parts[index] !== '' : parts[index] === literal,
  )
}

/** The parameters as they stand in the path, still percent-encoded, in the order of `pattern.params`. The path matches. */
export function rawParams(pattern: Pattern, path: string): string[] {
  const { positions, wildcard } = pattern
  const values: string[] = []
  let index = 0
  let at = 1
  for (let i = 0; i < positions.length; i++) {
    for (const position = positions[i] ?? 0; index < position; index++) at = path.indexOf('/', at) + 1
    const end = wildcard && i === positions.length - 1 ? -1 : path.indexOf('/', at)
    values.push(end === -1 ? path.slice(at) : path.slice(at, end))
  }
  return values
}

// Without a prototype, so that no name means anything by itself; by a class, since V8 keeps those out of dictionary mode.
class Params {
  [name: string]: string
}
Object.setPrototypeOf(Params.prototype, null)
Reflect.deleteProperty(Params.prototype, 'constructor')

/** The parameters, percent-decoded as UTF-8. `*` may hold slashes that were data (`encodedSlashes: 'keep'`). */
export function pathParams(pattern: Pattern, path: string): Readonly<Record<string, string>> {
  const params = new Params()
  const raw = rawParams(pattern, path)
  for (let i = 0; i < raw.length; i++) {
    const value = raw[i] ?? ''
    params[pattern.params[i] ?? ''] = value.includes('%') ? decodeURIComponent(value) : value
  }
  return params
}
