/**
 * A second, independent reader of HTTP/1.1, for judging what the gateway writes. It shares no code with the gateway and
 * is as narrow as RFC 9112's grammar for senders: whatever two readers could take for two things is a {@link Violation}.
 * Text is latin1, one character a byte.
 */
export class Violation extends Error {
  override readonly name = 'Violation'
}

interface Body {
  readonly body: string
  readonly trailers: readonly string[]
  readonly framing: 'none' | 'length' | 'chunked' | 'close'
}

export interface ParsedRequest extends Body {
  /** `Name: value`, as on the wire, in order. */
  readonly fields: readonly string[]
  /** Request line. */
  readonly line: string
}

export interface ParsedResponse extends Body {
  readonly fields: readonly string[]
  readonly status: number
  readonly reason: string
}

export interface Taken<Message> {
  readonly message: Message
  /** Index of the first character after the message. */
  readonly end: number
}

const fieldLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/
const requestLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ \/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7e^|`{}\\]* HTTP\/1\.1$/
const statusLine = /^HTTP\/1\.1 ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/

/** The request that begins at `from`; undefined when more bytes are needed. @throws Violation */
export function takeRequest(text: string, from: number): Taken<ParsedRequest> | undefined {
  const head = takeHead(text, from)
  if (head === undefined) return undefined
  const { start: line, fields } = head
  if (!requestLine.test(line)) throw new Violation(`request line ${JSON.stringify(line)}`)
  if (values(fields, 'host').length !== 1) throw new Violation('not one Host')
  const length = framing(fields) ?? 0
  return body(text, head.end, length, parts => ({ line, fields, ...parts }))
}

/**
 * The response to `method` that begins at `from`; undefined when more bytes are needed. `ended`: none will come.
 *
 * @throws Violation
 */
export function takeResponse(
  text: string,
  from: number,
  method: string,
  ended: boolean,
): Taken<ParsedResponse> | undefined {
  const head = takeHead(text, from)
  if (head === undefined) return undefined
  const { start, fields } = head
  const [, digits = '', reason = ''] = statusLine.exec(start) ?? []
  if (digits === '') throw new Violation(`status line ${JSON.stringify(start)}`)
  const status = Number(digits)
  const told = framing(fields)
  if (told !== undefined && (status < 200 || status === 204)) throw new Violation(`a ${status} with framing`)
  const make = (parts: Body): ParsedResponse => ({ status, reason, fields, ...parts })
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  if (bodiless) return body(text, head.end, 0, make)
  if (told !== undefined) return body(text, head.end, told, make)
  if (!ended) return undefined
  return {
    message: make({ body: text.slice(head.end), trailers: [], framing: 'close' }),
    end: text.length,
  }
}

/** What follows the colon of each line of that name, trimmed. */
export function values(fields: readonly string[], name: string): string[] {
  return fields
    .filter(line => line.slice(0, line.indexOf(':')).toLowerCase() === name)
    .map(line => line.slice(line.indexOf(':') + 1).trim())
}

function takeHead(text: string, from: number): { start: string; fields: string[]; end: number } | undefined {
  const end = text.indexOf('\r\n\r\n', from)
  if (end === -1) return undefined
  const [start = '', ...fields] = text.slice(from, end).split('\r\n')
  for (const line of fields) if (!fieldLine.test(line)) throw new Violation(`field line ${JSON.stringify(line)}`)
  return { start, fields, end: end + 4 }
}

/** Bytes, 'chunked', or undefined when no field says. */
function framing(fields: readonly string[]): number | 'chunked' | undefined {
  const lengths = values(fields, 'content-length')
  const codings = values(fields, 'transfer-encoding')
  if (lengths.length + codings.length > 1) throw new Violation('framed more than once')
  const [length] = lengths
  const [coding] = codings
  if (coding !== undefined && coding !== 'chunked') throw new Violation(`transfer coding ${JSON.stringify(coding)}`)
  if (length !== undefined && !/^(?:0|[1-9]\d{0,15})$/.test(length)) throw new Violation(`Content-Length ${length}`)
  return coding === undefined ? (length === undefined ? undefined : Number(length)) : 'chunked'
}

function body<Message>(
  text: string,
  from: number,
  length: number | 'chunked',
  make: (parts: Body) => Message,
): Taken<Message> | undefined {
  if (length === 'chunked') {
    const chunks = takeChunks(text, from)
    return chunks && { message: make({ framing: 'chunked', ...chunks.message }), end: chunks.end }
  }
  if (text.length < from + length) return undefined
  const message = make({
    body: text.slice(from, from + length),
    trailers: [],
    framing: length === 0 ? 'none' : 'length',
  })
  return { message, end: from + length }
}

function takeChunks(text: string, from: number): Taken<{ body: string; trailers: string[] }> | undefined {
  let body = ''
  let at = from
  for (;;) {
    const end = text.indexOf('\r\n', at)
    const size = end === -1 ? text.slice(at).replace(/\r$/, '') : text.slice(at, end)
    if (!/^[0-9a-f]{0,14}$/i.test(size) || (end !== -1 && size === '')) {
      throw new Violation(`chunk size ${JSON.stringify(size.slice(0, 40))}`)
    }
    if (end === -1) return undefined
    at = end + 2
    const length = Number.parseInt(size, 16)
    if (length === 0) break
    if (text.length < at + length + 2) return undefined
    if (text.slice(at + length, at + length + 2) !== '\r\n') throw new Violation('no CRLF after a chunk')
    body += text.slice(at, at + length)
    at += length + 2
  }
  const trailers: string[] = []
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end === -1) return undefined
    const line = text.slice(at, end)
    at = end + 2
    if (line === '') return { message: { body, trailers }, end: at }
    if (!fieldLine.test(line)) throw new Violation(`trailer ${JSON.stringify(line)}`)
    trailers.push(line)
  }
}
