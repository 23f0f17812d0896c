import type { ServiceHooks } from '../contract/hooks.ts'
import type { Balancer } from '../contract/host.ts'
import { pluginFailure } from '../exchange/plugin-failure.ts'

/** The hooks; whatever they throw names plugin and hook. */
export function nameFailures(plugin: string, hooks: ServiceHooks): ServiceHooks {
  const { narrow, prefer } = hooks
  return {
    ...(narrow && {
      narrow: (targets, all) => {
        try {
          return narrow.call(hooks, targets, all)
        } catch (error) {
          throw pluginFailure(plugin, 'narrow', error)
        }
      },
    }),
    ...(prefer && {
      prefer: (ctx, targets) => {
        try {
          return prefer.call(hooks, ctx, targets)
        } catch (error) {
          throw pluginFailure(plugin, 'prefer', error)
        }
      },
    }),
  }
}

/** Likewise, a balancer. */
export function nameBalancerFailures(plugin: string, what: string, balancer: Balancer): Balancer {
  return {
    pick(targets, ctx) {
      try {
        return balancer.pick(targets, ctx)
      } catch (error) {
        throw pluginFailure(plugin, what, error)
      }
    },
    observe(target, outcome) {
      try {
        balancer.observe?.(target, outcome)
      } catch (error) {
        throw pluginFailure(plugin, what, error)
      }
    },
  }
}
