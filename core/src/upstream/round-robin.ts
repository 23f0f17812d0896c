import type { Target } from '../contract/hooks.ts'
import type { Balancer } from '../contract/host.ts'

/**
 * The kernel's own balancer. Equal weights take turns; unequal ones take turns in proportion, spread out evenly (smooth
 * weighted round robin: each pick raises every target's credit by its weight, and the pick pays the sum).
 */
export function roundRobin(): Balancer {
  let next = 0
  let known: readonly Target[] = []
  let weights = new Float64Array()
  let credits = new Float64Array()
  let total = 0
  let weighted = false

  function learn(targets: readonly Target[]): void {
    known = targets
    weights = Float64Array.from(targets, target => target.weight)
    credits = new Float64Array(targets.length)
    total = weights.reduce((sum, weight) => sum + weight, 0)
    weighted = weights.some(weight => weight !== weights[0])
    next = 0
  }

  return {
    pick(targets) {
      if (targets !== known) learn(targets)
      if (!weighted) return targets[next++ % targets.length]
      let best = 0
      let most = -Infinity
      for (let i = 0; i < weights.length; i++) {
        const credit = (credits[i] ?? 0) + (weights[i] ?? 0)
        credits[i] = credit
        if (credit <= most) continue
        best = i
        most = credit
      }
      credits[best] = most - total
      return targets[best]
    },
  }
}
