import type { Target } from '@gateway/core'

/** Parts from 0 to 1. */
export interface NarrowOptions {
  /** Less than this part of all targets available: all are taken for available. */
  readonly panicThreshold: number
  /** Less than this part of a priority's targets available: those of the next priority are taken as well. */
  readonly priorityThreshold: number
  /** The gateway's own; its targets go before others. */
  readonly zone?: string | undefined
  /** Less than this part of the zone's targets available: those of all zones are taken. */
  readonly zoneThreshold: number
}

type Narrow = (available: readonly Target[], all: readonly Target[]) => readonly Target[]

/** Panic first, since it is about whether to believe; then priorities; then zones among those. */
export function narrowing({ panicThreshold, priorityThreshold, zone, zoneThreshold }: NarrowOptions): Narrow {
  return (available, all) => {
    const weighing = all.filter(({ weight }) => weight > 0)
    const isPanic = available.length < panicThreshold * weighing.length
    const usable = byPriority(isPanic ? weighing : available, weighing, priorityThreshold)
    if (zone === undefined) return usable
    const local = usable.filter(target => target.zone === zone)
    const there = weighing.filter(target => target.zone === zone).length
    return local.length > 0 && local.length >= zoneThreshold * there ? local : usable
  }
}

function byPriority(usable: readonly Target[], all: readonly Target[], threshold: number): readonly Target[] {
  const chosen: Target[] = []
  const priorities = new Set(all.map(({ priority }) => priority))
  for (const priority of [...priorities].sort((a, b) => a - b)) {
    const there = all.filter(target => target.priority === priority).length
    const left = usable.filter(target => target.priority === priority)
    chosen.push(...left)
    if (left.length > 0 && left.length >= threshold * there) break
  }
  return chosen
}
