// On a developer's machine: a web app and its API under one origin, pages that reload themselves, and time for a debugger.
// Run it: gateway dev configs/dev/gateway.ts
import { defineConfig, env } from '@gateway/core'
import { sse } from '@gateway/sse'
import { websocket } from '@gateway/websocket'

export default defineConfig({
  // Nobody else on the network.
  listen: { host: '127.0.0.1', port: env.number('PORT', { default: 8080 }) },
  plugins: [websocket(), sse()],
  services: {
    web: { targets: ['http://127.0.0.1:5173'] },
    api: { targets: ['http://127.0.0.1:3000'] },
  },
  routes: {
    // Whoever stands at a breakpoint.
    api: { match: 'ANY /api/*', stripPrefix: '/api', service: 'api', timeout: { head: '10m' } },
    events: { match: 'GET /api/events', stripPrefix: '/api', service: 'api', sse: true },
    // The server of the web app tells its pages to reload.
    web: { match: 'GET /*', service: 'web', websocket: { origins: '*' } },
  },
})
