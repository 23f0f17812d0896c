import { createRequire } from 'node:module'

/** A message as llhttp frames it. */
export interface Framed {
  /** Empty for a response. */
  readonly method: string
  readonly target: string
  /** 0 for a request. */
  readonly status: number
  readonly body: string
  /** `name: value`. */
  readonly trailers: readonly string[]
}

export interface Oracle {
  /** Bytes that it skipped before the message of that number. */
  skippedBefore(index: number): string
  /** Whole messages, in order. */
  readonly messages: readonly Framed[]
  /** llhttp's code for what it did not take; empty when it took everything. */
  readonly error: string
  /** A request for an upgrade: what follows is for somebody else to read. */
  readonly upgrade: boolean
}

type Callback = (...args: readonly never[]) => number | void

interface Parser {
  [event: number]: Callback
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void
  execute(bytes: Buffer): number | (Error & { code: string })
  finish(): undefined | (Error & { code: string })
}

interface Binding {
  readonly HTTPParser: (new () => Parser) & Readonly<Record<'REQUEST' | 'RESPONSE' | 'kLenientNone' | Event, number>>
  readonly methods: readonly string[]
}

type Event = 'kOnMessageBegin' | 'kOnHeaders' | 'kOnHeadersComplete' | 'kOnBody' | 'kOnMessageComplete'

/**
 * The parser under node:http. Through the server above it one cannot tell what was framed and what was thrown away
 * later, so the parser itself is asked. Node has no types for it, hence the one assertion.
 */
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as Binding

/** Requests in the bytes of one connection that ends after them. */
export const framedRequests = (text: string): Oracle => frame(HTTPParser.REQUEST, text, '')

/** Responses to one request, the informational ones included, on a connection that ends after them. */
export const framedResponses = (text: string, method: string): Oracle => frame(HTTPParser.RESPONSE, text, method)

/** Methods that llhttp knows; to others it knows no answer. */
export const knownMethods: ReadonlySet<string> = new Set(methods)

function frame(type: number, text: string, requestMethod: string): Oracle {
  const messages: Framed[] = []
  const start = { method: '', target: '', status: 0 }
  let head = start
  let inBody = false
  let upgrade = false
  let body = ''
  let trailers: string[] = []
  const parser = newParser(type)
  parser[HTTPParser.kOnHeaders] = (fields: readonly string[], url: string) => {
    if (inBody) trailers.push(...lines(fields))
    else head = { ...head, target: url }
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    _fields: readonly string[] | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined,
    _reason: string,
    upgrading: boolean,
  ) => {
    head = { method: methods[method ?? -1] ?? '', target: url ?? head.target, status: status ?? 0 }
    inBody = true
    body = ''
    trailers = []
    upgrade ||= upgrading
    return skipsBody(requestMethod)
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => {
    body += chunk.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages.push({ ...head, body, trailers })
    head = start
    inBody = false
  }
  const result = parser.execute(Buffer.from(text, 'latin1'))
  const error = result instanceof Error ? result : upgrade ? undefined : parser.finish()
  const skippedBefore = (index: number) => skipped(type, text, requestMethod, index)
  return { messages, error: error?.code ?? '', upgrade, skippedBefore }
}

function newParser(type: number): Parser {
  const parser = new HTTPParser()
  parser.initialize(type, {}, 1 << 24, HTTPParser.kLenientNone)
  return parser
}

/** What llhttp takes for: the response has no body, whatever it says. */
const skipsBody = (requestMethod: string) => (requestMethod === 'HEAD' ? 1 : 0)

/** Fed byte by byte, the parser shows where each message begins and ends. */
function skipped(type: number, text: string, requestMethod: string, index: number): string {
  let at = 0
  const begins: number[] = []
  const ends: number[] = []
  const parser = newParser(type)
  parser[HTTPParser.kOnHeadersComplete] = () => skipsBody(requestMethod)
  parser[HTTPParser.kOnMessageBegin] = () => void begins.push(at)
  parser[HTTPParser.kOnMessageComplete] = () => void ends.push(at + 1)
  const bytes = Buffer.from(text, 'latin1')
  for (; at < bytes.length && begins.length <= index; at++) {
    if (parser.execute(bytes.subarray(at, at + 1)) instanceof Error) break
  }
  return text.slice(ends[index - 1] ?? 0, begins[index] ?? 0)
}

function lines(fields: readonly string[]): string[] {
  return fields.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${fields[index + 1] ?? ''}`] : []))
}
