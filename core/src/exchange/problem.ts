import type { Reply } from '../contract/context.ts'
import type { GatewayError } from '../contract/errors.ts'

/**
 * What a client is told of an error: RFC 9457 problem details. Only the error's title, code and status go out; its
 * message and cause are for the log.
 */
export function problemReply(
  error: GatewayError,
  context: { readonly id: string; readonly route: string | undefined; readonly status?: number },
): Reply & { headers: Readonly<Record<string, string>>; body: string } {
  const { status = error.status } = context
  const body = {
    type: `urn:gateway:problem:${error.code
      .toLowerCase()
      .replace(/^gateway_/, '')
      .replaceAll('_', '-')}`,
    title: error.title,
    status,
    code: error.code,
    ...(context.route === undefined ? {} : { route: context.route }),
    requestId: context.id,
  }
  return {
    status,
    headers: { ...error.headers, 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: `${JSON.stringify(body)}\n`,
  }
}
