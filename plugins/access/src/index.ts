import { definePlugin, type RouteHooks } from '@gateway/core'
import * as z from 'zod'
import { countBody, requestChecks } from './check-request.ts'
import { responseMarks } from './mark-response.ts'
import { type Rules, rulesSchema } from './rules.ts'

/**
 * Rules about requests that need nobody's identity. Those of the gateway hold for every route; a key that a route gives
 * takes the place of the gateway's, and `access: false` lifts all of them.
 */
export const access = definePlugin({
  name: 'access',
  stage: 'guard',
  options: rulesSchema,
  routeOptions: z.union([z.literal(false), rulesSchema]),
  alwaysOn: everywhere => Object.keys(everywhere).length > 0,
  setup(_host, everywhere) {
    return {
      onRoute({ options }) {
        if (options === false) return
        return hooksOf({ ...everywhere, ...options })
      },
    }
  },
})

function hooksOf(rules: Rules): RouteHooks | undefined {
  if (Object.keys(rules).length === 0) return undefined
  const checks = requestChecks(rules)
  const onResponse = responseMarks(rules)
  return {
    ...(checks.length > 0 && {
      onRequest(ctx) {
        for (const check of checks) {
          const reply = check(ctx)
          if (reply !== undefined) return reply
        }
      },
    }),
    ...(rules.maxBodySize !== undefined && { onRequestBody: countBody(rules.maxBodySize) }),
    ...(onResponse && { onResponse }),
  }
}
