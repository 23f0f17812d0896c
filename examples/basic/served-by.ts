// A plugin in one file: tells the client which upstream answered, on routes that ask for it.
import { definePlugin, defineSlot } from '@gateway/core'
import * as z from 'zod'

const target = defineSlot<string>()('servedBy.target')

export const servedBy = definePlugin({
  name: 'servedBy',
  // What a route may write under `servedBy`. A typo there, or a value of another type, is a compile error.
  routeOptions: z.strictObject({
    /** Response header that names the upstream. */
    header: z.string(),
  }),
  setup() {
    return {
      onRoute({ options }) {
        // Nothing returned, nothing paid: routes that do not mention the plugin never call it.
        if (options === undefined) return
        return {
          onAttempt: (ctx, attempt) => ctx.set(target, attempt.target.url),
          onResponse(ctx, head) {
            const url = ctx.get(target)
            if (url !== undefined) head.headers.set(options.header, url)
          },
        }
      },
    }
  },
})
