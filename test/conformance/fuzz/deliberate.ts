/** One way in which the gateway and llhttp's strict mode differ on purpose. */
interface Difference {
  /** The reason that the gateway logs for its refusal. */
  readonly reason: RegExp
  readonly why: string
  /** Holds only where llhttp skipped bytes before the message. */
  readonly afterEmptyLines?: true
  /** Holds only where this stands in the text. */
  readonly text?: RegExp
}

const both: readonly Difference[] = [
  {
    reason: /framing: transfer coding$/,
    why: 'RFC 9112 6.1 allows other codings before chunked; nobody here decodes them',
  },
  { reason: /framing: Transfer-Encoding in HTTP\/1\.0$/, why: 'RFC 9112 6.1: such a message is faulty' },
  { reason: /^body: invalid chunk size$/, why: 'leading zeros are taken up to 16 digits, sizes up to 2^53' },
  { reason: /^body: invalid chunk extension: too long$/, why: 'RFC 9112 7.1.1: a limit is due' },
  { reason: /: too many (?:bytes|fields)$/, why: 'limits are the server’s above llhttp' },
]

const stricter: Readonly<Record<'request' | 'response', readonly Difference[]>> = {
  request: [
    ...both,
    {
      reason: /^Host (?:is missing|stands more than once)$|^invalid Host$/,
      why: 'RFC 9112 3.2; llhttp does not look at Host',
    },
    { reason: /^unknown expectation /, why: 'RFC 9110 10.1.1; llhttp does not look at Expect' },
    {
      reason: /^request head: invalid request-target$|^(?:the )?request-target /,
      why: 'RFC 3986, where llhttp takes whatever is visible',
    },
    { reason: /^request-target$/, why: 'RFC 9112 3.2: which form goes with which method' },
    { reason: /^the path of the request /, why: 'paths that two readers would take for two' },
    { reason: /^request head: HTTP version is neither 1\.0 nor 1\.1$/, why: 'llhttp takes 0.9 and 2.0' },
    {
      reason: /^request head: invalid HTTP version$/,
      why: 'RFC 9112 3: one space before the version; llhttp takes several',
      text: / {2,}HTTP\//,
    },
    { reason: /^body: invalid trailers: framing$/, why: 'RFC 9110 6.5.1' },
    { reason: /^(?:CONNECT|TRACE) is not proxied$/, why: 'RFC 9110 9.3.6, 9.3.8' },
    {
      reason: /^request head: (?:invalid method|invalid CR without LF|invalid empty lines before the request line)$/,
      why: 'RFC 9112 2.2: an empty line is a CRLF; llhttp skips any number of CR and LF',
      afterEmptyLines: true,
    },
  ],
  response: [
    ...both,
    { reason: /^response head: invalid reason phrase$/, why: 'RFC 9112 4: no control characters; llhttp takes any' },
    {
      reason: /^response head: invalid HTTP version$/,
      why: 'RFC 9112 2.2 tolerates empty lines before requests only',
      afterEmptyLines: true,
    },
  ],
}

/** Whether a refusal for that reason, of what llhttp takes in this text after skipping those bytes, is on the list. */
export function isStricter(side: 'request' | 'response', reason: string, text: string, skipped: string): boolean {
  return stricter[side].some(
    row =>
      row.reason.test(reason) && (row.afterEmptyLines !== true || skipped !== '') && row.text?.test(text) !== false,
  )
}

/** What the gateway takes and llhttp refuses with one of these codes, where the text is of this kind. */
const wider: readonly { readonly codes: readonly string[]; readonly text: RegExp; readonly why: string }[] = [
  {
    codes: ['HPE_STRICT', 'HPE_INVALID_CHUNK_SIZE'],
    text: /\n[\da-f]+;[^\r\n]*\r\n/i,
    why: 'RFC 9112 7.1.1: chunk extensions are ignored, so only their length and controls are looked at',
  },
  {
    codes: ['HPE_CLOSED_CONNECTION'],
    text: /\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*connection:[^\r\n]*close/i,
    why: 'RFC 9110 6.5.1: Connection in trailers means nothing; llhttp closes on it',
  },
  {
    codes: ['HPE_INVALID_TRANSFER_ENCODING'],
    text: /\ntransfer-encoding:[ \t]*chunked *\t/i,
    why: 'RFC 9110 5.6.3: a tab is white space after a value too',
  },
]

/** The same for responses alone. */
const widerResponses: typeof wider = [
  ...wider,
  {
    codes: ['HPE_INVALID_CONTENT_LENGTH', 'HPE_UNEXPECTED_CONTENT_LENGTH', 'HPE_INVALID_TRANSFER_ENCODING'],
    text: /\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*(?:content-length|transfer-encoding):/i,
    why: 'RFC 9110 6.5.1: framing in the trailers of a response is dropped; in those of a request it is refused',
  },
]

/** Whether llhttp may refuse with this code what the gateway takes. */
export function isWider(side: 'request' | 'response', code: string, text: string): boolean {
  return (side === 'request' ? wider : widerResponses).some(row => row.codes.includes(code) && row.text.test(text))
}

/**
 * Whether llhttp has no say about these responses, since the gateway reads informational ones as RFC 9112 has them and
 * llhttp does not: they have no body, whatever they say (section 6.3), and neither `Connection: close` nor HTTP/1.0 in one
 * ends the connection before the final response (section 9.6).
 */
export function isBeyondOracle(text: string): boolean {
  const [, heads = ''] = /^((?:[\r\n]*HTTP\/1\.[01] 1\d\d(?:(?!\r\n\r\n).)*\r\n\r\n)+)/s.exec(text) ?? []
  return /^(?:content-length|transfer-encoding|connection:.*close|HTTP\/1\.0)/im.test(heads)
}

/** Which trailers pass is the gateway's affair, but none is made up and none of those that mean nothing to it is lost. */
export function trailersAgree(ours: readonly string[], theirs: readonly string[]): boolean {
  const [mine, all] = [ours.map(spaced), theirs.map(spaced)]
  return mine.every(line => all.includes(line)) && all.every(line => !/^X-/.test(line) || mine.includes(line))
}

const spaced = (line: string) => line.replace(/^([^:]*):[ \t]*(.*?)[ \t]*$/s, '$1: $2')
