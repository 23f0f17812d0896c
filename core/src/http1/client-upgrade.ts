import { invalid } from './client-errors.ts'
import type { Fields } from './fields.ts'
import { known } from './known-fields.ts'
import { websocketAccept } from './websocket-key.ts'

/**
 * Makes the fields of a 101 ready to be passed on: without those of this hop, but with Upgrade, which says what the
 * connection speaks from now on.
 *
 * @throws GATEWAY_UPSTREAM_INVALID unless each protocol named was asked for (RFC 9110 section 7.8), and a WebSocket's key
 * was answered (RFC 6455 section 4.1).
 */
export function prepareSwitch(fields: Fields, asked: string | undefined, websocketKey: string): void {
  const chosen = fields.getKnown(known.upgrade)
  const offered = protocols(asked)
  if (chosen === undefined || !protocols(chosen).every(name => offered.includes(name))) {
    throw invalid(`switched to a protocol not asked for: ${chosen ?? 'none named'}`)
  }
  if (websocketKey !== '') {
    const accept = fields.get('sec-websocket-accept')
    if (accept !== websocketAccept(websocketKey)) throw invalid(`a wrong Sec-WebSocket-Accept: ${accept ?? 'none'}`)
    fields.delete('sec-websocket-accept')
  }
  fields.removeHopByHop()
  fields.set('Upgrade', chosen)
}

function protocols(list = ''): string[] {
  return list
    .toLowerCase()
    .split(',')
    .map(name => name.trim())
}
