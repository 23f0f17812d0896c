import type { Balancer, Target } from '@gateway/core'
import { type Random, Sampler } from './sampler.ts'

/** The sampler of the list that was asked for last. */
export function samplerFor(): (targets: readonly Target[]) => Sampler {
  let known: readonly Target[] | undefined
  let sampler = new Sampler([])
  return targets => {
    if (targets !== known) {
      sampler = new Sampler(targets)
      known = targets
    }
    return sampler
  }
}

/** Any, in proportion to the weights. */
export function weightedRandom(random: Random): Balancer {
  const samplerOf = samplerFor()
  return { pick: targets => targets[samplerOf(targets).draw(random)] }
}
