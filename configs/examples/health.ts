// Keeps requests from targets that are down or slow, and chooses well among the others.
import { balancing } from '@gateway/balancing'
import { defineConfig } from '@gateway/core'
import { health } from '@gateway/health'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [health(), balancing()],
  services: {
    api: {
      targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'],
      balance: 'leastRequests',
      health: { path: '/healthz', interval: '5s', passive: { failures: 3, latency: { factor: 4 } } },
    },
    // The second place takes over while the first is out; gRPC's own health protocol is asked.
    carts: {
      targets: [
        { url: 'http://127.0.0.1:4001' },
        { url: 'http://127.0.0.1:4002' },
        { url: 'http://127.0.0.1:4101', priority: 1 },
      ],
      protocol: 'http2',
      balance: { use: 'ringHash', by: [{ header: 'X-Session-Id' }, 'ip'], bound: 1.25 },
      balancing: { slowStart: '30s' },
      health: { grpc: 'shop.Carts' },
    },
  },
  routes: {
    api: { match: 'ANY /api/*', service: 'api' },
    carts: { match: 'ANY /carts/*', service: 'carts' },
    ready: { match: 'GET /ready', reply: { status: 200 }, health: { endpoint: 'ready' } },
    live: { match: 'GET /live', reply: { status: 200 }, health: { endpoint: 'live' } },
  },
})
