import { STATUS_CODES } from 'node:http'
import type { Fields } from './fields.ts'
import { isFieldValue } from './grammar.ts'
import { known } from './known-fields.ts'

const statusLines: string[] = []
for (let status = 100; status < 600; status++)
  statusLines[status] = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`

/**
 * Text of a response head, to be written as latin1. `framing` holds the lines that the wire layer adds, each with its
 * CRLF. An empty or unfit reason gives the standard phrase. Date is added to a final head that has none (RFC 9110 section
 * 6.6.1). Throws RangeError for a status that is none.
 */
export function responseHeadText(status: number, reason: string, fields: Fields | undefined, framing: string): string {
  const standard = statusLines[status]
  if (standard === undefined) throw new RangeError(`not a status: ${status}`)
  const line =
    reason === '' || reason === STATUS_CODES[status] || !isFieldValue(reason)
      ? standard
      : `HTTP/1.1 ${status} ${reason}\r\n`
  if (fields === undefined) return `${line}${framing}\r\n`
  const date = status < 200 || fields.countKnown(known.date) > 0 ? '' : dateLine()
  return `${line}${fields.toText()}${date}${framing}\r\n`
}

let dateText = ''
let dateUntil = 0

/** The Date line, made once a second. */
function dateLine(): string {
  const now = Date.now()
  // A clock set back shows as a time far before the end of the cached second.
  if (now >= dateUntil || now < dateUntil - 1000) {
    dateUntil = now - (now % 1000) + 1000
    dateText = `Date: ${new Date(now).toUTCString()}\r\n`
  }
  return dateText
}
