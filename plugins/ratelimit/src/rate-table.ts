import { blankWord, type Rate, type Reading, takeFrom, ticksPerMs } from './algorithms.ts'
import { digest } from './half-sip-hash.ts'
import { type HashKey, KeyTable, keyTableBytes, slotsFor } from './key-table.ts'

/** One limit's question, and its answer. */
export interface RateCheck extends Reading {
  readonly limit: { readonly rate: Rate; readonly hashKey: HashKey }
  /** Whom it is about. */
  readonly key: string
  readonly cost: number
  /** What was done, so that it can be undone; slot -1: nothing. */
  slot: number
  before: bigint
  after: bigint
}

export const rateTableBytes = (keys: number) => 12 * slotsFor(keys) + keyTableBytes(slotsFor(keys))

/**
 * Counters of token buckets and sliding windows in memory of a fixed size that all workers share. A key's state is one
 * word, changed by compare-and-exchange: exact across workers.
 *
 * When a set of eight is full, a new key takes the place of the one that is soonest back to its full quota, which is an
 * idle one where there is any. A key that is thrown out starts anew with a full quota.
 */
export class RateTable {
  readonly keys: KeyTable
  readonly #words: BigInt64Array
  /** Second since the tick epoch in which a slot is worth nothing any more. A hint: eviction reads it, nothing else. */
  readonly #idleFrom: Int32Array

  constructor(memory: SharedArrayBuffer, keys: number) {
    const slots = slotsFor(keys)
    this.#words = new BigInt64Array(memory, 0, slots)
    this.#idleFrom = new Int32Array(memory, 8 * slots, slots)
    this.keys = new KeyTable(memory, 12 * slots, slots)
  }

  /** Answers all checks, and takes what they cost when every one of them admits it; otherwise takes nothing. */
  decide(checks: readonly RateCheck[], now: number): boolean {
    const [only] = checks
    if (only !== undefined && checks.length === 1) return this.#take(only, now)
    let admitted = true
    for (const check of checks) if (!this.#look(check, now)) admitted = false
    if (!admitted) return false
    for (const check of checks) {
      if (this.#take(check, now)) continue
      // Another worker was faster. The answers of those before it are a unit too low then.
      this.undo(checks)
      return false
    }
    return true
  }

  /** Gives back, exactly: where the key has been used since, what it paid is lost, since nobody can tell what came back by itself. */
  undo(checks: readonly RateCheck[]): void {
    for (const check of checks) {
      const { slot, before, after } = check
      if (slot < 0) continue
      check.slot = -1
      this.keys.hash(check.limit.hashKey, check.key)
      if (this.keys.holds(slot, digest.low, digest.high)) Atomics.compareExchange(this.#words, slot, after, before)
    }
  }

  #look(check: RateCheck, now: number): boolean {
    const { rate, hashKey } = check.limit
    this.keys.hash(hashKey, check.key)
    const slot = this.keys.find(digest.low, digest.high)
    const word = slot < 0 ? blankWord(rate, now) : Atomics.load(this.#words, slot)
    let next = takeFrom(word, rate, now, check.cost, check)
    // Nothing is taken yet, and should nothing be, what remains is this.
    if (check.admitted) next = takeFrom(word, rate, now, 0, check)
    // A word from before the clock was set back must not be met again.
    if (slot >= 0 && next !== word) this.#exchange(slot, word, next)
    return check.admitted
  }

  #take(check: RateCheck, now: number): boolean {
    const { rate, hashKey } = check.limit
    this.keys.hash(hashKey, check.key)
    const { low, high } = digest
    for (;;) {
      const slot = this.keys.find(low, high)
      const before = slot < 0 ? blankWord(rate, now) : Atomics.load(this.#words, slot)
      const after = takeFrom(before, rate, now, check.cost, check)
      if (after === before && (slot < 0 || this.keys.holds(slot, low, high))) return check.admitted
      const taken = slot < 0 ? this.#insert(low, high, after, check, now) : this.#exchange(slot, before, after)
      // A slot that went to another key meanwhile has charged that key a request too many, and is asked for again.
      if (taken < 0 || !this.keys.holds(taken, low, high)) continue
      Atomics.store(this.#idleFrom, taken, idleFrom(check, now))
      if (!check.admitted) return false
      check.slot = taken
      check.before = before
      check.after = after
      return true
    }
  }

  #exchange(slot: number, before: bigint, after: bigint): number {
    return Atomics.compareExchange(this.#words, slot, before, after) === before ? slot : -1
  }

  #insert(low: number, high: number, word: bigint, check: RateCheck, now: number): number {
    return this.keys.insert(
      low,
      high,
      first => this.#soonestIdle(first),
      slot => {
        Atomics.store(this.#words, slot, word)
        Atomics.store(this.#idleFrom, slot, idleFrom(check, now))
      },
    )
  }

  #soonestIdle(first: number): number {
    let best = first
    for (let slot = first + 1; slot < first + 8; slot++) {
      if (Atomics.load(this.#idleFrom, slot) < Atomics.load(this.#idleFrom, best)) best = slot
    }
    return best
  }
}

const idleFrom = ({ resetTicks }: Reading, now: number) => Math.ceil((now + resetTicks) / (ticksPerMs * 1000))
