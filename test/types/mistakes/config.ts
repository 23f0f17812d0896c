// Every mistake that house.md's "Config DSL" promises to refuse, and the sentence that the author gets to read.
import { defineConfig, defineExtension, defineGateway, definePlugin, defineSlot } from '@gateway/core'
import { balancing, health, jwt, rateLimit, shares, tenant, user } from '../plugins.ts'

const services = { a: { targets: ['http://127.0.0.1:1'] } } as const
const issuer = 'https://issuer.example'

export const unknownService = defineConfig({
  services: { users: { targets: ['http://127.0.0.1:1'] } },
  // error: TS2322: Type '"usres"' is not assignable to type '"users"'
  routes: { r: { match: 'GET /', service: 'usres' } },
})

export const unknownListener = defineConfig({
  listen: [
    { port: 80, name: 'web' },
    { port: 81, name: 'sockets', exclusive: true },
  ],
  services,
  routes: {
    fine: { match: 'GET /fine', service: 'a', listener: ['web', 'sockets'] },
    // error: TS2820: Type '"socket"' is not assignable to type .*Did you mean '"sockets"'
    r: { match: 'GET /', service: 'a', listener: 'socket' },
  },
})

export const namelessListener = defineConfig({
  listen: { port: 80 },
  services,
  // error: TS2322: Type '"web"' is not assignable to type '"no listener has a name: give it one in listen"'
  routes: { r: { match: 'GET /', service: 'a', listener: 'web' } },
})

export const pluginNotListed = defineConfig({
  plugins: [balancing()],
  services,
  // error: TS2353: .*'rateLimit' does not exist
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { limit: 1 } } },
})

export const wrongOption = defineConfig({
  plugins: [jwt({ issuer }), rateLimit()],
  services,
  // error: TS2322: Type 'string' is not assignable to type 'number'
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { limit: 'ten' } } },
})

export const unknownOption = defineConfig({
  plugins: [jwt({ issuer }), rateLimit()],
  services,
  // error: TS2561: .*'limt' does not exist.*Did you mean to write 'limit'
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { limt: 1 } } },
})

export const missingOption = defineConfig({
  plugins: [jwt({ issuer }), rateLimit()],
  services,
  // error: TS2741: Property 'limit' is missing
  routes: { r: { match: 'GET /', service: 'a', rateLimit: { window: '1m' } } },
})

export const unknownServiceInOption = defineConfig({
  plugins: [shares()],
  services,
  // error: TS2353: .*'b' does not exist
  routes: { r: { match: 'GET /', service: 'a', shares: { a: 95, b: 5 } } },
})

export const rewriteParameter = defineConfig({
  services,
  // error: TS2322: Type '"/v2/:idd"' is not assignable to type '"rewrite names \\"idd\\", which the match does not have"'
  routes: { r: { match: 'GET /users/:id', service: 'a', rewrite: '/v2/:idd' } },
})

export const rewriteWildcard = defineConfig({
  services,
  // error: TS2322: .*rewrite names \\"\*\\", which the match does not have
  routes: { r: { match: 'GET /users/:id', service: 'a', rewrite: '/v2/*' } },
})

