import { isFieldValue, isToken } from './grammar.ts'
import { type FieldId, idOfName, known, knownNames, sameName } from './known-fields.ts'

/** Integers a parsed field takes in the table: number of its name, then start and end of name and of value. */
export const fieldWidth = 5

const removed = -1

/**
 * Fields that speak to the next hop alone (RFC 9110 section 7.6.1, and what older texts and HTTP/2 add), with the
 * framing, which each side of the gateway writes for itself. TE is dropped too, also `trailers`: a sender of TE has to
 * name it in Connection, so it belongs to whoever writes that.
 */
const hopByHop =
  (1 << known.connection) |
  (1 << known['content-length']) |
  (1 << known['transfer-encoding']) |
  (1 << known.upgrade) |
  (1 << known['keep-alive']) |
  (1 << known['proxy-connection']) |
  (1 << known.te) |
  (1 << known.trailer) |
  (1 << known['http2-settings']) |
  (1 << known['proxy-authenticate']) |
  (1 << known['proxy-authorization'])

/**
 * Stays though Connection names it. A message without its Host would be another message; one without what a proxy says of
 * its client would seem to be the proxy's own, as which any client could pass by naming these.
 */
const lasting = /^(?:host|forwarded|x-forwarded-.+)$/i

/**
 * Header or trailer fields of one message, in order. Names are matched without regard to ASCII case.
 *
 * Fields that came off the wire are offsets into the head's text and are copied from it in runs; what is set here is an
 * overlay: marks on the parsed rows and a list of added ones, which come last. Every name is a token and every value
 * free of CR, LF, NUL and other controls, whichever way it came in, so writing a block can not split a message.
 */
export class Fields implements Iterable<[name: string, value: string]> {
  readonly #head: string
  readonly #table: number[]
  /** Where the last parsed line ends, its CRLF included. */
  readonly #end: number
  /** Bit n: a field of known name n may be here. Never too few bits; a removal leaves its bit. */
  #mask: number
  /** Name, value, name, value. */
  #added: string[] = []

  /**
   * Without arguments: an empty block. Otherwise the parser's: `table` holds {@link fieldWidth} offsets into `head` a
   * field, and becomes the block's own.
   */
  constructor(head = '', table: number[] = [], end = 0, mask = 0) {
    this.#head = head
    this.#table = table
    this.#end = end
    this.#mask = mask
  }

  /** Builds a block from name, value, name, value. Throws TypeError as {@link append} does. */
  static from(list: readonly string[]): Fields {
    const fields = new Fields()
    for (let i = 0; i < list.length; i += 2) fields.append(list[i] ?? '', list[i + 1] ?? '')
    return fields
  }

