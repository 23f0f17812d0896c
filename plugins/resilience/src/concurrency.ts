import { definePlugin, defineSlot, type RouteHooks } from '@gateway/core'
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
    const services = new Map<string, { readonly gate: Gate | undefined; readonly hasTarget: () => boolean }>()
    return {
      onService(service) {
        const { name, options } = service
        const hasTarget = () => service.targets.some(({ available }) => available)
        const gate = options && new Gate(host, { name: `service ${name}`, options, slot: servicePlace, hasTarget })
        services.set(name, { gate, hasTarget })
      },
      onRoute({ name, service = '', options }) {
        const shared = services.get(service)
        const { hasTarget = () => true } = shared ?? {}
        const own = options && new Gate(host, { name: `route ${name}`, options, slot: routePlace, hasTarget })
        const gates = [own, shared?.gate].filter(gate => gate !== undefined)
        const [first, second] = gates
        if (first === undefined) return
        const hooks: RouteHooks = {
          onRequest(ctx) {
            const answer = first.enter(ctx)
            if (second === undefined) return answer
            if (answer instanceof Promise) return answer.then(reply => reply ?? second.enter(ctx))
            return answer ?? second.enter(ctx)
          },
          ...(gates.some(gate => gate.isAdaptive) && {
            onAttemptEnd(_ctx, _attempt, outcome) {
              for (const gate of gates) gate.learn(outcome)
            },
          }),
          onFinish(ctx) {
            first.leave(ctx)
            second?.leave(ctx)
          },
        }
        return hooks
      },
    }
  },
})
