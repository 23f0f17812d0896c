import type { ServiceView, Target } from '../contract/hooks.ts'
import { askTarget } from './ask-target.ts'
import { connectOnce } from './connect-once.ts'
import { type TargetState, UpstreamTarget } from './target.ts'

export interface ServiceViewOptions {
  readonly name: string
  readonly protocol: 'http1' | 'http2'
  /** The plugin's, on this service. */
  readonly options: unknown
  readonly targets: () => readonly UpstreamTarget[]
  readonly defer: (cleanup: () => void) => void
  readonly problem: (message: string) => void
}

/** What one plugin gets of one service, for one generation. */
export function createServiceView({
  name,
  protocol,
  options,
  targets,
  defer,
  problem,
}: ServiceViewOptions): ServiceView<unknown> {
  const held = new Set<() => void>()
  const scaled = new Set<TargetState>()
  let over = false

  function own(target: Target): UpstreamTarget {
    if (target instanceof UpstreamTarget) return target
    throw new TypeError(`"${target.url}" is not one of the targets of service "${name}"`)
  }

  defer(() => {
    over = true
    for (const release of held) release()
    held.clear()
    for (const state of scaled) state.scale(scaled, 1)
    scaled.clear()
  })
  return {
    name,
    protocol,
    options,
    get targets() {
      return targets()
    },
    holdOut(target, reason, until) {
      // A timer of a generation that is gone must not keep a target out for ever.
      if (over) return () => {}
      const letGo = own(target).state.hold({ reason, until })
      const release = () => {
        held.delete(release)
        letGo()
      }
      held.add(release)
      return release
    },
    scaleWeight(target, factor) {
      if (!(factor > 0 && factor <= 1)) throw new RangeError(`a factor of ${factor} is not above 0 and at most 1`)
      if (over) return
      const { state } = own(target)
      state.scale(scaled, factor)
      if (factor === 1) scaled.delete(state)
      else scaled.add(state)
    },
    ask: async (target, question) => askTarget(own(target), question),
    connect: async (target, timeoutMs, signal) => connectOnce(own(target), timeoutMs, signal),
    problem,
  }
}
