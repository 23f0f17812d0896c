import type { Target } from '../contract/hooks.ts'
import type { Balancer } from '../contract/host.ts'

/** Targets of one weight. */
interface Peers {
  readonly targets: readonly Target[]
  /** Whose turn it is among them. */
  next: number
}

/**
 * The kernel's own balancer. Equal weights take turns; unequal ones take turns in proportion, spread out evenly (smooth
 * weighted round robin: each pick raises every target's credit by its weight, and the pick, one of the highest credit,
 * pays the sum).
 *
 * Those of one weight have the same credit until one after the other has paid, so one account for each weight is enough:
 * a pick takes time for the weights that there are, not for the targets.
 */
export function roundRobin(): Balancer {
  let known: readonly Target[] = []
  let total = 0
  let peers: readonly Peers[] = []
  let weights = new Float64Array()
  /** Of whose turn it is. */
  let credits = new Float64Array()

  function learn(targets: readonly Target[]): void {
    const byWeight = Map.groupBy(targets, ({ weight }) => weight)
    known = targets
    total = targets.reduce((sum, { weight }) => sum + weight, 0)
    peers = Array.from(byWeight.values(), of => ({ targets: of, next: 0 }))
    weights = Float64Array.from(byWeight.keys())
    credits = new Float64Array(weights.length)
  }

  return {
    pick(targets) {
      if (targets !== known) learn(targets)
      let best = 0
      let most = -Infinity
      for (let i = 0; i < weights.length; i++) {
        const credit = (credits[i] ?? 0) + (weights[i] ?? 0)
        credits[i] = credit
        if (credit <= most) continue
        best = i
        most = credit
      }
      const turn = peers[best]
      if (turn === undefined) return undefined
      const target = turn.targets[turn.next++]
      if (turn.next === turn.targets.length) {
        turn.next = 0
        credits[best] = most - total
      }
      return target
    },
  }
}
