const imf = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/
const rfc850 = /^[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/

/** An HTTP-date in any of its three forms (RFC 9110 section 5.6.7), in milliseconds since the epoch; undefined for anything else. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const known = imf.test(text) || rfc850.test(text) ? text : asctime.test(text) ? `${text} GMT` : undefined
  const ms = known === undefined ? Number.NaN : Date.parse(known)
  return Number.isNaN(ms) ? undefined : ms
}
