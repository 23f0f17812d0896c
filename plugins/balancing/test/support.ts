import type { Context, Target } from '@gateway/core'
import { type FakeTarget, fakeTarget } from '../../../test/support/fake-target.ts'

/** As the addresses of a cluster are: much alike. */
export const targetsOf = (count: number, weightOf: (i: number) => number = () => 1): FakeTarget[] =>
  Array.from({ length: count }, (_, i) => fakeTarget(`http://10.0.${i >> 8}.${i & 255}:8080`, { weight: weightOf(i) }))

/** Where a balancer asks nothing of a request. */
export const noContext = {} as Context

/** How often each target was picked. */
export function tally(picks: Iterable<Target | undefined>, targets: readonly Target[]): number[] {
  const counts = new Map<Target | undefined, number>(targets.map(target => [target, 0]))
  for (const pick of picks) counts.set(pick, (counts.get(pick) ?? 0) + 1)
  return [...counts.values()]
}

/**
 * Pearson's statistic over its degrees of freedom, with weights as the hypothesis. For 99 degrees it lies under 1.5 in 999
 * of 1,000 cases when that is true.
 */
export function chiSquare(counts: readonly number[], weights: readonly number[]): number {
  const [sum, total] = [counts, weights].map(list => list.reduce((a, b) => a + b, 0))
  const terms = counts.map((count, i) => {
    const expected = ((weights[i] ?? 0) / (total ?? 1)) * (sum ?? 0)
    return (count - expected) ** 2 / expected
  })
  return terms.reduce((a, b) => a + b, 0) / (counts.length - 1)
}
