import { GatewayError, type GatewayErrorCode } from '../contract/errors.ts'

export type UpstreamErrorCode = Extract<GatewayErrorCode, `GATEWAY_UPSTREAM_${string}` | 'GATEWAY_INTERNAL'>

/** An error of an exchange. The message says which upstream; it is for the log. */
export function upstreamError(
  code: UpstreamErrorCode,
  origin: string,
  reason: string,
  cause: unknown,
  retryable?: boolean,
): GatewayError {
  return new GatewayError(code, `${origin}: ${reason}`, { cause, ...(retryable === undefined ? {} : { retryable }) })
}

/** A response that breaks the rules, said where the upstream's name is not known. */
export function invalid(reason: string): GatewayError {
  return new GatewayError('GATEWAY_UPSTREAM_INVALID', reason)
}

/**
 * Informational responses to one request. Each is a sign of progress that gives the final one its time anew (102 exists
 * for that), so that without a limit there would be no end of them.
 */
export const maxInformational = 32
export const tooManyInformational = `sent more than ${maxInformational} informational responses`

/** Turns what was thrown while a response was read into the exchange's error. */
export function readingFailed(origin: string, thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) {
    if (thrown.code !== 'GATEWAY_UPSTREAM_INVALID') return thrown
    return upstreamError('GATEWAY_UPSTREAM_INVALID', origin, thrown.message, thrown)
  }
  // Not the upstream's fault: a handler threw. It harms its own exchange alone.
  return upstreamError('GATEWAY_INTERNAL', origin, 'the reader of the response failed', thrown)
}
