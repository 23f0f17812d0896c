import { GatewayError } from '../contract/errors.ts'

/** What a listener lets through that two readers could take for two paths. */
export interface PathOptions {
  /** `%2F` within a segment. `keep` passes it on as data: it never separates segments here, but may at an upstream. */
  readonly encodedSlashes: 'refuse' | 'keep'
  /** `.` and `..` segments, plain or encoded. `resolve` follows RFC 3986 section 5.2.4. */
  readonly dotSegments: 'refuse' | 'resolve'
  /** `//` within the path. `keep` is for object stores whose keys hold empty segments. */
  readonly emptySegments: 'refuse' | 'keep' | 'merge'
  /** `;` in a segment, plain or encoded. A servlet container leaves it out with what follows, and sees another path. */
  readonly parameters: 'refuse' | 'keep'
}

/**
 * Dot segments and encoded slashes come from no honest client, so they are refused. `//` does, whenever a base URL that
 * ends in a slash meets a path that begins with one, so it is not refused; but kept, `//admin` would slip past a route
 * for `/admin` to an upstream that merges. Merged here, the gateway and the upstream see the same path.
 */
export const defaultPathOptions: PathOptions = {
  encodedSlashes: 'refuse',
  dotSegments: 'refuse',
  emptySegments: 'merge',
  parameters: 'keep',
}

// RFC 3986 pchar without `%`, no empty segment, and no segment that begins with a dot (few do: those take the slow way).
const ordinary = /^(?:\/(?![./])[\w\-.~!$&'()*+,;=:@]*)+$/
// `..;x` is `..` to servlet containers; `%2F`, where kept, may be a separator to the upstream.
const dotSegment = /(?:\/|%2F)\.{1,2}(?=\/|%2F|;|%3B|$)/
const unresolvableDotSegment = /%2F\.{1,2}(?=\/|%2F|;|%3B|$)|\/\.{1,2}(?=%2F|;|%3B)/

const refuse = (what: string) => new GatewayError('GATEWAY_BAD_PATH', `the path of the request ${what}`)

/**
 * The one path that routes, authorises and is sent on: encodings of unreserved characters are decoded, the other
 * encodings are upper-case and spell UTF-8 (RFC 3986 section 6.2.2). Idempotent. An ordinary path is returned as it is.
 * What RFC 3986 does not allow is refused, not repaired (RFC 9112 section 3.2), except for the four characters that
 * browsers send raw, `[ ] ^ |`: they are encoded.
 *
 * @returns the path, or a GATEWAY_BAD_PATH that says what is wrong with it
 */
export function canonicalPath(raw: string, options: PathOptions = defaultPathOptions): string | GatewayError {
  if (options.parameters === 'refuse' && /;|%3B/i.test(raw)) return refuse('holds a semicolon')
  return ordinary.test(raw) ? raw : canonicalise(raw, options)
}

function canonicalise(raw: string, options: PathOptions): string | GatewayError {
  if (!raw.startsWith('/')) return refuse('does not begin with a slash')
  if (/[^\x21-\x7e]/.test(raw)) return refuse('holds a space, a control character or a byte outside ASCII')
  if (raw.includes('\\')) return refuse('holds a backslash')
  if (/["<>`{}?#]/.test(raw)) return refuse('holds a character that RFC 3986 does not allow')
  let path = raw.replace(/[[\]^|]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

  if (path.includes('%')) {
    if (/%(?![\dA-Fa-f]{2})/.test(path)) return refuse('holds a % that begins no encoding')
    if (/%(?:[01][\dA-Fa-f]|7[Ff])/.test(path)) return refuse('holds an encoded control character')
    if (/%5[Cc]/.test(path)) return refuse('holds an encoded backslash')
    // Overlong forms such as %C0%AE are a dot to a careless decoder.
    if (/%[89A-Fa-f]/.test(path) && !isUtf8(path)) return refuse('is not UTF-8')
    path = path.replace(/%../g, canonicalEncoding)
    if (options.encodedSlashes === 'refuse' && path.includes('%2F')) return refuse('holds an encoded slash')
  }

  if (path.includes('//')) {
    if (options.emptySegments === 'refuse') return refuse('holds an empty segment')
    if (options.emptySegments === 'merge') path = path.replace(/\/{2,}/g, '/')
  }
  if (!dotSegment.test(path)) return path
  return options.dotSegments === 'refuse' || unresolvableDotSegment.test(path)
    ? refuse('holds a dot segment')
    : resolveDotSegments(path)
}

function canonicalEncoding(encoding: string): string {
  const char = String.fromCharCode(Number.parseInt(encoding.slice(1), 16))
  return /[\w\-.~]/.test(char) ? char : encoding.toUpperCase()
}

function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function resolveDotSegments(path: string): string {
  const segments = path.slice(1).split('/')
  const kept: string[] = []
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  // What a last dot segment names is a folder.
  return `/${kept.join('/')}${(last === '.' || last === '..') && kept.length > 0 ? '/' : ''}`
}
