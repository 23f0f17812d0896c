// Requests with the same X-Session-Id, cookie `session` or address go to the same target; when one leaves, its own move.
import { balancing } from '@gateway/balancing'
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [balancing()],
  services: {
    thumbnails: {
      targets: ['http://127.0.0.1:3001', 'http://127.0.0.1:3002', 'http://127.0.0.1:3003'],
      balance: { use: 'ringHash', by: [{ header: 'X-Session-Id' }, { cookie: 'session' }, 'ip'] },
    },
  },
  routes: { thumbnails: { match: 'GET /thumbnails/*', service: 'thumbnails' } },
})
