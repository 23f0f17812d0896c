// How much a client may send, and how long everybody may take.
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: {
    port: 8080,
    // More is answered with 413.
    limits: { bodySize: '1mb', bodyIdleTimeout: '10s', keepAliveTimeout: '10s', writeIdleTimeout: '20s' },
  },
  timeouts: { connect: '2s', head: '5s' },
  // As in the twin; without this line 504.
  timeoutStatus: 408,
  services: { forms: { targets: ['http://127.0.0.1:3001'], pool: { connections: 50 } } },
  routes: {
    forms: { match: 'POST /forms/*', service: 'forms' },
    pages: { match: 'GET /*', service: 'forms', timeout: '1s' },
  },
})
