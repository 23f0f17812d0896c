import { definePlugin, type Outcome, type RouteHooks, type ServiceView, type Target } from '@gateway/core'
import { watchCertificates } from './certificates.ts'
import { answerFor } from './endpoints.ts'
import { faultsOf, routeSchema, serviceSchema } from './options.ts'
import { watchOutliers } from './outliers.ts'
import { startProbes } from './probes.ts'

/**
 * Keeps requests from targets that are down: services that say `health` are probed, and watched by what becomes of
 * requests. A route that says `health` tells how the gateway is.
 */
export const health = definePlugin({
  name: 'health',
  // Before anybody is asked who they are: a balancer in front of the gateway has no credentials.
  stage: 'guard',
  serviceOptions: serviceSchema,
  routeOptions: routeSchema,
  setup(host) {
    const watched: ServiceView<unknown>[] = []
    const watchers = new Map<string, (target: Target, outcome: Outcome) => void>()
    return {
      onService(service) {
        const { options } = service
        if (options === undefined) return
        const { path, tcp, grpc, tls, timeout, passive } = options
        watched.push(service)
        for (const fault of faultsOf(options, service)) service.problem(fault)
        if ((path ?? tcp ?? grpc ?? tls) !== undefined) startProbes(host, service, options)
        if (tls !== undefined) watchCertificates(host, service, { expiresIn: tls.expiresIn, timeoutMs: timeout })
        if (passive !== false) watchers.set(service.name, watchOutliers(host, service, passive))
      },
      onRoute({ services, options }) {
        const isWatched = services.some(service => watchers.has(service))
        if (options === undefined && !isWatched) return
        const hooks: RouteHooks = {
          ...(options && { onRequest: () => answerFor(options.endpoint, watched, host.draining) }),
          ...(isWatched && {
            onAttemptEnd: ({ service = '' }, { target }, outcome) => watchers.get(service)?.(target, outcome),
          }),
        }
        return hooks
      },
    }
  },
})
