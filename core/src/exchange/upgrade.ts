import type { Duplex } from 'node:stream'
import { GatewayError } from '../contract/errors.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import { known } from '../http1/known-fields.ts'
import { isWebSocketKey } from '../http1/websocket-key.ts'
import { OpenTunnel } from '../tunnel/open-tunnel.ts'
import type { Exchange } from './exchange.ts'
import { applyFieldRules } from './field-rules.ts'
import { finish, logFailure } from './finish.ts'
import { asGatewayError } from './plugin-failure.ts'
import { asksWebSocket, uncarried } from './refusals.ts'
import type { Response } from './response.ts'
import { type Phase, walk } from './walk.ts'

/** Why a request that asks for an upgrade can not have it. Other upgrades than to a WebSocket are not taken note of. */
export function refuseUpgrade(exchange: Exchange, upgrade: string): GatewayError | undefined {
  if (!asksWebSocket(upgrade)) return undefined
  exchange.upgrade = 'websocket'
  const { compiled, stream, method, headers } = exchange
  if (compiled === undefined || compiled.onTunnel.length === 0) return uncarried()
  // RFC 6455 section 4.2.1, of which RFC 8441 section 5 leaves the key away.
  if (method !== 'GET') return bad(`a WebSocket is opened by GET, not by ${method}`)
  if (stream.bodyLength !== 0) return bad('a WebSocket is opened without a body')
  if (headers.get('sec-websocket-version') !== '13') {
    return bad('another version of the WebSocket protocol than 13', { 'Sec-WebSocket-Version': '13' })
  }
  if (stream.version !== '2' && !isWebSocketKey(headers.get('sec-websocket-key') ?? '')) {
    return bad('a WebSocket without a Sec-WebSocket-Key')
  }
  return undefined
}

function bad(message: string, headers?: Readonly<Record<string, string>>): GatewayError {
  return new GatewayError('GATEWAY_BAD_REQUEST', message, headers === undefined ? {} : { headers })
}

/** Whether an ordinary answer would tell the client that its tunnel stands: over HTTP/2 every success does. */
export function wouldOpen({ stream }: Exchange, { status }: Response): boolean {
  return stream.version === '2' && status >= 200 && status < 300
}

export function notOpened({ target }: Exchange): GatewayError {
  return new GatewayError(
    'GATEWAY_UPSTREAM_INVALID',
    `${target?.url ?? 'a plugin'} answered an upgrade as a plain request`,
  )
}

/**
 * The upstream's 101 has passed the hooks: gives it to the client, tells onTunnel and joins the two connections.
 *
 * @throws when the client cannot have it; it is still owed an answer then.
 */
export function openTunnel(exchange: Exchange, response: Response, upstream: Duplex): void {
  const { compiled, stream, target } = exchange
  const { headers, status } = response
  if (status !== 101) throw new TypeError(`an onResponse hook made ${status} of an accepted upgrade: it has to answer`)
  if (upstream.destroyed) {
    throw new GatewayError('GATEWAY_UPSTREAM_CLOSED', `${target?.url} closed the WebSocket that it had accepted`)
  }
  if (compiled?.responseHeaders !== undefined) applyFieldRules(headers, compiled.responseHeaders)
  headers.removeKnown(1 << known['x-request-id'])
  headers.appendOwn(known['x-request-id'], 'X-Request-ID', exchange.id)
  headers.set('Upgrade', 'websocket')
  const { socket: client, head } = stream.detach(101, headers)
  if (head.byteLength > 0) client.unshift(head)
  exchange.headSent = true
  exchange.status = 101
  const { connections } = exchange.runtime
  const tunnel = new OpenTunnel(exchange, client, upstream, headers, {
    failed(cause) {
      const error = asGatewayError(cause)
      logFailure(exchange, error)
      return error
    },
    ended(error) {
      connections.delete(tunnel)
      finish(exchange, error)
    },
  })
  connections.add(tunnel)
  exchange.tunnel = tunnel
  // From here on the tunnel's end is the exchange's; a route's total time is for answers.
  exchange.source = undefined
  exchange.runtime.deadlines.remove(exchange)
  walk(exchange, tunnelPhase, compiled?.onTunnel ?? [], 0)
}

const tunnelPhase: Phase<NonNullable<RouteHooks['onTunnel']>> = {
  hook: 'onTunnel',
  forward: false,
  failed: (exchange, error) => exchange.tunnel?.fail(error),
  call: (exchange, run) => (exchange.tunnel === undefined ? undefined : run(exchange, exchange.tunnel)),
  // The type says that onTunnel returns nothing.
  answered: (exchange, _reply, _step, index) =>
    walk(exchange, tunnelPhase, exchange.compiled?.onTunnel ?? [], index + 1),
  done: exchange => exchange.tunnel?.start(),
}
