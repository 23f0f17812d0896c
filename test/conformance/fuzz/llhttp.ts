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

type Event = 'kOnHeaders' | 'kOnHeadersComplete' | 'kOnBody' | 'kOnMessageComplete'

/**
 * The parser under node:http. Through the server above it one cannot tell what was framed and what was thrown away
 * later, so the parser itself is asked. Node has no types for it, hence the one assertion.
 */
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as Binding

/** Requests in the bytes of one connection that ends after them. */
export const framedRequests = (text: string): Oracle => run(HTTPParser.REQUEST, text, () => false)

/** Responses to one request, the informational ones included, on a connection that ends after them. */
export const framedResponses = (text: string, method: string): Oracle => {
  return run(HTTPParser.RESPONSE, text, () => method === 'HEAD')
}

/** Methods that llhttp knows; to others it knows no answer. */
export const knownMethods: ReadonlySet<string> = new Set(methods)

function run(type: number, text: string, skipsBody: () => boolean): Oracle {
  const messages: Framed[] = []
  const start = { method: '', target: '', status: 0 }
  let head = start
  let inBody = false
  let upgrade = false
  let body = ''
  let trailers: string[] = []
  const parser = new HTTPParser()
  parser.initialize(type, {}, 1 << 24, HTTPParser.kLenientNone)
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
    return skipsBody() ? 1 : 0
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
  return { messages, error: error?.code ?? '', upgrade }
}

function lines(fields: readonly string[]): string[] {
  return fields.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${fields[index + 1] ?? ''}`] : []))
}