  /** The value; several lines are joined by `, `, those of Cookie by `; `, and of Set-Cookie the first is given. */
  get(name: string): string | undefined {
    let row = this.#find(name, 0)
    if (row < 0) return undefined
    let value = this.#value(row)
    row = this.#find(name, row + 1)
    if (row < 0) return value
    const id = idOfName(name)
    if (id === known['set-cookie']) return value
    const separator = id === known.cookie ? '; ' : ', '
    for (; row >= 0; row = this.#find(name, row + 1)) value += separator + this.#value(row)
    return value
  }

  /** {@link get} by the number of a known name: an absent one costs one test of a bit. */
  getKnown(id: FieldId): string | undefined {
    if ((this.#mask & (1 << id)) === 0) return undefined
    const row = this.#findKnown(id, 0)
    if (row < 0) return undefined
    return this.#findKnown(id, row + 1) < 0 ? this.#value(row) : this.get(knownNames[id] ?? '')
  }

  /** How many lines of a known name there are. */
  countKnown(id: FieldId): number {
    if ((this.#mask & (1 << id)) === 0) return 0
    let count = 0
    for (let row = this.#findKnown(id, 0); row >= 0; row = this.#findKnown(id, row + 1)) count++
    return count
  }

  /** False when none of the known names whose bits (`1 << id`) are given is here; true says nothing. */
  mayHave(mask: number): boolean {
    return (this.#mask & mask) !== 0
  }

  getAll(name: string): string[] {
    const values: string[] = []
    for (let row = this.#find(name, 0); row >= 0; row = this.#find(name, row + 1)) values.push(this.#value(row))
    return values
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0
  }

  /** Replaces every line of that name. Throws TypeError for a name that is no token, or a value with a control or a character beyond latin1. */
  set(name: string, value: string): void {
    const clean = cleanField(name, value)
    this.delete(name)
    this.#add(name, clean)
  }

  /** Adds a line. Throws TypeError as {@link set} does. */
  append(name: string, value: string): void {
    this.#add(name, cleanField(name, value))
  }

  delete(name: string): void {
    const parsed = this.#table.length / fieldWidth
    for (let row = this.#find(name, 0); row >= 0; ) {
      if (row < parsed) {
        this.#table[row * fieldWidth] = removed
        row = this.#find(name, row + 1)
      } else {
        this.#added.splice((row - parsed) * 2, 2)
        row = this.#find(name, row)
      }
    }
  }

  forEach(visit: (name: string, value: string) => void): void {
    const rows = this.#rows()
    for (let row = 0; row < rows; row++) if (this.#here(row)) visit(this.#name(row), this.#value(row))
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let row = 0; row < this.#rows(); row++) if (this.#here(row)) yield [this.#name(row), this.#value(row)]
  }

  /** Number of lines. */
  get size(): number {
    let size = 0
    const rows = this.#rows()
    for (let row = 0; row < rows; row++) if (this.#here(row)) size++
    return size
  }

  /** The block as it goes on the wire, a CRLF after each line and no empty line at the end. */
  toText(): string {
    const head = this.#head
    const table = this.#table
    let text = ''
    let run = -1
    // Strict parsing leaves nothing between two lines, so untouched neighbours are one slice.
    for (let i = 0; i < table.length; i += fieldWidth) {
      const start = table[i + 1] ?? 0
      if (table[i] !== removed) {
        if (run < 0) run = start
      } else if (run >= 0) {
        text += head.slice(run, start)
        run = -1
      }
    }
    if (run >= 0) text += head.slice(run, this.#end)
    const added = this.#added
    for (let i = 0; i < added.length; i += 2) text += `${added[i]}: ${added[i + 1]}\r\n`
    return text
  }

  clone(): Fields {
    const copy = new Fields(this.#head, this.#table.slice(), this.#end, this.#mask)
    if (this.#added.length > 0) copy.#added = this.#added.slice()
    return copy
  }

  /**
   * Removes what must not be forwarded: Connection, what it names, and the fields of one hop (RFC 9110 section 7.6.1),
   * with Content-Length, since the wire writes framing.
   */
  removeHopByHop(): void {
    if ((this.#mask & hopByHop) === 0) return
    this.removeNamed()
    this.removeKnown(hopByHop)
  }

  /** Removes Connection and what it names, but for {@link lasting} fields. */
  removeNamed(): void {
    const named = this.getKnown(known.connection)
    if (named === undefined) return
    if (named !== 'keep-alive' && named !== 'close') {
      // By field, of which there are few: a list of thousands of names would cost more than all else about a request.
      const names = new Set(named.split(',').map(option => option.trim().toLowerCase()))
      for (const [name] of [...this]) if (names.has(name.toLowerCase()) && !lasting.test(name)) this.delete(name)
    }
    this.removeKnown(1 << known.connection)
  }

  /** Removes every line of the known names whose bits (`1 << id`) are given, in one pass. */
  removeKnown(mask: number): void {
    if ((this.#mask & mask) === 0) return
    const table = this.#table
    for (let i = 0; i < table.length; i += fieldWidth) {
      const id = table[i] ?? 0
      if (id > 0 && ((1 << id) & mask) !== 0) table[i] = removed
    }
    const added = this.#added
    for (let i = added.length - 2; i >= 0; i -= 2) {
      if (((1 << idOfName(added[i] ?? '')) & mask) !== 0) added.splice(i, 2)
    }
    this.#mask &= ~mask
  }

  /** Removes every line whose name is longer than `start`, lower-case, and begins with it. */
  removeBeginning(start: string): void {
    const { length } = start
    const table = this.#table
    for (let i = 0; i < table.length; i += fieldWidth) {
      const at = table[i + 1] ?? 0
      if ((table[i + 2] ?? 0) - at > length && sameName(this.#head, at, at + length, start)) table[i] = removed
    }
    for (let i = this.#added.length - 2; i >= 0; i -= 2) {
      if (this.#added[i]?.slice(0, length).toLowerCase() === start) this.#added.splice(i, 2)
    }
  }

  /** {@link append} for the gateway's own lines: what the caller knows, the name's number and that both are clean, is not found out again. */
  appendOwn(id: FieldId, name: string, value: string): void {
    this.#added.push(name, value)
    this.#mask |= 1 << id
  }

  /** False when no name among the parsed fields holds an underscore; true says nothing. */
  mayHaveUnderscore(): boolean {
    return this.#head.includes('_')
  }

  #add(name: string, value: string): void {
    this.#added.push(name, value)
    this.#mask |= 1 << idOfName(name)
  }

  #rows(): number {
    return this.#table.length / fieldWidth + this.#added.length / 2
  }

  /** First row at or after `from` that bears the name, or -1. */
  #find(name: string, from: number): number {
    const table = this.#table
    const length = name.length
    const parsed = table.length / fieldWidth
    let row = from
    for (let i = from * fieldWidth; row < parsed; row++, i += fieldWidth) {
      const start = table[i + 1] ?? 0
      const end = table[i + 2] ?? 0
      if (end - start === length && table[i] !== removed && sameName(this.#head, start, end, name)) return row
    }
    const added = this.#added
    for (let i = (row - parsed) * 2; i < added.length; i += 2, row++) {
      if (added[i]?.length === length && sameName(added[i] ?? '', 0, length, name)) return row
    }
    return -1
  }

  /** {@link #find} for a known name: parsed rows are told by their number. */
  #findKnown(id: FieldId, from: number): number {
    const table = this.#table
    for (let i = from * fieldWidth; i < table.length; i += fieldWidth) if (table[i] === id) return i / fieldWidth
    if (this.#added.length === 0) return -1
    return this.#find(knownNames[id] ?? '', Math.max(from, table.length / fieldWidth))
  }

  #here(row: number): boolean {
    return this.#table[row * fieldWidth] !== removed
  }

  #name(row: number): string {
    const at = row * fieldWidth
    const table = this.#table
    if (at < table.length) return this.#head.slice(table[at + 1], table[at + 2])
    return this.#added[(row - table.length / fieldWidth) * 2] ?? ''
  }

  #value(row: number): string {
    const at = row * fieldWidth
    const table = this.#table
    if (at < table.length) return this.#head.slice(table[at + 3], table[at + 4])
    return this.#added[(row - table.length / fieldWidth) * 2 + 1] ?? ''
  }
}

/** The value without white space around it, as every reader would see it. */
function cleanField(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError(`not a field name: ${JSON.stringify(name)}`)
  if (!isFieldValue(value)) throw new TypeError(`field ${name}: the value holds a character that may not stand there`)
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first === 32 || first === 9 || last === 32 || last === 9 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value
}
