import type { Target } from '../contract/hooks.ts'
import type { Balancer } from '../contract/host.ts'

/**
 * The kernel's own balancer. Equal weights take turns; unequal ones take turns in proportion, spread out evenly (smooth
 * weighted round robin: each pick raises every target's credit by its weight, and the pick pays the sum).
 */
export function roundRobin(): Balancer {
  let next = 0
  let known: readonly Target[] = []
  let credits: number[] = []
  let total = 0
  let weighted = false

  function learn(targets: readonly Target[]): void {
    known = targets
    credits = targets.map(() => 0)
    total = targets.reduce((sum, target) => sum + target.weight, 0)
    weighted = targets.some(target => target.weight !== targets[0]?.weight)
    next = 0
  }

  return {
    pick(targets) {
      if (targets !== known) learn(targets)
      if (!weighted) return targets[next++ % targets.length]
      let best = 0
      for (let i = 0; i < targets.length; i++) {
        credits[i] = (credits[i] ?? 0) + (targets[i]?.weight ?? 0)
        if ((credits[i] ?? 0) > (credits[best] ?? 0)) best = i
      }
      credits[best] = (credits[best] ?? 0) - total
      return targets[best]
    },
  }
}
