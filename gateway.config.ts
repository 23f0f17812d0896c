// What `npm start` runs. Save it while the gateway runs, and the change is live.
import { access } from '@gateway/access'
import { defineConfig } from '@gateway/core'
import { rateLimit } from '@gateway/ratelimit'
import { servedBy } from './examples/basic/served-by.ts'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [access({ securityHeaders: true }), rateLimit({ limits: [{ limit: 600, window: '1m' }] }), servedBy()],
  services: {
    example: { targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'] },
  },
  routes: {
    example: {
      match: 'ANY /api/example/*',
      service: 'example',
      rewrite: '/*',
      timeout: '10s',
      servedBy: { header: 'X-Served-By' },
    },
    old: { match: 'GET /old', redirect: '/api/example/hello' },
    health: { match: 'GET /health', reply: { status: 200, body: 'ok\n' } },
  },
})
