// One path for both: who accepts event streams gets one, opened again when the target breaks it off; all others a page.
import { defineConfig } from '@gateway/core'
import { sse } from '@gateway/sse'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [sse()],
  services: { news: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    news: { match: 'GET /news', service: 'news', timeout: '5s' },
    events: {
      match: 'GET /news',
      headers: { accept: /(^|, *)text\/event-stream *([;,]|$)/i },
      service: 'news',
      timeout: { connect: '2s' },
      sse: { heartbeat: '20s', idleTimeout: 0, maxConnections: 5000, reconnect: { attempts: 5, delay: '1s' } },
    },
    post: { match: 'POST /news', service: 'news' },
  },
})
