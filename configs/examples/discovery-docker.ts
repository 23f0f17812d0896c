// Containers of the engine on this machine: by label, and of a Compose project, whose containers may bring routes along.
import { defineConfig } from '@gateway/core'
import { discovery } from '@gateway/discovery'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [discovery()],
  services: {
    // docker run --label gateway.service=orders --label gateway.port=3000 …
    orders: { discover: 'docker' },
    // In compose.yaml, of the service web: labels: { gateway.port: 3000, gateway.route.match: 'ANY /web/*' }
    web: { discover: { use: 'docker', project: 'shop', routes: true } },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    health: { match: 'GET /health', reply: { status: 200, body: 'ok\n' } },
  },
})
