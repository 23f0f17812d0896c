/**
 * Field names that the gateway itself looks at. The parser gives each field of such a name its number, so that asking
 * for it later compares integers. Numbers stay below 31: a block keeps a bit set of the names it may hold.
 */
export const known = {
  host: 1,
  connection: 2,
  'content-length': 3,
  'transfer-encoding': 4,
  upgrade: 5,
  'keep-alive': 6,
  'proxy-connection': 7,
  te: 8,
  trailer: 9,
  'http2-settings': 10,
  'proxy-authenticate': 11,
  'proxy-authorization': 12,
  expect: 13,
  date: 14,
  cookie: 15,
  'set-cookie': 16,
  'content-type': 17,
  'content-encoding': 18,
  authorization: 19,
  via: 20,
  'max-forwards': 21,
  'accept-encoding': 22,
  origin: 23,
  'x-forwarded-for': 24,
  'x-forwarded-proto': 25,
  'x-forwarded-host': 26,
  forwarded: 27,
  'x-request-id': 28,
  'cache-control': 29,
  'x-real-ip': 30,
} as const

export type KnownName = keyof typeof known
/** Number of a known field name; 0 stands for every other name. */
export type FieldId = (typeof known)[KnownName]

/** Name of a number, lower-case; the empty string for 0. */
export const knownNames: readonly string[] = ['', ...Object.keys(known)]

// Length, first and last letter tell all known names apart, so one probe and one comparison find the number.
const slots = 256

function slotOf(length: number, first: number, last: number): number {
  return (length + (first | 32) + (last | 32) * 12) & (slots - 1)
}

/** Places names in the probe table; throws when two want the same place. */
export function probeTable(names: readonly string[]): Uint8Array {
  const table = new Uint8Array(slots)
  for (const [number, name] of names.entries()) {
    if (number === 0) continue
    const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1))
    if (table[slot] !== 0) throw new Error(`field names ${name} and ${names[table[slot] ?? 0]} share a slot`)
    table[slot] = number
  }
  return table
}

const probe = probeTable(knownNames)

/** Number of the name at `bytes[start, end)`, which the caller has found to be a token; 0 when it is not a known one. */
export function idOfBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  const id = probe[slotOf(length, bytes[start] ?? 0, bytes[end - 1] ?? 0)] ?? 0
  if (id === 0) return 0
  const name = knownNames[id] ?? ''
  if (name.length !== length) return 0
  // Setting bit 5 folds case; among token characters nothing but a letter's own upper case lands on a letter or '-'.
  for (let i = 1; i < length; i++) if (((bytes[start + i] ?? 0) | 32) !== name.charCodeAt(i)) return 0
  return ((bytes[start] ?? 0) | 32) === name.charCodeAt(0) ? id : 0
}

/** Number of a name given as a string; 0 when it is not a known one. */
export function idOfName(text: string): number {
  const length = text.length
  const id = probe[slotOf(length, text.charCodeAt(0), text.charCodeAt(length - 1))] ?? 0
  return id !== 0 && sameName(knownNames[id] ?? '', 0, length, text) ? id : 0
}

/** Whether `text[start, end)` is `name` but for ASCII case. */
export function sameName(text: string, start: number, end: number, name: string): boolean {
  const length = name.length
  if (end - start !== length || end > text.length) return false
  for (let i = 0; i < length; i++) {
    const a = text.charCodeAt(start + i)
    const b = name.charCodeAt(i)
    if (a === b) continue
    const lower = a | 32
    if ((a ^ b) !== 32 || lower < 97 || lower > 122) return false
  }
  return true
}
