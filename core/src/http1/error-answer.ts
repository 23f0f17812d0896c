import { GatewayError } from '../contract/errors.ts'
import { responseHeadText } from './response-head.ts'
import type { ServerOptions } from './server-options.ts'
import type { Peer } from './wire.ts'

/** What ended the reading of a request: its own fault, or, of anything else that is thrown, ours. */
export function asBadRequest(error: unknown): GatewayError {
  return error instanceof GatewayError
    ? error
    : new GatewayError('GATEWAY_INTERNAL', 'the request could not be read', { cause: error })
}

/** The last answer on a connection: what policy makes of the error, or, when policy throws, the bare status. */
export function errorAnswer(
  error: GatewayError,
  peer: Peer,
  { onClientError, onFault }: Pick<ServerOptions, 'onClientError' | 'onFault'>,
): { text: string; body: Uint8Array } {
  try {
    const { fields, body } = onClientError(error, peer)
    fields.removeHopByHop()
    const framing = `Content-Length: ${body.length}\r\nConnection: close\r\n`
    return { text: responseHeadText(error.status, '', fields, framing), body }
  } catch (fault) {
    onFault(fault)
    const framing = 'Content-Length: 0\r\nConnection: close\r\n'
    return { text: responseHeadText(error.status, '', undefined, framing), body: new Uint8Array() }
  }
}
