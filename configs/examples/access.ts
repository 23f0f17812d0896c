// Who may come from where, with what: address lists, sizes, media types, and fields that make browsers careful.
import { access } from '@gateway/access'
import { defineConfig } from '@gateway/core'

export default defineConfig({
  // Only behind these proxies is X-Forwarded-For believed, and with it the client's address.
  listen: { port: 8080, trust: ['10.0.0.0/8'] },
  plugins: [access({ deny: ['192.0.2.0/24'], maxBodySize: '1mb', securityHeaders: true, hideHeaders: ['Server'] })],
  services: { api: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    api: { match: 'ANY /api/*', service: 'api', access: { contentTypes: ['application/json'] } },
    upload: { match: 'POST /files', service: 'api', access: { maxBodySize: '100mb', contentTypes: ['image/*'] } },
    admin: { match: 'ANY /admin/*', service: 'api', access: { allow: ['10.0.0.0/8', 'fd00::/8'] } },
  },
})
