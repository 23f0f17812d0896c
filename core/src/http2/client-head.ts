import { GatewayError } from '../contract/errors.ts'
import { notVisible, saysLength } from '../http1/client-head.ts'
import { isToken } from '../http1/grammar.ts'
import { idOfName, known } from '../http1/known-fields.ts'
import type { ClientRequest } from '../http1/wire.ts'

/**
 * The header section of a request as node:http2 sends it (RFC 9113 section 8.3.1): Host becomes `:authority`. `te:
 * trailers` is always there, since trailers are passed on; gRPC servers ask for it. An upgrade becomes an extended CONNECT
 * (RFC 8441 section 4).
 *
 * @throws TypeError when method or target are none; GatewayError GATEWAY_UPGRADE_NOT_SUPPORTED for a plain CONNECT.
 */
export function requestList(request: ClientRequest, secure: boolean, authority: string): string[] {
  const { method, target, fields, bodyLength, upgrade } = request
  if (!isToken(method)) throw new TypeError(`not a method: ${JSON.stringify(method)}`)
  if (notVisible.test(target) || !(target.startsWith('/') || target === '*')) {
    throw new TypeError(`not a request target: ${JSON.stringify(target)}`)
  }
  if (method === 'CONNECT') throw new GatewayError('GATEWAY_UPGRADE_NOT_SUPPORTED', 'CONNECT to an HTTP/2 upstream')
  const list = [
    ':method',
    upgrade === undefined ? method : 'CONNECT',
    ':scheme',
    secure ? 'https' : 'http',
    ':authority',
    fields.getKnown(known.host) ?? authority,
    ':path',
    target,
  ]
  if (upgrade !== undefined) list.push(':protocol', upgrade)
  fields.forEach((name, value) => {
    if (idOfName(name) !== known.host) list.push(name, value)
  })
  if (saysLength(method, bodyLength)) list.push('content-length', String(bodyLength))
  if (upgrade === undefined) list.push('te', 'trailers')
  return list
}
