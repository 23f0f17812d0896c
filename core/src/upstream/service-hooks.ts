import type { ServiceHooks } from '../contract/hooks.ts'
import type { Balancer } from '../contract/host.ts'

/** Makes an error of what was thrown, that says where. */
type Failed = (where: string, thrown: unknown) => Error

/** The hooks, whose failures tell whose they are. */
export function guardHooks(hooks: ServiceHooks, failed: Failed): ServiceHooks {
  const { narrow, prefer } = hooks
  return {
    ...(narrow && {
      narrow: (targets, all) => {
        try {
          return narrow.call(hooks, targets, all)
        } catch (error) {
          throw failed('narrow', error)
        }
      },
    }),
    ...(prefer && {
      prefer: (ctx, targets) => {
        try {
          return prefer.call(hooks, ctx, targets)
        } catch (error) {
          throw failed('prefer', error)
        }
      },
    }),
  }
}

/** Likewise, a balancer by its name. */
export function guardBalancer(balancer: Balancer, name: string, failed: Failed): Balancer {
  const { observe } = balancer
  return {
    pick(targets, ctx) {
      try {
        return balancer.pick(targets, ctx)
      } catch (error) {
        throw failed(`the balancer "${name}"`, error)
      }
    },
    ...(observe && {
      observe: (target, outcome) => {
        try {
          observe.call(balancer, target, outcome)
        } catch (error) {
          throw failed(`the balancer "${name}"`, error)
        }
      },
    }),
  }
}
