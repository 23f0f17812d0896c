// Roles: who may read, and who may change as well. A permission is a path and read, create, update or delete.
import { auth } from '@gateway/auth'
import { defineConfig } from '@gateway/core'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [
    auth({
      apiKeys: {
        keys: {
          // The keys are `ada-example-key` and `bob-example-key`.
          ada: { hash: '1d3a173f1d8f459d7024239c9c6ab1019d333bfadb8c8a7874eb15f6875f05b7' },
          bob: { hash: 'ee4200402badd92c9f4ab4b3eaca00df8d00c49c574e0b22b2c92aad75d15ec6' },
        },
      },
      rbac: {
        requests: 'enforce',
        roles: {
          reader: { permissions: ['/items/*:read'] },
          clerk: { permissions: ['/items/*:update', '/orders/*:*'], inherits: ['reader'] },
        },
        bindings: { ada: ['clerk'], bob: ['reader'] },
      },
    }),
  ],
  services: { shop: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    items: { match: 'ANY /items/*', service: 'shop' },
    orders: { match: 'ANY /orders/*', service: 'shop' },
    about: { match: 'ANY /about', service: 'shop', auth: false },
  },
})
