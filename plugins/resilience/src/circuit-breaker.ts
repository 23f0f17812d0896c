import { definePlugin, type RouteHooks } from '@gateway/core'
import { routeSchema, serviceSchema } from './circuit-breaker-options.ts'
import { guardRoute } from './circuit-breaker-route.ts'
import { guardTargets } from './circuit-breaker-targets.ts'

/**
 * Stops calling what fails: on a service, each of its targets by itself; on a route, the route as a whole.
 */
export const circuitBreaker = definePlugin({
  name: 'circuitBreaker',
  stage: 'shape',
  serviceOptions: serviceSchema,
  routeOptions: routeSchema,
  setup(host) {
    const guarded = new Map<string, ReturnType<typeof guardTargets>>()
    return {
      onService(service) {
        if (service.options !== undefined) guarded.set(service.name, guardTargets(host, service, service.options))
      },
      onRoute({ name, services, options }): RouteHooks | void {
        const route = options && guardRoute(host, name, options)
        // Of each service that requests may go to: another plugin chooses.
        const targets = new Map(
          services.flatMap(service => {
            const guard = guarded.get(service)
            return guard === undefined ? [] : [[service, guard] as const]
          }),
        )
        if (targets.size === 0) return route
        return {
          ...route,
          onAttempt(ctx, attempt) {
            targets.get(ctx.service ?? '')?.onAttempt(ctx, attempt)
          },
          onAttemptEnd(ctx, attempt, outcome) {
            targets.get(ctx.service ?? '')?.onAttemptEnd(ctx, attempt, outcome)
          },
          onFinish(ctx, summary) {
            route?.onFinish(ctx, summary)
            for (const guard of targets.values()) guard.onFinish(ctx)
          },
        }
      },
    }
  },
})
