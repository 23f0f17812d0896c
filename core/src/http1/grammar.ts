/** Character classes of RFC 9110 and RFC 3986, one bit each, looked up by byte. */
export const TOKEN = 1
/** What a field value may hold: VCHAR, obs-text, SP and HTAB. */
export const VALUE = 2
/** Path of a request-target. */
export const PATH = 4
/** Query of a request-target. */
export const QUERY = 8
/** Registered name of a host. */
export const HOST = 16
export const DIGIT = 32

const alpha = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const digits = '0123456789'
const pchar = `${alpha}${digits}-._~%!$&'()*+,;=:@`

function build(): Uint8Array {
  const table = new Uint8Array(256)
  const mark = (characters: string, bit: number) => {
    for (const character of characters) {
      const code = character.charCodeAt(0)
      table[code] = (table[code] ?? 0) | bit
    }
  }
  mark(`${alpha}${digits}!#$%&'*+-.^_\`|~`, TOKEN)
  for (let code = 0; code < 256; code++) {
    if (code === 9 || (code >= 32 && code !== 127)) mark(String.fromCharCode(code), VALUE)
  }
  // Beyond RFC 3986: what browsers send unescaped (URL Standard, path and query percent-encode sets).
  mark(`${pchar}/[]|^`, PATH)
  mark(`${pchar}/?[]|^{}\`\\`, QUERY)
  // Narrower than reg-name: no sub-delims, no percent-encoding. No name in DNS holds them, and readers differ over them.
  mark(`${alpha}${digits}-._~`, HOST)
  mark(digits, DIGIT)
  return table
}

const classes = build()

/** Class bits of the byte at `index`; 0 past the end. */
export function classAt(bytes: Uint8Array, index: number): number {
  return classes[bytes[index] ?? 0] ?? 0
}

/** Class bits of a character code; 0 beyond latin1. */
export function classOf(code: number): number {
  return code < 256 ? (classes[code] ?? 0) : 0
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if ((classOf(text.charCodeAt(i)) & TOKEN) === 0) return false
  return text.length > 0
}

/** Whether `text` may stand as a field value or a reason phrase. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) if ((classOf(text.charCodeAt(i)) & VALUE) === 0) return false
  return true
}
