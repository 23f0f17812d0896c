// Which request goes where: the most specific path wins, methods tell apart, a prefix stays behind.
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  services: {
    users: { targets: ['http://127.0.0.1:3001'] },
    reports: { targets: ['http://127.0.0.1:3002'] },
    site: { targets: ['http://127.0.0.1:3003'] },
  },
  routes: {
    users: { match: 'ANY /api/users', methods: ['GET', 'POST'], service: 'users' },
    user: { match: 'ANY /api/users/*', methods: ['GET', 'POST'], service: 'users' },
    report: { match: 'GET /api/users/:id/report', service: 'reports', timeout: '60s' },
    oldReports: { match: 'ANY /v1/reports/*', stripPrefix: '/v1', service: 'reports' },
    site: { match: 'GET /*', service: 'site' },
  },
})
