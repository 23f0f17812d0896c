// No more at a time than upstream bears, learned from its latency; exports two at a time, of each tenant one; and while the
// gateway itself is late, the feed goes first and payments never.
import { defineConfig } from '@gateway/core'
import { concurrency, loadShedding } from '@gateway/resilience'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [loadShedding({ maxLag: '100ms' }), concurrency()],
  services: {
    shop: {
      targets: ['http://127.0.0.1:3001'],
      concurrency: { limit: 20, queue: 100, maxWait: '500ms', adaptive: { min: 5, max: 200 } },
    },
    exports: { targets: ['http://127.0.0.1:3002'], concurrency: { limit: 2, queue: 10, maxWait: '10s' } },
  },
  routes: {
    shop: { match: 'ANY /shop/*', service: 'shop' },
    feed: { match: 'GET /feed', service: 'shop', loadShedding: { priority: 'low' } },
    payments: { match: 'POST /payments', service: 'shop', loadShedding: { priority: 'critical' } },
    exports: {
      match: 'GET /exports/:id',
      service: 'exports',
      concurrency: { limit: 1, by: { header: 'X-Tenant' } },
    },
  },
})
