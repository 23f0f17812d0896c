// Live updates pass as they are, from pages of the same host; chat messages are looked into, and nobody stays for ever.
import { defineConfig } from '@gateway/core'
import { websocket } from '@gateway/websocket'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [websocket({ maxConnections: 10_000, maxConnectionsPerClient: 50 })],
  services: { app: { targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'] } },
  routes: {
    // A route for both: pages ask, and then listen.
    live: { match: 'GET /live', service: 'app', websocket: true },
    chat: {
      match: 'GET /chat/:room',
      service: 'app',
      websocket: {
        only: true,
        origins: ['https://app.example.com', 'https://*.preview.example.com'],
        idleTimeout: '10m',
        maxAge: '12h',
        frames: { maxMessageSize: '16kb', messagesPerSecond: 20, protocols: ['chat.v2'], compression: true },
      },
    },
  },
})
