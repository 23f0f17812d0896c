import type { Answer } from './backend.ts'

/** The client sees exactly this. */
export interface Passed {
  readonly kind: 'passed'
  readonly status: number
  readonly reason: string
  /** Field lines in order, framing among them: all but Date and X-Request-ID of the gateway. */
  readonly fields: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
  /** Informational responses before it: status and field lines. */
  readonly informational: readonly (readonly [status: number, ...fields: string[]])[]
  /** The upstream's connection serves the next request. */
  readonly reused: boolean
  /** The client's connection is closed after it. */
  readonly closes: boolean
}

/** The client sees a 502 that tells nothing of what came, and its connection goes on. */
export interface BadGateway {
  readonly kind: 'bad gateway'
  readonly informational: Passed['informational']
}

/** The response had begun: the client's connection is cut, and nothing that it got looks whole. */
export interface CutOff {
  readonly kind: 'cut off'
  /** At most this much of the body. */
  readonly body: string
}

export type Verdict = Passed | BadGateway | CutOff

export interface ResponseCase {
  readonly name: string
  /** Section of RFC 9110 or 9112, or the rule of the house. */
  readonly section: string
  /** The whole request. */
  readonly ask: string
  /** Of the response, latin1. */
  readonly bytes: string
  readonly after: Answer['after']
  /** The upstream answers as soon as the head is here. */
  readonly early: boolean
  readonly verdict: Verdict
}

interface More {
  readonly method?: string
  readonly ask?: string
  readonly after?: Answer['after']
  readonly early?: true
}

export function row(name: string, section: string, bytes: string, verdict: Verdict, more: More = {}): ResponseCase {
  const { method = 'GET', after = 'keep', early = false, ask = `${method} /case HTTP/1.1\r\nHost: a\r\n\r\n` } = more
  return { name, section, ask, bytes, after, early, verdict }
}

export function passed(status: number, more: Partial<Omit<Passed, 'kind' | 'status'>> = {}): Passed {
  return {
    kind: 'passed',
    status,
    reason: 'OK',
    fields: [],
    body: '',
    trailers: [],
    informational: [],
    reused: true,
    closes: false,
    ...more,
  }
}

/** `ok` with a length, which is what most cases are about on the way. */
export const passedOk = (more: Partial<Omit<Passed, 'kind' | 'status'>> = {}): Passed =>
  passed(200, { body: 'ok', ...more, fields: [...(more.fields ?? []), 'Content-Length: 2'] })

/** The same in chunks. */
export const passedChunked = (body: string, more: Partial<Omit<Passed, 'kind' | 'status'>> = {}): Passed =>
  passed(200, { ...more, body, fields: [...(more.fields ?? []), 'Transfer-Encoding: chunked'] })

export const badGateway: BadGateway = { kind: 'bad gateway', informational: [] }

export const cutOff = (body = ''): CutOff => ({ kind: 'cut off', body })

/** A head with these lines, and what follows it. */
export const head = (line: string, ...fields: string[]): string => `${[line, ...fields].join('\r\n')}\r\n\r\n`

/** A 200 with these lines, a length of 2 and the body `ok`. */
export const ok = (...fields: string[]): string => `${head('HTTP/1.1 200 OK', ...fields, 'Content-Length: 2')}ok`
