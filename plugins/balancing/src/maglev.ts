import type { Target } from '@gateway/core'
import { hash32, mix32 } from './hash.ts'
import type { HashTable } from './hash-table.ts'

/** Both prime, as the permutations need. The larger for more than 650 targets: a share is off by about 1/100 then. */
export const tableSizes = [65_537, 655_373] as const

/**
 * Maglev hashing (Eisenbud et al., 2016): a table in which each target has its share of places to the place, and which a
 * hash leads into at once. Where a target leaves, its keys move, and a few others.
 */
export function createMaglev(targets: readonly Target[], size: number): HashTable {
  // By name, for the order of the list must not decide on anything.
  const sorted = targets.toSorted((a, b) => (a.url < b.url ? -1 : 1))
  const table = new Int32Array(size).fill(-1)
  const seeds = sorted.map(({ url }) => hash32(url))
  const places = Uint32Array.from(seeds, seed => seed % size)
  const skips = Uint32Array.from(seeds, seed => (mix32(seed ^ 0x5bd1e995) % (size - 1)) + 1)
  const most = sorted.reduce((max, { weight }) => Math.max(max, weight), 0)
  const turns = Float64Array.from(sorted, ({ weight }) => weight / most)
  const credits = new Float64Array(sorted.length)

  function takePlace(owner: number): void {
    let place = places[owner] ?? 0
    const skip = skips[owner] ?? 1
    while (table[place] !== -1) place = (place + skip) % size
    table[place] = owner
    places[owner] = (place + skip) % size
  }

  for (let left = sorted.length === 0 ? 0 : size; left > 0; ) {
    for (let owner = 0; owner < sorted.length && left > 0; owner++) {
      const credit = (credits[owner] ?? 0) + (turns[owner] ?? 0)
      credits[owner] = credit < 1 ? credit : credit - 1
      if (credit < 1) continue
      takePlace(owner)
      left--
    }
  }
  return hash => sorted[table[hash % size] ?? -1]
}
