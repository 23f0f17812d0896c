import { defineConfig } from '@gateway/core'
import { sse } from '@gateway/sse'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [sse()],
  services: { metrics: { targets: ['http://127.0.0.1:3010'] } },
  routes: {
    page: { match: 'GET /', service: 'metrics' },
    // Ten browsers and ten tabs of each: one stream from the server. Should that restart, none of them notices.
    events: {
      match: 'GET /events',
      service: 'metrics',
      sse: { heartbeat: '10s', reconnect: { attempts: 20 }, share: true, replay: { events: 120 } },
    },
  },
})
