import { digest } from './half-sip-hash.ts'
import { type HashKey, KeyTable, keyTableBytes, slotsFor } from './key-table.ts'

/** As many as a gateway can have workers. */
const columns = 64

/** Of each slot, how many requests are under way in each worker. */
export const concurrencyTableBytes = (keys: number) => 4 * columns * slotsFor(keys) + keyTableBytes(slotsFor(keys))

/**
 * Requests under way, by key, in memory that all workers share. Each worker counts in a column of its own, which it
 * clears when it starts: what a worker held that died is given back.
 *
 * The limit is never exceeded: a request is counted first and withdraws when the sum is too high. Two that come at the
 * same instant for the last place may therefore both be refused. A slot in use is never given away; a key that finds its
 * set of eight full of keys with requests under way is refused.
 */
export class ConcurrencyTable {
  readonly keys: KeyTable
  readonly #counts: Int32Array
  readonly #column: number

  constructor(memory: SharedArrayBuffer, keys: number, worker: number) {
    const slots = slotsFor(keys)
    this.#counts = new Int32Array(memory, 0, columns * slots)
    this.keys = new KeyTable(memory, 4 * columns * slots, slots)
    this.#column = worker % columns
    for (let slot = 0; slot < slots; slot++) Atomics.store(this.#counts, slot * columns + this.#column, 0)
  }

  /** The slot that has to be released, once; -1: refused. */
  acquire(hashKey: HashKey, key: string, limit: number): number {
    this.keys.hash(hashKey, key)
    const { low, high } = digest
    for (;;) {
      const found = this.keys.find(low, high)
      const slot = found >= 0 ? found : this.#insert(low, high)
      if (slot < 0) return -1
      Atomics.add(this.#counts, slot * columns + this.#column, 1)
      if (this.keys.holds(slot, low, high)) {
        if (this.underWay(slot) <= limit) return slot
        this.release(slot)
        return -1
      }
      this.release(slot)
    }
  }

  release(slot: number): void {
    Atomics.sub(this.#counts, slot * columns + this.#column, 1)
  }

  /** In all workers. */
  underWay(slot: number): number {
    let sum = 0
    for (let at = slot * columns; at < (slot + 1) * columns; at++) sum += Atomics.load(this.#counts, at)
    return sum
  }

  #insert(low: number, high: number): number {
    const slot = this.keys.insert(
      low,
      high,
      first => this.#idle(first),
      // Nobody finds the slot any more, but somebody may have counted in it just before, and then it is not idle.
      taken => this.underWay(taken) === 0,
    )
    return slot >= 0 ? slot : this.keys.find(low, high)
  }

  #idle(first: number): number {
    for (let slot = first; slot < first + 8; slot++) if (this.underWay(slot) === 0) return slot
    return -1
  }
}
