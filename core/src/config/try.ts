import * as z from 'zod'
import { defineExtension, definePlugin } from '../contract/plugin.ts'
import type { Schema } from '../contract/schema.ts'
import { defineSlot } from '../contract/slot.ts'
import { defineConfig, defineGateway } from './define-config.ts'

declare const schema: <In, Out = In>() => Schema<In, Out>
interface User {
  id: string
  scopes: readonly string[]
}
export const user = defineSlot<User>()('jwt.user')
export const tenant = defineSlot<string>()('tenant')
export const jwt = definePlugin({
  name: 'jwt',
  stage: 'identify',
  writes: [user],
  options: schema<{ issuer: string; leeway?: number }, { issuer: string; leeway: number }>(),
  routeOptions: schema<{ scopes?: readonly string[] } | false>(),
  setup(_host, options) {
    options.leeway.toFixed()
    return {
      onRoute(route) {
        if (!route.options) return
        const scopes = route.options.scopes ?? []
        return {
          onRequest(ctx) {
            ctx.set(user, { id: 'x', scopes })
          },
        }
      },
    }
  },
})
export const rateLimit = definePlugin({
  name: 'rateLimit',
  stage: 'admit',
  needs: [user],
  routeOptions: z.strictObject({ /** how many */ limit: z.number() }),
  setup: host => ({
    onRoute: route => {
      const limit = route.options?.limit
      if (limit === undefined) return
      const m = host.share({ name: 'counters', create: () => new Map<string, number>() })
      return {
        onRequest(ctx) {
          const id = ctx.get(user).id
          ctx.get(tenant)?.length
          return (m.get(id) ?? 0) > limit ? { status: 429 } : undefined
        },
      }
    },
  }),
})
export const balancers = definePlugin({
  name: 'balancers',
  extensions: [
    defineExtension({ point: 'balancer', name: 'random', create: () => ({ pick: t => t[0] }) }),
    defineExtension({
      point: 'balancer',
      name: 'ringHash',
      options: schema<{ replicas: number }>(),
      create: (_h, o) => ({ pick: t => t[o.replicas % t.length] }),
    }),
  ],
})
export const health = definePlugin({ name: 'health', serviceOptions: z.strictObject({ path: z.string() }) })

export const config = defineConfig({
  plugins: [balancers(), jwt({ issuer: 'https://i' }), rateLimit(), health()],
  services: {
    users: { targets: ['http://u'], balance: { use: 'ringHash', replicas: 64 }, health: { path: '/x' } },
    orders: { targets: [], balance: 'random' },
  },
  routes: {
    getUser: {
      match: 'GET /users/:id/posts/:post',
      service: 'users',
      rewrite: '/x/:id',
      jwt: { scopes: ['read'] },
      rateLimit: { limit: 10 },
      onRequest(ctx) {
        const { id, post } = ctx.params
        ctx.get(user)?.id
        return id === post ? { status: 404 } : undefined
      },
    },
    files: {
      match: 'ANY /files/*',
      service: 'orders',
      rewrite: '/v2/*',
      onRequest(ctx) {
        ctx.params['*'].length
      },
    },
    old: { match: 'GET /old', redirect: { to: '/new' } },
    hi: { match: 'GET /hi', reply: { status: 200, body: 'hi' } },
  },
})
const s = { a: { targets: ['http://a'] } } as const
// 1 missing plugin for slot
defineConfig({ plugins: [balancers(), rateLimit()], services: {}, routes: {} })
// 2 ring-hash needs option
defineConfig({ plugins: [balancers()], services: { a: { targets: [], balance: 'ringHash' } }, routes: {} })
// 3 unknown balancer
defineConfig({ plugins: [balancers()], services: { a: { targets: [], balance: 'nope' } }, routes: {} })
// 4 unknown service
defineConfig({
  plugins: [balancers()],
  services: { a: { targets: [] } },
  routes: { r: { match: 'GET /', service: 'b' } },
})
// 5 plugin not registered
defineConfig({
  plugins: [balancers()],
  services: { a: { targets: [] } },
  routes: { r: { match: 'GET /', service: 'a', jwt: false } },
})
// 6 wrong option
defineConfig({
  plugins: [jwt({ issuer: 'x' }), rateLimit()],
  services: s,
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { limit: 'x' } } },
})
// 7 unknown option
defineConfig({
  plugins: [jwt({ issuer: 'x' }), rateLimit()],
  services: s,
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { limit: 1, limt: 2 } } },
})
// 8 rewrite
defineConfig({ services: s, routes: { r: { match: 'GET /u/:id', service: 'a', rewrite: '/x/:idd' } } })
// 9 method
defineConfig({ services: s, routes: { r: { match: 'GTE /u/:id', service: 'a' } } })
// 10 unknown key on route
defineConfig({ services: s, routes: { r: { match: 'GET /u/:id', servce: 'a' } } })
// 11 both
defineConfig({ services: s, routes: { r: { match: 'GET /u/:id', service: 'a', reply: { status: 200 } } } })
// 12 none
defineConfig({ services: s, routes: { r: { match: 'GET /u/:id' } } })
// 13 duration
defineConfig({ services: s, routes: { r: { match: 'GET /u/:id', service: 'a', timeout: '10x' } } })
// 14 hooks wrong param
defineConfig({
  services: s,
  routes: {
    r: {
      match: 'GET /u/:id',
      service: 'a',
      onRequest(ctx) {
        ctx.params.idd
      },
    },
  },
})
// 15 required plugin option
jwt()
// 16 reserved
definePlugin({ name: 'service' })
// 17 unknown top-level
defineConfig({ lisen: { port: 1 }, services: s, routes: {} })
// 18 unknown service key
defineConfig({ services: { a: { targetz: [] } }, routes: {} })
// 19 health option
defineConfig({ plugins: [health()], services: { a: { targets: [], health: { pth: '' } } }, routes: {} })

const g = defineGateway({ plugins: [jwt({ issuer: 'x' }), rateLimit()], services: s })
const r1 = g.routes({
  a: {
    match: 'GET /u/:id',
    service: 'a',
    rateLimit: { limit: 1 },
    onRequest(ctx) {
      ctx.params.id
    },
  },
})
// 20
g.routes({ a: { match: 'GET /u/:id', service: 'b' } })
// 21
g.routes({ a: { match: 'GET /u/:id', service: 'a', rateLimit: { limi: 1 } } })
export default g.config(r1)
