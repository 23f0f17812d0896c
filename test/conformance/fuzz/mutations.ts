import fc from 'fast-check'
import { fraction } from './messages.ts'

/** A change to a text; places are fractions of its length, so that they fit whatever it is. */
type Change =
  | { readonly kind: 'splice'; readonly at: number; readonly drop: number; readonly put: string }
  | { readonly kind: 'line'; readonly at: number; readonly put: readonly string[]; readonly keep: boolean }
  | { readonly kind: 'ending'; readonly at: number; readonly ending: string }

const bit = fc.constantFrom(
  '',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '=',
  '"',
  '-',
  '+',
  '0',
  '5',
  'a',
  'x',
  '_',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xff',
  '0x',
  'chunked',
  '/',
  '?',
  '#',
  '%2e',
  '%00',
  'HTTP/1.1',
  'HTTP/1.0',
)
const line = fc.constantFrom(
  'Content-Length: 5',
  'Content-Length: 0',
  'content-length: 3',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 05',
  'Content-Length:',
  'Content-Length : 5',
  'Content-Length: 5 5',
  'Content-Length: 0x5',
  'Transfer-Encoding: chunked',
  'transfer-encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\x0bchunked',
  ' Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding:',
  'Connection: close',
  'Connection: keep-alive, close',
  'Host: b',
  'Host: b c',
  ' folded',
  '\tfolded',
  'no colon',
  ': no name',
  'A: \0',
  'A: b\rc',
  'Expect: 100-continue',
  'Expect: x',
  '',
  '0',
  '5',
  '5;x',
  '5 ',
  '0\r\nX-T: 1',
  'GET /inserted HTTP/1.1',
  'HTTP/1.1 200 OK',
  'Trailer: X',
)

/** One change of bytes, or of a whole line: put in, doubled, dropped, or ended in another way. */
export const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('splice'), at: fraction, drop: fc.integer({ min: 0, max: 3 }), put: bit }),
  fc.record({ kind: fc.constant('line'), at: fraction, put: fc.array(line, { maxLength: 2 }), keep: fc.boolean() }),
  fc.record({
    kind: fc.constant('ending'),
    at: fraction,
    ending: fc.constantFrom('\n', '\r', '\r\r\n', '\n\r', '', ' \r\n', '\r\n '),
  }),
)

/** The text after each change in turn. */
export function mutate(text: string, changes: readonly Change[]): string {
  return changes.reduce(apply, text)
}

function apply(text: string, change: Change): string {
  if (change.kind === 'splice') {
    const index = Math.floor(change.at * text.length)
    return text.slice(0, index) + change.put + text.slice(index + change.drop)
  }
  const lines = text.split('\r\n')
  const index = Math.floor(change.at * lines.length)
  if (change.kind === 'line') {
    const own = lines[index] ?? ''
    lines.splice(index, 1, ...(change.keep ? [own] : []), ...change.put)
    return lines.join('\r\n')
  }
  return `${lines.slice(0, index + 1).join('\r\n')}${change.ending}${lines.slice(index + 1).join('\r\n')}`
}
