import type { FieldList } from '@gateway/core'
import type { Personal } from './policy.ts'
import { type StoredResponse, selects } from './stored-response.ts'

/** Answers of one key differ by Vary. The oldest has to go for one more. */
const mostVariants = 64

interface Slot {
  readonly key: string
  readonly place: string
  readonly variants: StoredResponse[]
}

/** The answers that are kept, within a bound of bytes. Whichever was not asked for the longest time makes room. */
export class Store {
  readonly #maxBytes: number
  readonly #slots = new Map<string, Slot>()
  /** Keys by place: what a purge or an unsafe request goes by. */
  readonly #places = new Map<string, Set<string>>()
  /** Of each answer its slot, in the order of use. */
  readonly #used = new Map<StoredResponse, Slot>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Of answers and of bodies on their way into one. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#used.size
  }

  has(key: string): boolean {
    return this.#slots.has(key)
  }

  /** The answer that a request's fields select, and that a sender that tells so much may get. */
  find(key: string, request: FieldList, personal: Personal): StoredResponse | undefined {
    const slot = this.#slots.get(key)
    const found = slot?.variants.find(one => one.policy.reach >= personal && selects(one, request))
    if (slot === undefined || found === undefined) return undefined
    this.#used.delete(found)
    this.#used.set(found, slot)
    return found
  }

  /** Takes bytes for a body on its way. False: there is no room. */
  reserve(bytes: number): boolean {
    if (bytes > this.#maxBytes) return false
    for (const oldest of this.#used.keys()) {
      if (this.#bytes + bytes <= this.#maxBytes) break
      this.delete(oldest)
    }
    if (this.#bytes + bytes > this.#maxBytes) return false
    this.#bytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bytes -= bytes
  }

  /** Takes an answer in, in place of the one that the same request would have got. */
  put(key: string, place: string, request: FieldList, response: StoredResponse): void {
    for (const old of this.#slots.get(key)?.variants.filter(variant => selects(variant, request)) ?? [])
      this.delete(old)
    if (!this.reserve(response.bytes)) return
    const slot = this.#slots.get(key) ?? this.#open(key, place)
    const [oldest] = slot.variants
    if (slot.variants.length >= mostVariants && oldest !== undefined) this.delete(oldest)
    slot.variants.push(response)
    this.#used.set(response, slot)
  }

  delete(response: StoredResponse): void {
    const slot = this.#used.get(response)
    if (slot === undefined) return
    this.#used.delete(response)
    this.#bytes -= response.bytes
    slot.variants.splice(slot.variants.indexOf(response), 1)
    if (slot.variants.length > 0) return
    this.#slots.delete(slot.key)
    const keys = this.#places.get(slot.place)
    keys?.delete(slot.key)
    if (keys?.size === 0) this.#places.delete(slot.place)
  }

  /** Forgets what is at places, and tells how many answers that were. */
  purge(where: Purge): number {
    const places = 'place' in where ? [where.place] : [...this.#places.keys()].filter(place => isWithin(place, where))
    const gone = places.flatMap(place =>
      [...(this.#places.get(place) ?? [])].flatMap(key => [...(this.#slots.get(key)?.variants ?? [])]),
    )
    for (const response of gone) this.delete(response)
    return gone.length
  }

  #open(key: string, place: string): Slot {
    const slot: Slot = { key, place, variants: [] }
    this.#slots.set(key, slot)
    const keys = this.#places.get(place) ?? new Set()
    this.#places.set(place, keys.add(key))
    return slot
  }
}

/** One place, or all whose host and path begin so; undefined: any. */
export type Purge =
  | { readonly place: string }
  | { readonly host: string | undefined; readonly path: string | undefined; readonly prefix: string | undefined }

/** Whether a place, which is a host and a path, is among those. */
export function isWithin(place: string, where: Purge): boolean {
  if ('place' in where) return place === where.place
  const slash = place.indexOf('/')
  const path = place.slice(slash)
  return (
    (where.host === undefined || place.slice(0, slash) === where.host) &&
    (where.path === undefined || path === where.path) &&
    (where.prefix === undefined || path.startsWith(where.prefix))
  )
}
