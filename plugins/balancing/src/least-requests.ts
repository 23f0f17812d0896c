import type { Balancer } from '@gateway/core'
import { samplerFor } from './random.ts'
import type { Random } from './sampler.ts'

/**
 * Of `choices` drawn at random the one with the fewest requests in flight for its weight (power of two choices,
 * Mitzenmacher, 2001): the fullest target stays close to the others, and workers that do not see each other's requests do
 * not all run to the same one, as they would with the least of all.
 */
export function leastRequests(choices: number, random: Random): Balancer {
  const samplerOf = samplerFor()
  return {
    pick(targets) {
      const sampler = samplerOf(targets)
      const first = sampler.draw(random)
      let best = targets[first]
      if (best === undefined || targets.length === 1) return best
      let least = best.inFlight / best.weight
      for (let drawn = 1; drawn < choices && least > 0; drawn++) {
        const other = targets[sampler.drawOther(first, random)]
        if (other === undefined) continue
        const load = other.inFlight / other.weight
        if (load >= least) continue
        best = other
        least = load
      }
      return best
    },
  }
}
