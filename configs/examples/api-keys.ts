// API keys, of which only hashes stand here; `npx gateway-auth-key NAME` makes one. Limits by key.
import { auth } from '@gateway/auth'
import { defineConfig } from '@gateway/core'
import { rateLimit } from '@gateway/ratelimit'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [
    auth({
      apiKeys: {
        keys: {
          // The key is `example-key`.
          shop: { hash: 'c018c41c1afaf2c0b66c64f97d0ee135657b699ad260f299234cd40a5d625e0e', scopes: ['read'] },
        },
      },
    }),
    rateLimit(),
  ],
  services: { api: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    read: {
      match: 'GET /items/*',
      service: 'api',
      auth: { scopes: ['read'] },
      rateLimit: { limit: 10, window: '1s', by: 'apiKey' },
    },
    write: { match: 'POST /items', service: 'api', auth: { scopes: ['write'] } },
  },
})
