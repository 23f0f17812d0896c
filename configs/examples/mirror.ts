// The next version gets copies of what the present one is asked. Nobody waits for it, and nobody sees what it answers.
import { defineConfig } from '@gateway/core'
import { mirror } from '@gateway/traffic'

export default defineConfig({
  listen: { port: 8080, host: '127.0.0.1' },
  plugins: [mirror()],
  services: {
    shop: { targets: ['http://127.0.0.1:3000'] },
    next: { targets: ['http://127.0.0.1:3001'] },
  },
  routes: {
    shop: {
      match: 'ANY /shop/*',
      service: 'shop',
      mirror: { to: 'next', percent: 50, maxBody: '1mb', withhold: ['Authorization', 'Cookie'] },
    },
  },
})
