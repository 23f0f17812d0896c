import fc from 'fast-check'

/** The parts of a message that both directions share, as they are meant and as they are written. */
export interface Plan {
  /** First line, without CRLF. */
  readonly start: string
  /** Fields that must arrive as they are. */
  readonly fields: readonly string[]
  /** Fields of the hop, which must not. */
  readonly hop: readonly string[]
  readonly framing: 'none' | 'length' | 'chunked'
  /** Pieces of the body; each a chunk, when chunked. */
  readonly chunks: readonly string[]
  readonly extensions: readonly string[]
  readonly trailers: readonly string[]
}

export interface RequestPlan extends Plan {
  readonly method: string
  readonly target: string
}

export interface ResponsePlan extends Plan {
  readonly status: number
  readonly reason: string
  readonly informational: readonly Plan[]
}

/** From 0 to 1, without 1. Not fc.double, most of whose numbers are close to 0. */
export const fraction: fc.Arbitrary<number> = fc.nat(9_999).map(number => number / 10_000)

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/)
// A value may hold obs-text and tabs, but neither begins nor ends with white space.
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,30}[!-~\x80-\xff])?)?$/)
/** A prefix keeps random names clear of those that mean something. */
const field = fc.tuple(token, value).map(([name, text]) => `X-${name}: ${text}`)
// `_` for `-` may make one of the names that the gateway drops: it is for the tables to say which.
const fields = fc.array(
  field.filter(line => !/^X-[^:]*(?:forwarded|real|request)/i.test(line)),
  { maxLength: 5 },
)
const bytes = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
  maxLength: 40,
})
const text = fc.oneof(
  bytes,
  fc.constantFrom(
    '0\r\n\r\n',
    'GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    '\r\n',
    'x'.repeat(20_000),
  ),
)
const chunks = fc.array(
  text.filter(chunk => chunk !== ''),
  { maxLength: 4 },
)
const extension = fc.constantFrom('', '', '', ';x', ';x=y', ';x="y z"', ';a;b=c')

const hop = fc.oneof(
  { arbitrary: fc.constant<readonly string[]>([]), weight: 3 },
  {
    arbitrary: fc.constantFrom<readonly string[]>(
      ['Connection: keep-alive'],
      ['Connection: keep-alive, X.hop', 'X.hop: 1'],
      ['x.HOP: 1', 'connection: X.Hop', 'x.hop: 2'],
      ['Keep-Alive: timeout=9'],
      ['Connection: TE', 'TE: trailers'],
      ['Proxy-Connection: keep-alive'],
    ),
    weight: 1,
  },
)

const parts = fc.record({
  fields,
  hop,
  chunks,
  extensions: fc.array(extension, { minLength: 5, maxLength: 5 }),
  trailers: fc.array(field, { maxLength: 2 }),
})

const segment = fc.stringMatching(/^[0-9A-Za-z_~!$&'()*+,;=:@-][\w\-.~!$&'()*+,;=:@]{0,8}$/)
const query = fc.stringMatching(/^[!$-;=?-[\]_a-z{|}~%]{1,12}$/).filter(part => !part.includes('#'))

export const requestPlan: fc.Arbitrary<RequestPlan> = fc
  .record({
    parts,
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'PROPFIND'),
    path: fc.array(segment, { maxLength: 3 }),
    query: fc.option(query, { nil: undefined }),
    framing: fc.constantFrom('none', 'length', 'chunked'),
  })
  .map(({ parts, method, path, query, framing }) => {
    const target = `/${path.join('/')}${query === undefined ? '' : `?${query}`}`
    return { ...framed(parts, framing), method, target, start: `${method} ${target} HTTP/1.1` }
  })

const informational = fc
  .record({ status: fc.constantFrom(100, 102, 103, 199), fields, hop })
  .map(({ status, ...rest }): Plan => {
    return { start: `HTTP/1.1 ${status} Info`, framing: 'none', chunks: [], extensions: [], trailers: [], ...rest }
  })

const reason = fc.constantFrom('OK', 'In Its Own Words', '\xe9\t!')

export const responsePlan: fc.Arbitrary<ResponsePlan> = fc
  .record({
    parts,
    status: fc.constantFrom(200, 200, 200, 201, 206, 204, 304, 404, 500, 599),
    reason,
    informational: fc.array(informational, { maxLength: 2 }),
    framing: fc.constantFrom('length', 'chunked'),
  })
  .map(({ parts, status, reason, informational, framing }) => {
    const bodiless = status === 204 || status === 304
    return {
      ...framed(parts, bodiless ? 'none' : framing),
      status,
      reason,
      informational,
      start: `HTTP/1.1 ${status} ${reason}`,
    }
  })

function framed(parts: Omit<Plan, 'start' | 'framing'>, framing: Plan['framing']): Omit<Plan, 'start'> {
  if (framing === 'none') return { ...parts, framing, chunks: [], trailers: [] }
  return framing === 'length' ? { ...parts, framing, trailers: [] } : { ...parts, framing }
}

export const bodyOf = (plan: Plan): string => plan.chunks.join('')

/** The message on the wire. `first` are lines that every such message has. */
export function write(plan: Plan, first: readonly string[] = []): string {
  const { start, fields, hop, framing, chunks, extensions, trailers } = plan
  const body = bodyOf(plan)
  const framingLines = { none: [], length: [`Content-Length: ${body.length}`], chunked: ['Transfer-Encoding: chunked'] }
  const head = `${[start, ...first, ...fields, ...hop, ...framingLines[framing]].join('\r\n')}\r\n\r\n`
  if (framing !== 'chunked') return head + body
  const written = chunks.map((chunk, i) => `${chunk.length.toString(16)}${extensions[i] ?? ''}\r\n${chunk}\r\n`)
  return `${head}${written.join('')}0${extensions[4] ?? ''}\r\n${trailers.map(line => `${line}\r\n`).join('')}\r\n`
}
