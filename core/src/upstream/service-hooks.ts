import type { ServiceHooks } from '../contract/hooks.ts'
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
