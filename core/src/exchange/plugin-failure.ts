import { GatewayError } from '../contract/errors.ts'

/** What a plugin's throw becomes: its own GatewayError as it is, anything else a 500 that names plugin and hook in the log. */
export function pluginFailure(plugin: string, hook: string, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause
  return new GatewayError('GATEWAY_PLUGIN_FAILED', `plugin "${plugin}" failed in ${hook}: ${reasonOf(cause)}`, {
    cause,
  })
}

export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  return new GatewayError('GATEWAY_INTERNAL', reasonOf(error), { cause: error })
}

/** Of whatever was thrown: not everything is an Error, or can be made a string. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return 'something that cannot be shown was thrown'
  }
}

// By its `then`, not by instanceof: a promise of another realm or library must not pass for a reply.
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
