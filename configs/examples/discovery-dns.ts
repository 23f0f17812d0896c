// The addresses of a name, and what SRV records say, asked of a name server of one's own.
import { defineConfig, env } from '@gateway/core'
import { discovery } from '@gateway/discovery'

const servers = [env.string('NAME_SERVER', { default: '127.0.0.1' })]

export default defineConfig({
  listen: { port: 8080 },
  plugins: [discovery()],
  services: {
    orders: { discover: { use: 'dns', name: 'orders.internal', port: 3000, servers } },
    users: { discover: { use: 'dns', name: '_http._tcp.users.internal', type: 'SRV', servers, maxRefresh: '10s' } },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    users: { match: 'ANY /users/*', service: 'users' },
  },
})
