// A gateway in front of one service of two instances: the twin of gateway.yaml. Run it: gateway start configs/base/gateway.ts
import { balancing } from '@gateway/balancing'
import { defineConfig, env } from '@gateway/core'

const targets = [{ url: 'http://127.0.0.1:3000', weight: 2 }, 'http://127.0.0.1:3001']
const pool = { idleTimeout: '90s' } as const

export default defineConfig({
  listen: {
    port: env.number('PORT', { default: 8080 }),
    limits: { bodySize: '1mb', bodyIdleTimeout: '30s', keepAliveTimeout: '30s', writeIdleTimeout: '30s' },
  },
  timeouts: { connect: '2s', head: '10s' },
  plugins: [balancing()],
  services: {
    shop: { targets, pool },
    orders: { targets, pool, balance: 'leastRequests' },
  },
  routes: {
    orders: { match: 'ANY /api/orders/*', methods: ['GET', 'POST'], service: 'orders', timeout: { total: '5s' } },
    order: { match: 'GET /api/orders/:id', service: 'shop', timeout: { total: '2s' } },
    site: { match: 'ANY /*', service: 'shop' },
  },
})
