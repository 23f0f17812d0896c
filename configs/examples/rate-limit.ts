// Limits by address for everybody, by API key for partners, and by the number of reports under way.
import { defineConfig } from '@gateway/core'
import { rateLimit } from '@gateway/ratelimit'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [rateLimit({ limits: [{ name: 'everybody', limit: 600, window: '1m' }] })],
  services: { api: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    api: { match: 'ANY /api/*', service: 'api' },
    login: { match: 'POST /login', service: 'api', rateLimit: { limit: 5, window: '1m' } },
    partners: {
      match: 'ANY /partners/*',
      service: 'api',
      rateLimit: { limit: 100, window: '1s', burst: 200, by: { header: 'X-Api-Key' } },
    },
    reports: { match: 'POST /reports', service: 'api', rateLimit: { algorithm: 'concurrency', limit: 2 } },
    health: { match: 'GET /health', service: 'api', rateLimit: false },
  },
})
