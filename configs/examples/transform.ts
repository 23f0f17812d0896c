// An old API behind a new face: fields renamed, a query parameter dropped, a password never leaves.
import { defineConfig } from '@gateway/core'
import { transform } from '@gateway/transform'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [transform({ response: { headers: { remove: ['X-Powered-By'] } } })],
  services: { legacy: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    users: {
      match: 'GET /v2/user/:id',
      service: 'legacy',
      stripPrefix: '/v2',
      transform: {
        request: { query: { remove: ['debug'] }, headers: { set: { 'X-Api-Version': '1' } } },
        response: { body: [{ rename: 'user_name', to: 'name' }, { remove: 'password' }] },
      },
    },
    create: {
      match: 'POST /v2/user',
      service: 'legacy',
      stripPrefix: '/v2',
      transform: { request: { body: [{ rename: 'name', to: 'user_name' }] } },
    },
  },
})
