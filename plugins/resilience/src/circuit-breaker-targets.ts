import type { Attempt, Context, Host, RouteHooks, ServiceView } from '@gateway/core'
import { Circuit, type Transition } from './circuit.ts'
import type { CircuitOptions } from './circuit-breaker-options.ts'
import { failureTest, isUpstreams } from './failure.ts'

/** What generations have in common of one service. */
interface Shared {
  /** By URL. */
  readonly circuits: Map<string, Circuit>
  /** What each generation does when one of them has changed. */
  readonly listeners: Set<() => void>
}

/**
 * A circuit for each target of a service. While it keeps calls away the target is held out, in every generation. Returns
 * the hooks that the service's routes need.
 */
export function guardTargets(host: Host, service: ServiceView<unknown>, options: CircuitOptions) {
  const { clock } = host
  const { circuits, listeners } = host.share<Shared>({
    name: `circuitBreaker.targets ${service.name} ${options.window}`,
    create: () => ({ circuits: new Map(), listeners: new Set() }),
  })
  const isFailure = failureTest(options.failureStatus)
  const holds = new Map<string, { readonly until: number; readonly letGo: () => void }>()
  /** Trials that have not ended, for whoever hears of their request's end alone. */
  const trials = new Map<Attempt, Context>()
  listeners.add(sync)
  host.defer(() => {
    listeners.delete(sync)
    for (const { letGo } of holds.values()) letGo()
  })
  sync()

  /** Holds out what is not to be called, until then. */
  function sync(): void {
    for (const attempt of trials.keys()) if (!circuits.get(attempt.target.url)?.isTrial(attempt)) trials.delete(attempt)
    const urls = new Set(service.targets.map(({ url }) => url))
    for (const [url, { letGo }] of holds) {
      if (urls.has(url)) continue
      letGo()
      holds.delete(url)
    }
    for (const target of service.targets) {
      const { url } = target
      const until = circuits.get(url)?.blockedUntil(options)
      const held = holds.get(url)
      // Available all the same when discovery has lost the target and found it again.
      if (held?.until === until && (until === undefined || !target.available)) continue
      held?.letGo()
      holds.delete(url)
      if (until === undefined) continue
      const release = service.holdOut(target, 'its circuit is open', until)
      const callOff = clock.after(Math.max(0, until - clock.now()), () => expire(url, until))
      const letGo = () => {
        callOff()
        release()
      }
      holds.set(url, { until, letGo })
    }
  }

  /** Whatever the clock says: it may have been set back, and no other timer is there. */
  function expire(url: string, until: number): void {
    tell(circuits.get(url)?.expire(Math.max(until, clock.now())), url)
    changed()
  }

  function changed(): void {
    for (const listener of listeners) listener()
  }

  function tell(transition: Transition | undefined, target: string): void {
    if (transition === undefined) return
    const fields = { service: service.name, target }
    if (transition.to === 'open') {
      const { reason, ms } = transition
      host.log.warn('the circuit of a target opened', { ...fields, reason, ms })
    } else {
      host.log.info(`the circuit of a target is ${transition.to === 'closed' ? 'closed again' : 'half open'}`, fields)
    }
  }

  function circuitOf(url: string): Circuit {
    let circuit = circuits.get(url)
    if (circuit !== undefined) return circuit
    for (const known of circuits.keys())
      if (!service.targets.some(target => target.url === known)) circuits.delete(known)
    circuit = new Circuit(options.window)
    circuits.set(url, circuit)
    return circuit
  }

  return {
    onAttempt(ctx, attempt) {
      const circuit = circuits.get(attempt.target.url)
      if (circuit === undefined || circuit.state === 'closed') return
      if (circuit.begin(attempt, clock.now(), options)) trials.set(attempt, ctx)
      changed()
    },
    onAttemptEnd(_ctx, attempt, outcome) {
      const { url } = attempt.target
      const isTrial = trials.size > 0 && trials.has(attempt)
      if ('error' in outcome && !isUpstreams(outcome.error)) {
        // Of a request that was the client's fault, or the gateway's, there is nothing to learn.
        if (!isTrial) return
        circuits.get(url)?.abandon(attempt)
        return changed()
      }
      const hasFailed = 'error' in outcome || isFailure(outcome.status)
      const transition = circuitOf(url).record(attempt, hasFailed, attempt.ageMs, clock.now(), options)
      tell(transition, url)
      if (transition !== undefined || isTrial) changed()
    },
    onFinish(ctx) {
      if (trials.size === 0) return
      const left = [...trials].filter(([, owner]) => owner === ctx)
      for (const [attempt] of left) circuits.get(attempt.target.url)?.abandon(attempt)
      if (left.length > 0) changed()
    },
  } satisfies RouteHooks
}
