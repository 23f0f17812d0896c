// A shop: items as long as the upstream says, prices for ten seconds and through an outage, one request for all who ask at once.
import { cache } from '@gateway/cache'
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [cache({ maxSize: '64mb' })],
  services: { shop: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    // What POST changes is forgotten.
    items: { match: 'ANY /items/*', service: 'shop', cache: true },
    prices: {
      match: 'GET /prices',
      service: 'shop',
      cache: {
        ttl: '10s',
        staleWhileRevalidate: '1m',
        staleIfError: '1h',
        coalesce: true,
        key: { query: ['currency'] },
      },
    },
  },
})
