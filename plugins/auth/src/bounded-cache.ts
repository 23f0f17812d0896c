/**
 * A map that holds so many entries and no more. A hit costs one look-up and a mark: what makes room is the oldest entry
 * that was not asked for since its last turn (second chance), which keeps those in use without moving them at each hit.
 */
export class BoundedCache<V> {
  readonly #entries = new Map<string, { readonly value: V; used: boolean }>()
  readonly #limit: number

  /** A limit of 0 caches nothing. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.used = true
    return entry.value
  }

  set(key: string, value: V): void {
    if (this.#limit === 0) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) this.#makeRoom()
    this.#entries.set(key, { value, used: false })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** At most eight get their second chance at one time, so that no insertion walks through the whole map. */
  #makeRoom(): void {
    let chances = 8
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key)
      if (!entry.used || chances-- === 0) return
      entry.used = false
      this.#entries.set(key, entry)
    }
  }
}
