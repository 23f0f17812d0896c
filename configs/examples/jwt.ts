// Tokens of an identity provider; scopes and roles for routes; what the token says goes on as header fields.
import { auth } from '@gateway/auth'
import { defineConfig, env } from '@gateway/core'

const issuer = env.string('ISSUER', { default: 'https://login.example.com/' })

export default defineConfig({
  listen: { port: 8080 },
  // A route without auth would not load.
  require: ['auth'],
  plugins: [
    auth({
      jwt: { issuer, audience: 'api', jwks: new URL('.well-known/jwks.json', issuer).href, algorithms: ['RS256'] },
      forwardHeaders: { 'X-User-Id': 'sub' },
    }),
  ],
  services: { orders: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    list: { match: 'GET /orders', service: 'orders', auth: { scopes: ['orders:read'] } },
    create: { match: 'POST /orders', service: 'orders', auth: { scopes: ['orders:write'] } },
    health: { match: 'GET /health', service: 'orders', auth: false },
  },
})
