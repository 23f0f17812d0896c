// What the DSL accepts and infers: compiled by `npm run check`, never run.
import { defineConfig, defineGateway, type Params } from '@gateway/core'
import { balancing, health, jwt, rateLimit, tenant, user } from './plugins.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const assert = <_T extends true>() => undefined

assert<Equal<Params<'/'>, { readonly [K in never]: string }>>()
assert<Equal<Params<'/users/:id'>, { readonly id: string }>>()
assert<Equal<Params<'/users/:id/posts/:post'>, { readonly id: string; readonly post: string }>>()
assert<Equal<Params<'/files/:dir/*'>, { readonly dir: string; readonly '*': string }>>()

export default defineConfig({
  listen: [
    { port: 8081, name: 'sockets', exclusive: true },
    { port: 8080, name: 'web', trust: ['10.0.0.0/8'], limits: { headSize: '16kb', headTimeout: '10s' } },
  ],
  timeouts: { connect: 250, idle: '1m' },
  plugins: [balancing(), jwt({ issuer: 'https://issuer.example', leeway: '5s' }), rateLimit(), health()],
  require: ['jwt', 'health'],
  lint: { CONFIG_UNUSED_SERVICE: 'off' },
  services: {
    users: {
      targets: ['http://127.0.0.1:3001', { url: 'http://127.0.0.1:3002', weight: 2 }],
      balance: { use: 'ringHash', replicas: 64 },
      health: { path: '/healthz' },
    },
    orders: { targets: ['http://127.0.0.1:3003'], balance: 'first', connector: 'grpc' },
    found: { discover: { use: 'files', path: 'targets.json' }, balance: 'roundRobin' },
  },
  routes: {
    getPost: {
      match: 'ANY /users/:id/posts/:post',
      host: '*.example.com',
      headers: { 'x-beta': true, accept: /json/ },
      query: { draft: false },
      service: 'users',
      rewrite: '/v2/:post/of/:id',
      methods: ['GET', 'PUT'],
      timeout: '10s',
      jwt: { scopes: ['read'] },
      rateLimit: { limit: 10, window: '1s' },
      onRequest(ctx) {
        assert<Equal<typeof ctx.params, { readonly id: string; readonly post: string }>>()
        // Inline hooks need nothing, so a slot may be unset.
        const id: string | undefined = ctx.get(user)?.id
        ctx.set(tenant, id ?? 'none')
        return ctx.params.id === ctx.params.post ? { status: 404 } : undefined
      },
      onResponse: async (ctx, head) => {
        await Promise.resolve()
        if (ctx.signal.aborted) head.status = 500
      },
    },
    files: {
      match: 'ANY /files/*',
      service: 'found',
      rewrite: '/static/*',
      jwt: false,
      rateLimit: { limit: 1, by: ctx => ctx.client.address },
      onError: ctx => ({ status: 500, body: ctx.params['*'] }),
    },
    old: { match: 'GET /old/:id', redirect: { to: 'https://example.com/new/:id', status: 301 } },
    chat: { match: 'GET /chat', listener: 'sockets', service: 'users' },
    both: { match: 'GET /both', listener: ['web', 'sockets'], service: 'users' },
    short: { match: 'GET /short', redirect: '/old/1', timeout: { total: '1s', head: 500 } },
    robots: {
      match: 'GET /robots.txt',
      reply: { status: 200, body: 'User-agent: *\n' },
      responseHeaders: { set: { 'x-a': 'b' } },
    },
  },
})

const gateway = defineGateway({
  listen: { port: 8080, name: 'web' },
  plugins: [jwt({ issuer: 'https://issuer.example' }), rateLimit()],
  services: { users: { targets: ['http://127.0.0.1:3001'] } },
})
const users = gateway.routes({
  getUser: {
    match: 'GET /users/:id',
    service: 'users',
    rewrite: '/v2/:id',
    // The parameters of a function in a plugin's options are typed like those of a hook.
    rateLimit: { limit: 1, by: ctx => ctx.client.address },
    onRequest: ctx => void ctx.params.id.length,
  },
})
const orders = gateway.routes({ order: { match: 'POST /orders', listener: 'web', service: 'users' } })
export const split = gateway.config(users, orders)
