// Containers of the engine on this machine, or that DOCKER_HOST names: by label, and of a Compose project, whose containers
// may bring routes along.
import { defineConfig, env } from '@gateway/core'
import { discovery } from '@gateway/discovery'

const host = env.string('DOCKER_HOST', { default: 'unix:///var/run/docker.sock' })

export default defineConfig({
  listen: { port: 8080 },
  plugins: [discovery()],
  services: {
    // docker run --label gateway.service=orders --label gateway.port=3000 …
    orders: { discover: { use: 'docker', host } },
    // In compose.yaml, of the service web: labels: { gateway.port: 3000, gateway.route.match: 'ANY /web/*' }
    web: { discover: { use: 'docker', host, project: 'shop', routes: true } },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    health: { match: 'GET /health', reply: { status: 200, body: 'ok\n' } },
  },
})
