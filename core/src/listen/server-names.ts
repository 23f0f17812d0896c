import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { CertificateModel } from '../config/model.ts'

/**
 * Makes TLS contexts of certificates and finds the one for a server name (RFC 6066 section 3): exact names first, then
 * wildcards, which stand for one label (RFC 9525 section 6.3). Certificates of different key types for one name share a
 * context, and the client's algorithms decide; of two of one type the first counts.
 *
 * Never throws, whatever the name: what a client says there must not end the process.
 */
export function contextsByName(
  certificates: readonly CertificateModel[],
  options: SecureContextOptions,
): (serverName: string) => SecureContext | undefined {
  const byName = new Map<string, CertificateModel[]>()
  for (const certificate of certificates) {
    for (const name of certificate.names) {
      const sharing = byName.get(name) ?? []
      if (sharing.some(({ keyType }) => keyType === certificate.keyType)) continue
      byName.set(name, [...sharing, certificate])
    }
  }
  const made = new Map<string, SecureContext>()
  const contexts = new Map<string, SecureContext>()
  for (const [name, sharing] of byName) {
    const key = sharing.map(certificate => certificates.indexOf(certificate)).join()
    const context =
      made.get(key) ??
      createSecureContext({ ...options, cert: sharing.map(({ cert }) => cert), key: sharing.map(({ key }) => key) })
    made.set(key, context)
    contexts.set(name, context)
  }
  return serverName => {
    const name = serverName.toLowerCase()
    return contexts.get(name) ?? contexts.get(`*${name.slice(name.indexOf('.'))}`)
  }
}
