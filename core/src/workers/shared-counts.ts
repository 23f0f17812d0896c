import { hash } from 'node:crypto'
import { type ConnectionCounts, localCounts } from '../group/connection-counts.ts'

/** Rows of a table: workers that can count in it at once, those that drain among them. */
export const countRows = 128

const slotsPerBucket = 16
const bucketBits = 11
const buckets = 2 ** bucketBits
const slots = buckets * slotsPerBucket
const keyWords = 4

/** Bytes of a table: 17 MB, of which the system provides what is touched. */
export const countBytes = 4 * (countRows + buckets + slots * keyWords + slots * countRows + 1)

function viewsOf(buffer: SharedArrayBuffer) {
  const locksAt = 4 * countRows
  const keysAt = locksAt + 4 * buckets
  const clientsAt = keysAt + 4 * slots * keyWords
  return {
    /** Connections of each worker. */
    open: new Int32Array(buffer, 0, countRows),
    /** Of each bucket: 0, or 1 + the row of the worker that is at work in it. */
    locks: new Int32Array(buffer, locksAt, buckets),
    keys: new Int32Array(buffer, keysAt, slots * keyWords),
    /** Of each client, connections of each worker. */
    clients: new Int32Array(buffer, clientsAt, slots * countRows),
    /** One more than the highest row that was ever taken: those beyond hold nothing. */
    rows: new Int32Array(buffer, clientsAt + 4 * slots * countRows, 1),
  }
}

/**
 * Counts of all workers together, in memory that they share. Every worker writes a row of its own, and the sum of the rows
 * is what counts: so the share of a worker that died is given back by clearing its row, whatever it died at. A sum never
 * exceeds its limit; at the limit, two that try at once may both be refused.
 *
 * Clients stand in a table of 2,048 buckets of 16, found by a keyed hash, so that nobody can aim at a bucket. A client for
 * whom its bucket has no room, with some 15,000 others connected, is counted by each worker by itself.
 */
export function sharedCounts(
  buffer: SharedArrayBuffer,
  row: number,
  secret: Uint8Array,
  close: () => void,
): ConnectionCounts {
  const { open, locks, keys, clients, rows } = viewsOf(buffer)
  const beyond = localCounts()
  const salt = Buffer.from(secret).toString('base64')
  // Whoever has counted one in may ask how many there are.
  let last: { readonly address: string; readonly key: Key } | undefined

  for (let taken = 0; taken <= row; ) taken = Atomics.compareExchange(rows, 0, taken, row + 1)

  function sumOf(counts: Int32Array, from: number): number {
    const end = from + Atomics.load(rows, 0)
    let total = 0
    for (let at = from; at < end; at++) total += Atomics.load(counts, at)
    return total
  }

  function keyOf(address: string): Key {
    if (last?.address === address) return last.key
    const digest = hash('sha256', salt + address, 'latin1')
    const key = [wordAt(digest, 0), wordAt(digest, 4), wordAt(digest, 8), wordAt(digest, 12)] as const
    last = { address, key }
    return key
  }

  function find(key: Key, bucket: number): number | undefined {
    const end = (bucket + 1) * slotsPerBucket
    for (let slot = bucket * slotsPerBucket; slot < end; slot++) if (holds(slot, key)) return slot
    return undefined
  }

  function holds(slot: number, key: Key): boolean {
    for (let word = 0; word < keyWords; word++) {
      if (Atomics.load(keys, slot * keyWords + word) !== key[word]) return false
    }
    return true
  }

  /** A slot that nobody has a connection in, made this client's. */
  function claim(key: Key, bucket: number): number | undefined {
    const end = (bucket + 1) * slotsPerBucket
    for (let slot = bucket * slotsPerBucket; slot < end; slot++) {
      if (sumOf(clients, slot * countRows) > 0) continue
      for (const [index, word] of key.entries()) Atomics.store(keys, slot * keyWords + index, word)
      return slot
    }
    return undefined
  }

  return {
    enter(limit) {
      Atomics.add(open, row, 1)
      if (limit === 0 || sumOf(open, 0) <= limit) return true
      Atomics.sub(open, row, 1)
      return false
    },
    leave() {
      Atomics.sub(open, row, 1)
    },
    add(address, limit) {
      const key = keyOf(address)
      const bucket = bucketOf(key)
      lock(locks, bucket, row)
      try {
        const slot = find(key, bucket) ?? claim(key, bucket)
        if (slot === undefined) return beyond.add(address, limit)
        const own = slot * countRows + row
        if (limit > 0 && sumOf(clients, slot * countRows) >= limit) return undefined
        Atomics.add(clients, own, 1)
        // Without the lock: nobody else takes a slot in which there is a connection of ours.
        return () => void Atomics.sub(clients, own, 1)
      } finally {
        unlock(locks, bucket)
      }
    },
    count(address) {
      const key = keyOf(address)
      const slot = find(key, bucketOf(key))
      return slot === undefined ? beyond.count(address) : sumOf(clients, slot * countRows)
    },
    close,
  }
}

/** A worker is gone: what it counted is not there any more, and what it was at work in is free. */
export function clearRow(buffer: SharedArrayBuffer, row: number): void {
  const { open, locks, keys, clients } = viewsOf(buffer)
  Atomics.store(open, row, 0)
  for (let slot = 0; slot < slots; slot++) {
    // What was never taken is not to be touched.
    const key = keys.subarray(slot * keyWords, (slot + 1) * keyWords)
    if (key.some(word => word !== 0)) Atomics.store(clients, slot * countRows + row, 0)
  }
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (Atomics.load(locks, bucket) === row + 1) unlock(locks, bucket)
  }
}

/** Half of a digest. */
type Key = readonly [number, number, number, number]

const bucketOf = ([first]: Key) => first >>> (32 - bucketBits)

function wordAt(digest: string, at: number): number {
  let word = 0
  for (let byte = at; byte < at + 4; byte++) word = (word << 8) | digest.charCodeAt(byte)
  return word
}

/** Held for some microseconds; that of a worker which died with it is freed by {@link clearRow}. */
function lock(locks: Int32Array, bucket: number, row: number): void {
  for (;;) {
    const holder = Atomics.compareExchange(locks, bucket, 0, row + 1)
    if (holder === 0) return
    Atomics.wait(locks, bucket, holder, 1)
  }
}

function unlock(locks: Int32Array, bucket: number): void {
  Atomics.store(locks, bucket, 0)
  Atomics.notify(locks, bucket, 1)
}
