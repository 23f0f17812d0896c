import { definePlugin } from '@gateway/core'
import * as z from 'zod'

const routeSchema = z.strictObject({ attempts: z.int().min(1).max(16).default(3) })

/** Sends requests that failed once more, to another target where there is one. */
export const retry = definePlugin({
  name: 'retry',
  stage: 'shape',
  routeOptions: routeSchema,
  setup() {
    return {
      onRoute({ options }) {
        if (options === undefined) return
        return {
          onAttemptEnd(_ctx, { number }, outcome) {
            if ('error' in outcome && outcome.error.retryable && number < options.attempts) return 'retry'
            return undefined
          },
        }
      },
    }
  },
})
