// A route for each operation of an OpenAPI document, beside routes of the file's own. A save of the document is a reload.
import { defineConfig } from '@gateway/core'
import document from '../openapi/users.json' with { type: 'json' }

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, { operationId }]) => {
    const match = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    return [operationId, { match, service: 'users' }] as const
  }),
)

export default defineConfig({
  listen: { port: 8080 },
  services: { users: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    ...Object.fromEntries(operations),
    health: { match: 'GET /health', service: 'users' },
  },
})
