import type { Reply } from '../contract/context.ts'
import type { GatewayError } from '../contract/errors.ts'

/** What a client is told when it does not get what it asked for. Nothing of it may tell about the inside. */
export interface ProblemDetails {
  readonly status: number
  /** Stable, for programs: `RATE_LIMIT_EXCEEDED`. */
  readonly code: string
  /** Short, for people, the same for every problem of this code. */
  readonly title: string
  /** What is particular to this one, where that helps the client to mend it. */
  readonly detail?: string | undefined
  /** Such as WWW-Authenticate or Retry-After. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
}

/**
 * An answer in the form of RFC 9457, `application/problem+json`, as the kernel's own errors have it: for plugins that turn
 * a request away. An expected outcome is such a reply; what is thrown counts as a fault and is logged.
 */
export function problem(ctx: { readonly id: string; readonly route?: string | undefined }, details: ProblemDetails) {
  const { status, code, title, detail, headers } = details
  const body = {
    type: `urn:gateway:problem:${code
      .toLowerCase()
      .replace(/^gateway_/, '')
      .replaceAll('_', '-')}`,
    title,
    status,
    detail,
    code,
    route: ctx.route === '' ? undefined : ctx.route,
    requestId: ctx.id,
  }
  return {
    status,
    headers: { ...headers, 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: `${JSON.stringify(body)}\n`,
  } satisfies Reply
}

/** Only the error's title, code and status go out; its message and cause are for the log. */
export function problemReply(
  error: GatewayError,
  ctx: { readonly id: string; readonly route: string | undefined; readonly status?: number },
) {
  const { status, code, title, headers } = error
  return problem(ctx, { status: ctx.status ?? status, code, title, headers })
}
