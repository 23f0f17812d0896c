/** Open connections by client address. */
export class ClientCounts {
  readonly #counts = new Map<string, number>()

  /** Counts one more, unless the client has `limit` of them; 0 is no limit. */
  add(address: string, limit: number): boolean {
    const count = this.#counts.get(address) ?? 0
    if (limit > 0 && count >= limit) return false
    this.#counts.set(address, count + 1)
    return true
  }

  remove(address: string): void {
    const left = (this.#counts.get(address) ?? 1) - 1
    if (left === 0) this.#counts.delete(address)
    else this.#counts.set(address, left)
  }
}