export const unknownBalancer = defineConfig({
  plugins: [balancing()],
  // error: TS2820: Type '"frist"' is not assignable to type .*Did you mean '"first"'
  services: { a: { targets: [], balance: 'frist' } },
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const balancerNobodyProvides = defineConfig({
  // error: TS2322: Type '"first"' is not assignable to type '"roundRobin"'
  services: { a: { targets: [], balance: 'first' } },
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const balancerNeedsOptions = defineConfig({
  plugins: [balancing()],
  // error: TS2322: Type '"ringHash"' is not assignable
  services: { a: { targets: [], balance: 'ringHash' } },
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const connectorNobodyProvides = defineConfig({
  // error: TS2322: Type '"grpc"' is not assignable to type '"no plugin provides a connector: add one to plugins"'
  services: { a: { targets: [], connector: 'grpc' } },
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const unknownConnector = defineConfig({
  plugins: [balancing()],
  // error: TS2322: Type '"gprc"' is not assignable to type '"grpc"
  services: { a: { targets: [], connector: 'gprc' } },
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const unknownMethod = defineConfig({
  services,
  // error: TS2322: Type '"GTE /users"' is not assignable to type '`ANY /\$\{string\}`
  routes: { r: { match: 'GTE /users', service: 'a' } },
})

export const pathWithoutSlash = defineConfig({
  services,
  // error: TS2322: Type '"GET users"' is not assignable
  routes: { r: { match: 'GET users', service: 'a' } },
})

export const slotNobodyWrites = defineConfig({
  // error: TS2375: .*'"\\"rateLimit\\" needs slot \\"jwt.user\\": add the plugin that writes it"'
  plugins: [balancing(), rateLimit()],
  services,
  routes: { r: { match: 'GET /', service: 'a' } },
})

export const requiredPluginUnknown = defineConfig({
  plugins: [jwt({ issuer }), balancing()],
  // error: TS2322: Type '"jtw"' is not assignable to type .*"jwt"
  require: ['jtw'],
  services,
  routes: { r: { match: 'GET /', service: 'a' } },
})

// error: TS2554: Expected 1 arguments, but got 0
export const requiredPluginOption = jwt()

// error: TS2561: .*'isuer' does not exist.*Did you mean to write 'issuer'
export const unknownPluginOption = jwt({ isuer: issuer })

// error: TS2554: Expected 0 arguments, but got 1
export const pluginWithoutOptions = rateLimit({ limit: 1 })

// error: TS2322: Type '"service"' is not assignable to type '"\\"service\\" is a field of a route or service
export const reservedName = definePlugin({ name: 'service' })

// error: TS2322: Type '"onRequest"' is not assignable
export const reservedHook = definePlugin({ name: 'onRequest' })

export const unknownRouteKey = defineConfig({
  services,
  // error: TS2561: .*'servce' does not exist.*Did you mean to write 'service'
  routes: { r: { match: 'GET /', servce: 'a' } },
})

export const twoActions = defineConfig({
  services,
  // error: TS2322: .*Types of property 'reply' are incompatible
  routes: { r: { match: 'GET /', service: 'a', reply: { status: 200 } } },
})

export const noAction = defineConfig({
  services,
  // error: TS2322: .*Property 'reply' is missing
  routes: { r: { match: 'GET /' } },
})

export const wrongDuration = defineConfig({
  services,
  // error: TS2322: Type '"10x"' is not assignable to type .*Duration
  routes: { r: { match: 'GET /', service: 'a', timeout: '10x' } },
})

export const unknownParameter = defineConfig({
  services,
  // error: TS2339: Property 'idd' does not exist on type 'Params<"/users/:id">'
  routes: { r: { match: 'GET /users/:id', service: 'a', onRequest: ctx => void ctx.params.idd } },
})

export const unknownSetting = defineConfig({
  // error: TS2561: .*'lisen' does not exist.*Did you mean to write 'listen'
  lisen: { port: 8080 },
  services,
  routes: {},
})

export const unknownServiceKey = defineConfig({
  // error: TS2561: .*'targetz' does not exist.*Did you mean to write 'targets'
  services: { a: { targetz: [] } },
  routes: {},
})

export const wrongServiceOption = defineConfig({
  plugins: [health()],
  // error: TS2561: .*'pth' does not exist.*Did you mean to write 'path'
  services: { a: { targets: [], health: { pth: '/' } } },
  routes: {},
})

const gateway = defineGateway({ plugins: [jwt({ issuer }), rateLimit()], services })
// error: TS2322: Type '"b"' is not assignable to type '"a"'
export const splitService = gateway.routes({ r: { match: 'GET /', service: 'b' } })
// error: TS2561: .*'limi' does not exist
export const splitOption = gateway.routes({ r: { match: 'GET /', service: 'a', rateLimit: { limi: 1 } } })
// error: TS2322: .*rewrite names
export const splitRewrite = gateway.routes({ r: { match: 'GET /:id', service: 'a', rewrite: '/:x' } })

export const slotValue = definePlugin({
  name: 'slotValue',
  setup: () => ({
    onRoute: () => ({
      onRequest(ctx) {
        // error: TS2739: Type '\{\}' is missing the following properties from type 'User': id, scopes
        ctx.set(user, {})
        // error: TS2322: Type 'string \| undefined' is not assignable to type 'string'
        const name: string = ctx.get(tenant)
        return { status: 200, body: name }
      },
    }),
  }),
})

// error: TS2375: .*'"other"' is not assignable to type '"tenant.name"'
export const otherSlot: typeof tenant = defineSlot<string>()('other')

export const balancerShape = defineExtension({
  point: 'balancer',
  name: 'broken',
  // error: TS2322: .*'number' is not assignable
  create: () => ({ pick: () => 1 }),
})
