import type { Fields } from '../http1/fields.ts'
import { fieldsOf } from './field-list.ts'

/** RFC 9110 section 6.5.1, the same fields as over HTTP/1.1: what must not be merged or believed when it comes late. */
const forbidden: readonly string[] = (
  'transfer-encoding content-length connection keep-alive proxy-connection te trailer upgrade http2-settings host ' +
  'expect max-forwards range cache-control pragma if-match if-none-match if-modified-since if-unmodified-since if-range ' +
  'authorization proxy-authorization www-authenticate proxy-authenticate authentication-info proxy-authentication-info ' +
  'cookie set-cookie age expires date location retry-after vary warning content-encoding content-type content-range ' +
  'forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip'
).split(' ')

/** Trailers as node:http2 delivers them; undefined when none is left that may be one. */
export function trailersOf(list: readonly string[]): Fields | undefined {
  const fields = fieldsOf(list)
  for (const name of forbidden) fields.delete(name)
  return fields.size === 0 ? undefined : fields
}
