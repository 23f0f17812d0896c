import type { OutgoingHttpHeaders } from 'node:http2'
import { Fields, fieldWidth } from '../http1/fields.ts'
import { idOfName, known } from '../http1/known-fields.ts'

/**
 * Gathers the fields of a header section as HTTP/2 delivers them and makes one block of them, in the form the HTTP/1.1
 * parser makes: one text, and offsets into it. Nothing is made per field, and an HTTP/1.1 upstream gets the text as it is.
 *
 * Names and values come from nghttp2, which lets through only lower-case tokens, and values without NUL, CR, LF and other
 * controls; so a block keeps the promise of {@link Fields}.
 */
export class FieldListBuilder {
  #text = ''
  readonly #table: number[] = []
  #mask = 0
  #cookie: string | undefined

  get count(): number {
    return this.#table.length / fieldWidth + (this.#cookie === undefined ? 0 : 1)
  }

  /** Bytes as HTTP/1.1 would spell them. */
  get size(): number {
    return this.#text.length + (this.#cookie === undefined ? 0 : this.#cookie.length + 10)
  }

  add(name: string, value: string): void {
    this.addKnown(idOfName(name), name, value)
  }

  /** {@link add} where the number of the name is known, 0 for none. */
  addKnown(id: number, name: string, value: string): void {
    if (id === known.cookie) {
      // Crumbs (RFC 9113 section 8.2.3): outside HTTP/2 they have to be one line again.
      this.#cookie = this.#cookie === undefined ? value : `${this.#cookie}; ${value}`
      return
    }
    const start = this.#text.length
    const nameEnd = start + name.length
    this.#table.push(id, start, nameEnd, nameEnd + 2, nameEnd + 2 + value.length)
    this.#mask |= 1 << id
    this.#text += `${name}: ${value}\r\n`
  }

  build(): Fields {
    const cookie = this.#cookie
    if (cookie !== undefined) {
      this.#cookie = undefined
      const start = this.#text.length
      this.#table.push(known.cookie, start, start + 6, start + 8, start + 8 + cookie.length)
      this.#mask |= 1 << known.cookie
      this.#text += `cookie: ${cookie}\r\n`
    }
    return new Fields(this.#text, this.#table, this.#text.length, this.#mask)
  }
}

/** Fields of a list as node:http2 delivers it, pseudo-header fields left out. */
export function fieldsOf(list: readonly string[]): Fields {
  const builder = new FieldListBuilder()
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] ?? ''
    if (name.charCodeAt(0) !== 58 /* : */) builder.add(name, list[i + 1] ?? '')
  }
  return builder.build()
}

/** Adds the fields to a list as node:http2 sends it; it writes the names in lower case. */
export function pushFields(list: string[], fields: Fields): void {
  fields.forEach((name, value) => {
    list.push(name, value)
  })
}

/** The fields as the object that node:http2 wants for 1xx responses and trailers. */
export function fieldObject(fields: Fields | undefined): OutgoingHttpHeaders {
  const object: OutgoingHttpHeaders = Object.create(null)
  fields?.forEach((name, value) => {
    const key = name.toLowerCase()
    const before = object[key]
    if (before === undefined) object[key] = value
    else object[key] = Array.isArray(before) ? [...before, value] : [String(before), value]
  })
  return object
}

/** Content-Length as a number, undefined when there is none or it is no number. nghttp2 has refused a second one. */
export function contentLength(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}
