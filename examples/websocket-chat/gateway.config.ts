import { defineConfig, env } from '@gateway/core'
import { websocket } from '@gateway/websocket'

export default defineConfig({
  listen: { port: env.number('PORT', { default: 8080 }) },
  plugins: [websocket({ maxConnections: 1_000, maxConnectionsPerClient: 20 })],
  services: { chat: { targets: [env.url('CHAT_URL', { default: 'http://127.0.0.1:3001' })] } },
  routes: {
    page: { match: 'GET /', service: 'chat' },
    chat: {
      match: 'GET /chat',
      service: 'chat',
      websocket: {
        only: true,
        idleTimeout: '10m',
        frames: {
          maxMessageSize: '4kb',
          messagesPerSecond: 10,
          // Nobody needs to hear nothing.
          onMessage: ({ data }) => (data.length === 0 ? false : undefined),
        },
      },
    },
  },
})
