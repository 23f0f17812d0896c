// Plugins of every kind, for the type tests: with options, route options, service options, slots and extensions.
import {
  type Context,
  defineExtension,
  definePlugin,
  defineSlot,
  duration,
  type NamesServices,
  namingServices,
} from '@gateway/core'
import * as z from 'zod'

export interface User {
  readonly id: string
  readonly scopes: readonly string[]
}

export const user = defineSlot<User>()('jwt.user')
export const tenant = defineSlot<string>()('tenant.name')

export const jwt = definePlugin({
  name: 'jwt',
  stage: 'identify',
  writes: [user],
  options: z.strictObject({ issuer: z.string(), leeway: duration().optional() }),
  routeOptions: z.union([z.strictObject({ scopes: z.array(z.string()).optional() }), z.literal(false)]),
  setup: (_host, options) => ({
    onRoute(route) {
      if (route.options === false) return
      const scopes = route.options?.scopes ?? [options.issuer, options.leeway?.toFixed() ?? '']
      return { onRequest: ctx => ctx.set(user, { id: ctx.id, scopes }) }
    },
  }),
})

export const rateLimit = definePlugin({
  name: 'rateLimit',
  stage: 'admit',
  needs: [user],
  routeOptions: z.strictObject({
    limit: z.number(),
    window: duration().prefault('1m'),
    by: z.custom<(ctx: Context) => string>().optional(),
  }),
  setup: host => ({
    onRoute({ options }) {
      if (options === undefined) return
      const counts = host.share({ name: 'rateLimit.counts', create: () => new Map<string, number>() })
      return {
        onRequest(ctx) {
          // A needed slot is never undefined, any other may be.
          const { id }: User = ctx.get(user)
          const name: string | undefined = ctx.get(tenant)
          const window: number = options.window
          const count = (counts.get(id) ?? 0) + 1
          counts.set(id, count)
          return count > options.limit ? { status: 429, body: `${name} ${window}` } : undefined
        },
      }
    },
  }),
})

export const balancing = definePlugin({
  name: 'balancing',
  extensions: [
    defineExtension({ point: 'balancer', name: 'first', create: () => ({ pick: targets => targets[0] }) }),
    defineExtension({
      point: 'balancer',
      name: 'ringHash',
      options: z.strictObject({ replicas: z.number() }),
      create: (_host, { replicas }) => ({ pick: targets => targets[replicas % targets.length] }),
    }),
    defineExtension({
      point: 'discovery',
      name: 'files',
      options: z.strictObject({ path: z.string() }),
      create: (_host, { path }) => ({ watch: update => update([{ url: path }]) }),
    }),
    defineExtension({
      point: 'connector',
      name: 'grpc',
      create: () => ({ open: async (_ctx, attempt) => ({ status: 200, headers: attempt.headers, body: '' }) }),
    }),
  ],
})

export const health = definePlugin({ name: 'health', serviceOptions: z.strictObject({ path: z.string() }) })

interface Shares extends NamesServices {
  readonly options: { readonly [Name in this['service']]?: number }
}

export const shares = definePlugin({
  name: 'shares',
  routeOptions: namingServices<Shares>()(z.record(z.string(), z.number())),
  services: options => Object.keys(options).map(name => ({ name, path: [name] })),
})
