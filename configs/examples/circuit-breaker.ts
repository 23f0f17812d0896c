// Targets that fail are left alone until they do well again; a report that cannot be had is answered without.
import { defineConfig } from '@gateway/core'
import { circuitBreaker } from '@gateway/resilience'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [circuitBreaker()],
  services: {
    orders: {
      targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'],
      circuitBreaker: { failures: 5, errorRate: 0.5, slowerThan: '2s', openFor: '5s' },
    },
    reports: { targets: ['http://127.0.0.1:3003'] },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    report: {
      match: 'GET /report',
      service: 'reports',
      timeout: { head: '3s' },
      circuitBreaker: {
        failures: 2,
        openFor: '30s',
        fallback: { headers: { 'Content-Type': 'application/json' }, body: '{"report":null}\n' },
      },
    },
  },
})
