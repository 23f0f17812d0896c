import { type Context, defineSlot, type Host, problem, type Reply, type RouteHooks, type Summary } from '@gateway/core'
import { Circuit, type Transition } from './circuit.ts'
import type { RouteCircuitOptions } from './circuit-breaker-options.ts'
import { failureTest, isUpstreams } from './failure.ts'

/** When the request was let through; 0: what became of it has been said. */
const admittedAt = defineSlot<number>()('circuitBreaker.admittedAt')

/** A circuit for a route: what counts is what its clients get, after all retries. */
export function guardRoute(host: Host, route: string, options: RouteCircuitOptions) {
  const { clock } = host
  const circuit = host.share<Circuit>({
    name: `circuitBreaker.route ${route} ${options.window}`,
    create: () => new Circuit(options.window),
  })
  const isFailure = failureTest(options.failureStatus)

  function tell(transition: Transition | undefined): void {
    if (transition === undefined) return
    if (transition.to === 'open') {
      const { reason, ms } = transition
      host.log.warn('the circuit of a route opened', { route, reason, ms })
    } else {
      host.log.info(`the circuit of a route is ${transition.to === 'closed' ? 'closed again' : 'half open'}`, { route })
    }
  }

  /** `hasFailed` undefined: nothing is to be learned of it. */
  function settle(ctx: Context, hasFailed: boolean | undefined): void {
    const since = ctx.get(admittedAt)
    if (since === undefined || since === 0) return
    ctx.set(admittedAt, 0)
    if (hasFailed === undefined) return void circuit.abandon(ctx)
    const now = clock.now()
    tell(circuit.record(ctx, hasFailed, now - since, now, options))
  }

  /** Of a request of which no answer from upstream came this far. */
  function hasFailed({ error, attempts, status }: Summary): boolean | undefined {
    if (error !== undefined) return isUpstreams(error) ? true : undefined
    return attempts === 0 ? undefined : isFailure(status)
  }

  return {
    onRequest(ctx): Reply | void {
      const now = clock.now()
      tell(circuit.expire(now))
      const until = circuit.blockedUntil(options)
      if (until !== undefined) return options.fallback ?? openReply(ctx, until - now)
      circuit.begin(ctx, now, options)
      ctx.set(admittedAt, now)
    },
    onResponse(ctx, { fromUpstream, status }) {
      // One that was kept tells nothing of how the upstream is.
      if (fromUpstream && ctx.attempts > 0) settle(ctx, isFailure(status))
    },
    onFinish(ctx, summary) {
      settle(ctx, hasFailed(summary))
    },
  } satisfies RouteHooks
}

function openReply(ctx: Context, ms: number): Reply {
  return problem(ctx, {
    status: 503,
    code: 'CIRCUIT_OPEN',
    title: 'Service unavailable',
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(ms / 1_000))) },
  })
}
