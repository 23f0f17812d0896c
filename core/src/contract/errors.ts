/** Who failed: the configuration, the client, this gateway (or a plugin in it), or an upstream. */
export type ErrorSource = 'config' | 'client' | 'gateway' | 'upstream'

interface Row {
  readonly status: number
  readonly source: ErrorSource
  /** What a client is told. Never says anything about the inside. */
  readonly title: string
  /** The request may be sent to an upstream again: nothing of a response was seen. */
  readonly retryable?: true
}

/**
 * Every error the kernel can answer a request with: its stable code, the status a client sees and its title.
 * The README's table is checked against this one.
 */
export const errorTable = {
  GATEWAY_BAD_REQUEST: { status: 400, source: 'client', title: 'Bad request' },
  GATEWAY_BAD_PATH: { status: 400, source: 'client', title: 'Ambiguous or invalid path' },
  GATEWAY_CLIENT_CLOSED: { status: 499, source: 'client', title: 'Client closed request' },
  GATEWAY_REQUEST_TIMEOUT: { status: 408, source: 'client', title: 'Request timeout' },
  GATEWAY_BODY_TOO_LARGE: { status: 413, source: 'client', title: 'Content too large' },
  GATEWAY_URI_TOO_LONG: { status: 414, source: 'client', title: 'URI too long' },
  GATEWAY_HEAD_TOO_LARGE: { status: 431, source: 'client', title: 'Request header fields too large' },
  GATEWAY_VERSION_NOT_SUPPORTED: { status: 505, source: 'client', title: 'HTTP version not supported' },
  GATEWAY_EXPECTATION_FAILED: { status: 417, source: 'client', title: 'Expectation failed' },
  GATEWAY_UPGRADE_NOT_SUPPORTED: { status: 501, source: 'client', title: 'Upgrade not supported' },
  GATEWAY_METHOD_NOT_SUPPORTED: { status: 501, source: 'client', title: 'Method not supported' },
  GATEWAY_ROUTE_NOT_FOUND: { status: 404, source: 'client', title: 'No route matches' },
  GATEWAY_METHOD_NOT_ALLOWED: { status: 405, source: 'client', title: 'Method not allowed' },
  GATEWAY_NO_HEALTHY_TARGET: { status: 503, source: 'upstream', title: 'Service unavailable' },
  GATEWAY_POOL_EXHAUSTED: { status: 503, source: 'upstream', title: 'Service unavailable' },
  GATEWAY_SHUTTING_DOWN: { status: 503, source: 'gateway', title: 'Service unavailable' },
  GATEWAY_CONNECTION_CLOSED: { status: 503, source: 'gateway', title: 'Service unavailable' },
  GATEWAY_UPSTREAM_CONNECT: { status: 502, source: 'upstream', title: 'Bad gateway', retryable: true },
  GATEWAY_UPSTREAM_CLOSED: { status: 502, source: 'upstream', title: 'Bad gateway', retryable: true },
  GATEWAY_UPSTREAM_INVALID: { status: 502, source: 'upstream', title: 'Bad gateway' },
  GATEWAY_UPSTREAM_TRUNCATED: { status: 502, source: 'upstream', title: 'Bad gateway' },
  GATEWAY_UPSTREAM_CONNECT_TIMEOUT: { status: 504, source: 'upstream', title: 'Gateway timeout', retryable: true },
  GATEWAY_UPSTREAM_HEAD_TIMEOUT: { status: 504, source: 'upstream', title: 'Gateway timeout' },
  GATEWAY_UPSTREAM_IDLE_TIMEOUT: { status: 504, source: 'upstream', title: 'Gateway timeout' },
  GATEWAY_TIMEOUT: { status: 504, source: 'upstream', title: 'Gateway timeout' },
  GATEWAY_LISTEN_FAILED: { status: 500, source: 'config', title: 'Internal server error' },
  GATEWAY_SLOT_UNSET: { status: 500, source: 'gateway', title: 'Internal server error' },
  GATEWAY_PLUGIN_FAILED: { status: 500, source: 'gateway', title: 'Internal server error' },
  GATEWAY_INTERNAL: { status: 500, source: 'gateway', title: 'Internal server error' },
} as const satisfies Record<`GATEWAY_${string}`, Row>

export type GatewayErrorCode = keyof typeof errorTable

export interface GatewayErrorOptions {
  readonly source?: ErrorSource
  readonly status?: number
  readonly title?: string
  readonly retryable?: boolean
  readonly cause?: unknown
  /** Fields for the answer, such as `Retry-After` or `Allow`. */
  readonly headers?: Readonly<Record<string, string>>
  /** No answer at all: the client's connection is cut, of HTTP/2 its stream. No onError or onResponse runs. */
  readonly cutsOff?: boolean
}

/**
 * The one error class. `code` is stable and belongs to the interface; `message` is for the log and is never sent.
 *
 * A plugin makes its own with a code of its own: `new GatewayError('QUOTA_SPENT', '…', { status: 429, source: 'client', title: 'Quota spent' })`.
 * Without options a kernel code takes its row of {@link errorTable}; any other code is a 500 of the gateway.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: Uppercase<string>
  readonly status: number
  readonly source: ErrorSource
  readonly title: string
  readonly retryable: boolean
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly cutsOff: boolean

  constructor(code: GatewayErrorCode | (Uppercase<string> & {}), message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    const row: Row = Object.hasOwn(errorTable, code)
      ? errorTable[code as GatewayErrorCode]
      : errorTable.GATEWAY_INTERNAL
    this.code = code
    this.status = options.status ?? row.status
    this.source = options.source ?? row.source
    this.title = options.title ?? row.title
    this.retryable = options.retryable ?? row.retryable ?? false
    this.headers = options.headers
    this.cutsOff = options.cutsOff ?? false
  }
}
