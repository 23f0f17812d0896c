// WebSockets on a port of their own, looked into and kept alive; a room's members stay with its target.
import { balancing } from '@gateway/balancing'
import { defineConfig } from '@gateway/core'
import { websocket } from '@gateway/websocket'

export default defineConfig({
  listen: [{ port: 8080 }, { name: 'websockets', port: 8081, exclusive: true, limits: { headTimeout: '5s' } }],
  plugins: [balancing(), websocket({ maxConnections: 10_000 })],
  services: {
    chat: {
      targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002'],
      balancing: { sticky: { query: 'member' } },
    },
  },
  routes: {
    rooms: { match: 'GET /rooms/:room', service: 'chat' },
    sockets: {
      match: 'GET /rooms/:room',
      listener: 'websockets',
      service: 'chat',
      timeout: { connect: '2s', head: '5s' },
      websocket: {
        only: true,
        origins: ['https://app.example.com'],
        idleTimeout: '10m',
        frames: {
          maxMessageSize: '64kb',
          protocols: ['chat.v2'],
          compression: { client: true, upstream: false },
          pingInterval: '20s',
          pongTimeout: '10s',
        },
      },
    },
  },
})
