// Event streams: everybody's own, and a ticker that all clients read over one stream from the server, whoever they are.
import { defineConfig } from '@gateway/core'
import { sse } from '@gateway/sse'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [sse()],
  services: { events: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    mine: { match: 'GET /me/events', service: 'events', sse: { idleTimeout: '1m', reconnect: true } },
    ticker: {
      match: 'GET /ticker',
      service: 'events',
      sse: {
        share: { vary: [], slowClients: 'skip' },
        replay: { events: 500, maxAge: '2m' },
        reconnect: { attempts: 20 },
      },
    },
  },
})
