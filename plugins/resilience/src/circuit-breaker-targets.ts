import type { Host, RouteHooks, ServiceView } from '@gateway/core'
import { Circuit, type Transition } from './circuit.ts'
import type { CircuitOptions } from './circuit-breaker-options.ts'
import { failureTest, isUpstreams } from './failure.ts'

/** What generations have in common of one service. */
interface Shared {
  /** By URL. */
  readonly circuits: Map<string, Circuit>
  /** Those that are not closed. */
  troubled: readonly Circuit[]
  /** What each generation does when one of them has changed. */
  readonly listeners: Set<() => void>
}

/**
 * A circuit for each target of a service. While it keeps calls away the target is held out, in every generation. Returns
 * the hooks that the service's routes need.
 */
export function guardTargets(host: Host, service: ServiceView<unknown>, options: CircuitOptions) {
  const { clock } = host
  const shared = host.share<Shared>({
    name: `circuitBreaker.targets ${service.name} ${options.window}`,
    create: () => ({ circuits: new Map(), troubled: [], listeners: new Set() }),
  })
  const { circuits, listeners } = shared
  const isFailure = failureTest(options.failureStatus)
  const holds = new Map<string, { readonly until: number; readonly letGo: () => void }>()
  listeners.add(sync)
  host.defer(() => {
    listeners.delete(sync)
    for (const { letGo } of holds.values()) letGo()
  })
  sync()

  /** Holds out what is not to be called, until then. */
  function sync(): void {
    for (const target of service.targets) {
      const { url } = target
      const until = circuits.get(url)?.blockedUntil(options)
      // Available all the same when discovery has lost the target and found it again.
      if (holds.get(url)?.until === until && (until === undefined || !target.available)) continue
      release(url)
      if (until === undefined) continue
      const letIn = service.holdOut(target, 'its circuit is open', until)
      const callOff = clock.after(Math.max(0, until - clock.now()), () => expire(url))
      const letGo = () => {
        callOff()
        letIn()
      }
      holds.set(url, { until, letGo })
    }
  }

  function release(url: string): void {
    holds.get(url)?.letGo()
    holds.delete(url)
  }

  /** Should the clock say that it is too early, the target is held again until it is not. */
  function expire(url: string): void {
    release(url)
    tell(circuits.get(url)?.expire(clock.now()), url)
    changed()
  }

  function changed(): void {
    shared.troubled = [...circuits.values()].filter(({ state }) => state !== 'closed')
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
    const urls = new Set(service.targets.map(target => target.url))
    for (const known of circuits.keys()) if (!urls.has(known)) circuits.delete(known)
    circuit = new Circuit(options.window)
    circuits.set(url, circuit)
    return circuit
  }

  return {
    onAttempt(ctx, { target }) {
      const circuit = circuits.get(target.url)
      if (circuit === undefined || circuit.state === 'closed') return
      circuit.begin(ctx, clock.now(), options)
      changed()
    },
    onAttemptEnd(ctx, { target: { url }, ageMs }, outcome) {
      // Of a request that was the client's fault, or the gateway's, there is nothing to learn.
      if ('error' in outcome && !isUpstreams(outcome.error)) return
      const circuit = circuitOf(url)
      const { state } = circuit
      const hasFailed = 'error' in outcome || isFailure(outcome.status)
      tell(circuit.record(ctx, hasFailed, ageMs, clock.now(), options), url)
      if (state !== 'closed' || circuit.state !== 'closed') changed()
    },
    onFinish(ctx) {
      for (const circuit of shared.troubled) if (circuit.abandon(ctx)) changed()
    },
  } satisfies RouteHooks
}
