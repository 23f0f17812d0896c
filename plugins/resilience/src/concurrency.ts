import { type Context, definePlugin, defineSlot, type RouteHooks, type ServiceView } from '@gateway/core'
import { Gate } from './concurrency-gate.ts'
import type { Place } from './concurrency-limiter.ts'
import { limitSchema } from './concurrency-options.ts'

const routePlace = defineSlot<Place>()('concurrency.routePlace')
const servicePlace = defineSlot<Place>()('concurrency.servicePlace')

/**
 * How many requests may be under way at a time, on a route or to a service: those beyond wait their turn in a queue that
 * has an end, or are refused.
 */
export const concurrency = definePlugin({
  name: 'concurrency',
  stage: 'shape',
  serviceOptions: limitSchema,
  routeOptions: limitSchema,
  setup(host) {
    const gates = new Map<string, Gate>()
    const views = new Map<string, ServiceView<unknown>>()
    const hasTarget = ({ service = '' }: Context) =>
      views.get(service)?.targets.some(({ available }) => available) !== false
    return {
      onService(service) {
        const { name, options } = service
        views.set(name, service)
        if (options === undefined) return
        gates.set(name, new Gate(host, { name: `service ${name}`, options, slot: servicePlace, hasTarget }))
      },
      onRoute({ name, services, options }) {
        const own = options && new Gate(host, { name: `route ${name}`, options, slot: routePlace, hasTarget })
        const shared = services.flatMap(service => gates.get(service) ?? [])
        if (own === undefined && shared.length === 0) return
        // Of the service that the request goes to: another plugin may have chosen.
        const gateOf = ({ service = '' }: Context) => gates.get(service)
        const hooks: RouteHooks = {
          onRequest(ctx) {
            const answer = own?.enter(ctx)
            if (answer instanceof Promise) return answer.then(reply => reply ?? gateOf(ctx)?.enter(ctx))
            return answer ?? gateOf(ctx)?.enter(ctx)
          },
          ...([own, ...shared].some(gate => gate?.isAdaptive) && {
            onAttemptEnd(ctx, _attempt, outcome) {
              own?.learn(outcome)
              gateOf(ctx)?.learn(outcome)
            },
          }),
          onFinish(ctx) {
            ctx.get(routePlace)?.leave()
            ctx.get(servicePlace)?.leave()
          },
        }
        return hooks
      },
    }
  },
})
