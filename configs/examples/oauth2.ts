// Access tokens of an OpenID provider, which is asked for its keys; what a token has to be good for.
import { auth } from '@gateway/auth'
import { defineConfig, env } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [
    auth({
      jwt: {
        issuer: env.string('ISSUER', { default: 'https://login.example.com/' }),
        discovery: true,
        audience: 'api',
      },
      // Where a browser cannot send Authorization.
      token: { cookie: 'access_token' },
      default: { scopes: ['openid'] },
    }),
  ],
  services: { orders: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    list: { match: 'GET /orders', service: 'orders' },
    create: { match: 'POST /orders', service: 'orders', auth: { scopes: ['openid', 'orders:write'] } },
    about: { match: 'ANY /about', service: 'orders', auth: false },
  },
})
