/** The backend sees exactly this request, and the client its answer. */
export interface Forwarded {
  readonly kind: 'forwarded'
  /** Request line. */
  readonly line: string
  /** Field lines as they must arrive, in order: all but those that the gateway itself writes. */
  readonly fields: readonly string[]
  /** Of the client, as X-Forwarded-Host tells it; undefined when it named none. */
  readonly host: string | undefined
  readonly via: '1.0 gateway' | '1.1 gateway'
  readonly body: string
  readonly trailers: readonly string[]
  readonly framing: 'none' | 'length' | 'chunked'
  /** The gateway closes the connection after the answer. */
  readonly closes: boolean
}

/** The client is answered by the gateway. */
export interface Refused {
  readonly kind: 'refused'
  readonly status: number
  /** The connection lives on: what was wrong leaves no doubt about where the next request begins. */
  readonly kept: boolean
  /** The fault came after the head, when the backend had been asked: it sees a request cut off, never a whole one. */
  readonly late: boolean
}

/** The message ended with the connection, in its middle: nothing whole may reach the backend, and little is to be said. */
export interface Dropped {
  readonly kind: 'dropped'
  /** Of the answer; undefined when the client gets none. */
  readonly status: number | undefined
}

export type Outcome = Forwarded | Refused | Dropped

/** Name, section of RFC 9110 or 9112 (or the rule of the house), the bytes (latin1), and what becomes of them, in order. */
export type RequestCase = readonly [name: string, section: string, bytes: string, ...outcomes: Outcome[]]

/** `line` without its version. Framing follows from the body unless `chunked` says so. */
export function forwarded(
  line: string,
  more: {
    readonly fields?: readonly string[]
    readonly body?: string
    readonly chunked?: true
    readonly trailers?: readonly string[]
    readonly host?: string | null
    readonly version?: '1.0'
    readonly closes?: boolean
  } = {},
): Forwarded {
  const {
    fields = [],
    body = '',
    trailers = [],
    chunked,
    host = 'a',
    version = '1.1',
    closes = version === '1.0',
  } = more
  return {
    kind: 'forwarded',
    line: `${line} HTTP/1.1`,
    fields,
    host: host ?? undefined,
    via: `${version} gateway`,
    body,
    trailers,
    framing: chunked === true ? 'chunked' : body === '' ? 'none' : 'length',
    closes,
  }
}

/** By a 4xx or 5xx and a closed connection, and nothing at the backend. */
export function refused(status = 400): Refused {
  return { kind: 'refused', status, kept: false, late: false }
}

/** By a status that concerns this request alone. The connection goes on. */
export function declined(status: number): Refused {
  return { kind: 'refused', status, kept: true, late: false }
}

/** In the middle of its body. */
export function broken(status = 400): Refused {
  return { kind: 'refused', status, kept: false, late: true }
}

export const dropped: Dropped = { kind: 'dropped', status: undefined }

/** Ended within its head. */
export const unfinished: Dropped = { kind: 'dropped', status: 400 }

/** A head with `Host: a`, and what follows it. */
export function message(line: string, fields: readonly string[] = [], body = ''): string {
  return head(line, ['Host: a', ...fields]) + body
}

/** A head with nothing added. */
export function head(line: string, fields: readonly string[]): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n`
}

export const get = (...fields: string[]): string => message('GET / HTTP/1.1', fields)
export const post = (fields: readonly string[], body = ''): string => message('POST / HTTP/1.1', fields, body)
