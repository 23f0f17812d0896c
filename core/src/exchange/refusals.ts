import { GatewayError } from '../contract/errors.ts'
import type { Miss } from '../routing/router.ts'

/** Why the gateway does not do what the request asks for, whatever its path; undefined when it does. */
export function unserved(method: string): GatewayError | undefined {
  if (method === 'CONNECT' || method === 'TRACE') {
    return new GatewayError('GATEWAY_METHOD_NOT_SUPPORTED', `${method} is not proxied`)
  }
  return undefined
}

/** The one protocol that a request may ask to become; others are not taken note of. */
export function asksWebSocket(upgrade: string): boolean {
  return upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')
}

/** What asks for a WebSocket on a route that carries none. */
export function uncarried(): GatewayError {
  return new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', 'upgrade to websocket on a route without WebSockets')
}

/** Why there is no route. */
export function unrouted(method: string, path: string, miss: Miss): GatewayError {
  if (miss.status === 404) return new GatewayError('GATEWAY_ROUTE_NOT_FOUND', `no route for ${method} ${path}`)
  const allow = miss.allow.join(', ')
  return new GatewayError('GATEWAY_METHOD_NOT_ALLOWED', `${method} on a path that allows ${allow}`, {
    headers: { allow },
  })
}
