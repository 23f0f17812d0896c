// Two versions of an API by a field of the request; clients of the old one are told when it ends.
import { defineConfig } from '@gateway/core'

const append = { Vary: 'X-API-Version' }
// RFC 9745 and RFC 8594.
const old = { Deprecation: '@1767225600', Sunset: 'Wed, 30 Jun 2027 00:00:00 GMT' }

export default defineConfig({
  listen: { port: 8080 },
  services: {
    users1: { targets: ['http://127.0.0.1:3001'] },
    users2: { targets: ['http://127.0.0.1:3002'] },
  },
  routes: {
    users: {
      match: 'ANY /users/*',
      service: 'users2',
      responseHeaders: { set: { 'X-API-Version': '2' }, append },
    },
    oldUsers: {
      match: 'ANY /users/*',
      headers: { 'X-API-Version': '1' },
      service: 'users1',
      responseHeaders: { set: { 'X-API-Version': '1', ...old }, append },
    },
  },
})
