import type { Balancer, Target } from '@gateway/core'
import { hash32 } from './hash.ts'
import type { Find } from './hash-key.ts'
import type { Random } from './sampler.ts'

/** Leads each hash, a whole number below 2^32, to one of the targets that it was made of. */
export type HashTable = (hash: number) => Target | undefined

export type MakeTable = (targets: readonly Target[]) => HashTable

/** A table that is made anew for each list of targets, and kept as long as it is the same list. */
export function tableFor(make: MakeTable): (targets: readonly Target[]) => HashTable {
  let known: readonly Target[] | undefined
  let table: HashTable = () => undefined
  return targets => {
    if (targets !== known) {
      table = make(targets)
      known = targets
    }
    return table
  }
}

/** The same key goes to the same target; a request without a key to any. */
export function hashing(make: MakeTable, keyOf: Find, random: Random): Balancer {
  const table = tableFor(make)
  return {
    pick(targets, ctx) {
      const key = keyOf(ctx)
      return table(targets)(key === undefined ? (random() * 2 ** 32) >>> 0 : hash32(key))
    },
  }
}
