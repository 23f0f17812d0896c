import { invalid } from './client-errors.ts'
import type { Fields } from './fields.ts'
import { known } from './known-fields.ts'

/**
 * Makes the fields of a 101 ready to be passed on: without those of this hop, but with Upgrade, which says what the
 * connection speaks from now on.
 *
 * @throws GATEWAY_UPSTREAM_INVALID unless each protocol named was asked for (RFC 9110 section 7.8).
 */
export function prepareSwitch(fields: Fields, asked: string | undefined): void {
  const chosen = fields.getKnown(known.upgrade)
  const offered = protocols(asked)
  if (chosen === undefined || !protocols(chosen).every(name => offered.includes(name))) {
    throw invalid(`switched to a protocol not asked for: ${chosen ?? 'none named'}`)
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
