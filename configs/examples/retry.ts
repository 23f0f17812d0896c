import { defineConfig } from '@gateway/core'
import { health } from '@gateway/health'
import { deadline, retry } from '@gateway/resilience'

/** Two targets, of which one may die, and upstreams that know how much time they have. */
export default defineConfig({
  plugins: [health(), retry({ attempts: 3 }), deadline()],
  services: {
    shop: {
      targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'],
      // Of a target that fails at three requests in a row others are not sent any for a while.
      health: { tcp: true, passive: { failures: 3 } },
    },
  },
  routes: {
    shop: {
      match: 'ANY /shop/*',
      service: 'shop',
      timeout: { total: '10s' },
      retry: { perTryTimeout: '2s' },
      deadline: {},
    },
    // A second request to the other target, where the first is slower than nineteen of twenty.
    search: { match: 'GET /search', service: 'shop', retry: { hedge: { after: 'p95' } } },
    // Not safe to send twice but where the upstream knows a request again by its key.
    orders: {
      match: 'POST /orders',
      service: 'shop',
      headers: { 'idempotency-key': true },
      retry: { methods: ['POST'] },
    },
  },
})
