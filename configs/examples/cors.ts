// Pages of two origins may call the API, with cookies; fonts are for everybody; the admin pages are for nobody else.
import { defineConfig } from '@gateway/core'
import { cors } from '@gateway/cors'

export default defineConfig({
  listen: { port: 8080 },
  plugins: [
    cors({
      origins: ['https://app.example.com', 'https://*.preview.example.com'],
      credentials: true,
      exposedHeaders: ['X-Total-Count'],
      maxAge: '1h',
    }),
  ],
  services: { api: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    api: { match: 'ANY /api/*', service: 'api' },
    fonts: { match: 'GET /fonts/*', service: 'api', cors: { origins: '*' } },
    admin: { match: 'ANY /admin/*', service: 'api', cors: false },
  },
})
