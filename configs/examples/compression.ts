// All that is text is compressed, and kept once, plain, for a minute; what holds secrets is not.
import { cache } from '@gateway/cache'
import { compression } from '@gateway/compression'
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [compression({ minSize: 10 }), cache()],
  services: { shop: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    pages: { match: 'GET /pages/*', service: 'shop', cache: { ttl: '1m' }, compression: { upstream: 'identity' } },
    account: { match: 'ANY /account/*', service: 'shop', compression: false },
  },
})
