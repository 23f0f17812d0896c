// HTTPS for clients, HTTP/2 included, and WebSockets over TLS on a port of their own.
import { defineConfig, env } from '@gateway/core'
import { websocket } from '@gateway/websocket'

const certs = env.string('CERTS', { default: 'certs' })
const certificate = { cert: `${certs}/server.crt`, key: `${certs}/server.key` }

export default defineConfig({
  listen: [
    {
      port: 8443,
      tls: {
        ...certificate,
        minVersion: 'TLSv1.2',
        ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
      },
    },
    { name: 'websockets', port: 8444, exclusive: true, tls: { ...certificate, minVersion: 'TLSv1.3' } },
  ],
  plugins: [websocket()],
  services: { shop: { targets: ['http://127.0.0.1:3001'] } },
  routes: {
    shop: { match: 'ANY /*', service: 'shop' },
    live: { match: 'GET /*', listener: 'websockets', service: 'shop', websocket: { only: true, origins: '*' } },
  },
})
