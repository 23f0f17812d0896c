import { GatewayError } from '../contract/errors.ts'

/** What a plugin's throw becomes: its own GatewayError as it is, anything else a 500 that names plugin and hook in the log. */
export function pluginFailure(plugin: string, hook: string, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new GatewayError('GATEWAY_PLUGIN_FAILED', `plugin "${plugin}" failed in ${hook}: ${reason}`, { cause })
}

export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  return new GatewayError('GATEWAY_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })
}
