// A new version for a few: five percent of the clients, who stay with it, and whoever asks for it.
import { defineConfig } from '@gateway/core'
import { split } from '@gateway/traffic'

export default defineConfig({
  listen: { port: 8080, host: '127.0.0.1' },
  plugins: [split()],
  services: {
    shop: { targets: ['http://127.0.0.1:3000'] },
    canary: { targets: ['http://127.0.0.1:3001'] },
  },
  routes: {
    shop: {
      match: 'ANY /shop/*',
      service: 'shop',
      split: {
        when: [
          { header: 'X-Version', equals: 'canary', service: 'canary' },
          { header: 'X-Version', equals: 'stable', service: 'shop' },
        ],
        to: { canary: 5 },
        cookie: { ttl: '30d' },
      },
    },
  },
})
