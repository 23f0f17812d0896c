// A client stays with its target: browsers by a cookie that the gateway sets, apps by a field, downloads by a parameter.
import { balancing } from '@gateway/balancing'
import { defineConfig, secret } from '@gateway/core'

const targets = ['http://127.0.0.1:3001', 'http://127.0.0.1:3002', 'http://127.0.0.1:3003']

export default defineConfig({
  listen: { port: 8080 },
  plugins: [balancing({ key: secret('GATEWAY_STICKY_KEY') })],
  services: {
    site: { targets, balancing: { sticky: { cookie: { name: 'SHOP', ttl: '30m' } } } },
    app: { targets, balancing: { sticky: { header: 'X-Cart' } } },
    downloads: { targets, balancing: { sticky: { query: 'cart' } } },
    images: { targets },
  },
  routes: {
    site: { match: 'ANY /site/*', service: 'site' },
    app: { match: 'ANY /app/*', service: 'app' },
    download: { match: 'GET /download/*', service: 'downloads' },
    images: { match: 'ANY /images/*', service: 'images' },
  },
})
