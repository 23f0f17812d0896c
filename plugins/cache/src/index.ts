import { definePlugin } from '@gateway/core'
import { Fills } from './fill.ts'
import { optionsSchema, routeSchema, routeShape } from './options.ts'
import { purgeReply } from './purge.ts'
import { cacheHooks } from './serve.ts'
import { type Purge, Store } from './store.ts'

/**
 * Keeps answers for those who ask for the same (a shared cache by RFC 9111), and lets those who ask for the same at once
 * wait for one answer. At work on routes that say so, behind those who identify, authorize and admit: what they would have
 * refused is not answered here.
 */
export const cache = definePlugin({
  name: 'cache',
  options: optionsSchema,
  routeOptions: routeSchema,
  setup(host, { maxSize, cacheStatus }) {
    // Each worker has its own, and all together keep within the bound.
    const bytes = Math.floor(maxSize / host.worker.count)
    const fills = host.share({
      name: `cache.answers ${bytes}`,
      create: () => new Fills(new Store(bytes), host.clock.now),
    })
    const forget = (where: Purge) => {
      fills.outdate(where)
      return fills.store.purge(where)
    }
    const others = host.channel<Purge>('purge', forget)
    const purge = (where: Purge) => {
      others.post(where)
      return forget(where)
    }
    return {
      onRoute({ options, service, match, problem }) {
        if (options === undefined || options === false) return
        if (options !== true && 'purge' in options) {
          const { token } = options.purge
          if (!match.startsWith('POST ')) problem(`purges by ${match}: a purge changes something, match POST`)
          return { onRequest: ctx => purgeReply(ctx, token, purge) }
        }
        if (service === undefined) return
        const given = options === true ? routeShape.parse({}) : options
        return cacheHooks({ fills, options: given, cacheStatus, closing: host.closing, purge })
      },
    }
  },
})
