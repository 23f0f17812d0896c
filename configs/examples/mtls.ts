// Certificates on both sides: only clients with one of our authority get in, and the gateway shows one of its own upstream.
import { readFileSync } from 'node:fs'
import { defineConfig, env, secret } from '@gateway/core'

const certs = env.string('CERTS', { default: 'certs' })

export default defineConfig({
  listen: {
    port: 8443,
    tls: {
      cert: `${certs}/server.crt`,
      key: `${certs}/server.key`,
      clientCertificate: { ca: `${certs}/clients-ca.crt`, mode: 'require' },
    },
  },
  services: {
    ledger: {
      targets: ['https://127.0.0.1:9443'],
      tls: {
        ca: readFileSync(`${certs}/upstreams-ca.crt`, 'utf8'),
        cert: readFileSync(`${certs}/gateway.crt`, 'utf8'),
        key: secret.file(`${certs}/gateway.key`),
        // The name in its certificate.
        serverName: 'ledger.internal',
        minVersion: 'TLSv1.3',
      },
    },
  },
  routes: { ledger: { match: 'ANY /ledger/*', service: 'ledger' } },
})
