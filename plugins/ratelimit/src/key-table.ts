import { getRandomValues } from 'node:crypto'
import { digest, halfSipHash } from './half-sip-hash.ts'

const ways = 8
const headerInts = 4
/** Milliseconds for which somebody else's insertion into a set is waited for. */
const patienceMs = 10

/** Slots for at least so many keys: sets of eight, a power of two of them. */
export function slotsFor(keys: number): number {
  return ways * 2 ** Math.ceil(Math.log2(Math.max(1, keys / ways)))
}

export const keyTableBytes = (slots: number) => 4 * (headerInts + 2 * slots + slots / ways)

/**
 * Which slot belongs to which key, in memory that all workers share: a key's hash names a set of eight slots and is kept
 * there whole. What belongs to a slot is kept by whoever uses the table.
 *
 * Lookups take no lock, so a slot may be given to another key between a lookup and the use of it: whoever changed
 * something asks {@link holds} afterwards. Insertions into one set exclude each other.
 */
export class KeyTable {
  readonly #seed: Int32Array
  /** Of each set the low halves of its keys, then the high ones: one cache line. A low half of 0 is a vacant slot. */
  readonly #tags: Int32Array
  readonly #locks: Int32Array

  constructor(memory: SharedArrayBuffer, offset: number, slots: number) {
    this.#seed = new Int32Array(memory, offset, 2)
    this.#tags = new Int32Array(memory, offset + 4 * headerInts, 2 * slots)
    this.#locks = new Int32Array(memory, offset + 4 * (headerInts + 2 * slots), slots / ways)
    // Whoever comes first decides, for all workers.
    const random = getRandomValues(new Int32Array(2))
    for (const index of [0, 1]) Atomics.compareExchange(this.#seed, index, 0, (random[index] ?? 0) || 1)
  }

  /** A hash key of its own for each limit, so that only what differs from request to request has to be hashed. */
  derive(name: string): HashKey {
    halfSipHash(Atomics.load(this.#seed, 0), Atomics.load(this.#seed, 1), name)
    return { key0: digest.low, key1: digest.high }
  }

  /** Leaves the tag of a key in {@link digest}. */
  hash({ key0, key1 }: HashKey, text: string): void {
    halfSipHash(key0, key1, text)
    digest.low ||= 1
  }

  /** The slot of a key; -1 when it has none. */
  find(low: number, high: number): number {
    const set = this.#set(high)
    const tags = this.#tags
    for (let way = 0, at = set * 2 * ways; way < ways; way++, at++) {
      if (Atomics.load(tags, at) === low && Atomics.load(tags, at + ways) === high) return set * ways + way
    }
    return -1
  }

  /** The slot is still that key's. */
  holds(slot: number, low: number, high: number): boolean {
    const at = this.#tagAt(slot)
    return Atomics.load(this.#tags, at) === low && Atomics.load(this.#tags, at + ways) === high
  }

  /**
   * Gives the key a slot and returns it. `choose` says which of a set's slots, from `first` on, when all are taken; `fill`
   * writes what belongs to the slot while nobody can find it. -1: the key has a slot by now.
   */
  insert(low: number, high: number, choose: (first: number) => number, fill: (slot: number) => void): number {
    const set = this.#set(high)
    this.#lock(set)
    try {
      if (this.find(low, high) >= 0) return -1
      const slot = this.#vacant(set) ?? choose(set * ways)
      const at = this.#tagAt(slot)
      Atomics.store(this.#tags, at, 0)
      fill(slot)
      Atomics.store(this.#tags, at + ways, high)
      Atomics.store(this.#tags, at, low)
      return slot
    } finally {
      Atomics.store(this.#locks, set, 0)
    }
  }

  #set(high: number): number {
    return high & (this.#locks.length - 1)
  }

  #tagAt(slot: number): number {
    return slot + (slot - (slot % ways))
  }

  #vacant(set: number): number | undefined {
    for (let way = 0; way < ways; way++)
      if (Atomics.load(this.#tags, set * 2 * ways + way) === 0) return set * ways + way
    return undefined
  }

  /**
   * A worker that dies here would leave the lock behind, so nobody waits for ever. One that is merely slow then finds
   * another at work in its set: at worst one of the two keys has to be inserted again and has lost one request.
   */
  #lock(set: number): void {
    for (let nap = 0; nap < patienceMs; nap++) {
      for (let spin = 0; spin < 100; spin++) if (Atomics.compareExchange(this.#locks, set, 0, 1) === 0) return
      Atomics.wait(this.#locks, set, 1, 1)
    }
  }
}

export interface HashKey {
  readonly key0: number
  readonly key1: number
}
