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
      onRoute({ name, service = '', options }): RouteHooks | void {
        const targets = guarded.get(service)
        const route = options && guardRoute(host, name, options)
        if (targets === undefined || route === undefined) return targets ?? route
        const onFinish: RouteHooks['onFinish'] = (ctx, summary) => {
          route.onFinish(ctx, summary)
          targets.onFinish(ctx)
        }
        return { ...route, ...targets, onFinish }
      },
    }
  },
})
