// Instances that Consul holds healthy: all of a service, and those of another that have a tag, with an ACL token.
import { defineConfig, env, secret } from '@gateway/core'
import { discovery } from '@gateway/discovery'

const agents = [env.string('CONSUL', { default: 'http://127.0.0.1:8500' })]

export default defineConfig({
  listen: { port: 8080 },
  plugins: [discovery()],
  services: {
    orders: { discover: { use: 'consul', agents } },
    users: { discover: { use: 'consul', agents, service: 'users-api', tags: ['v2'], token: secret('CONSUL_TOKEN') } },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    users: { match: 'ANY /users/*', service: 'users' },
  },
})
