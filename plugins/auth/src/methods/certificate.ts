import type { ClientCertificate } from '@gateway/core'
import type { CertificateOptions } from '../options.ts'
import { type Method, type MethodHost, Refusal } from '../verdict.ts'

/** The certificate with which a client made its connection: the listener has verified it, here is said who that is. */
export function certificateMethod(host: MethodHost, { id: kind, allow, scopes }: CertificateOptions): Method {
  const isAllowed = allow === undefined ? () => true : matcher(allow)
  return {
    name: 'certificate',
    scheme: 'Certificate',
    find: ctx => ctx.client.certificate?.fingerprint256,
    verify(_fingerprint, { client: { certificate } }) {
      if (certificate === undefined) return new Refusal(401, 'there is no certificate')
      const expiresAt = certificate.validTo.getTime()
      // A connection may outlive what it was made with.
      if (host.clock.now() >= expiresAt) return new Refusal(401, 'the certificate has expired')
      const id = idOf(certificate, kind)
      if (id === undefined) return new Refusal(401, `the certificate has no ${kind}`)
      if (!isAllowed(id)) return new Refusal(403, `the certificate's ${kind} "${id}" is not allowed`)
      const { subject, issuer, subjectAltName, fingerprint256, serialNumber } = certificate
      const claims = { sub: id, subject, issuer, subjectAltName, fingerprint256, serialNumber }
      return { id, method: 'certificate', scopes, roles: [], claims, expiresAt }
    },
  }
}

const prefixes = { dns: 'DNS:', email: 'email:', uri: 'URI:' } as const

function idOf(certificate: ClientCertificate, kind: CertificateOptions['id']): string | undefined {
  if (kind === 'subject') return certificate.subject || undefined
  if (kind === 'fingerprint') return certificate.fingerprint256
  if (kind === 'commonName') return commonName(certificate.subject)
  const prefix = prefixes[kind]
  return certificate.subjectAltName.find(name => name.startsWith(prefix))?.slice(prefix.length)
}

/** Of a name as RFC 4514 writes it, where a comma or plus that belongs to a value is escaped. */
export function commonName(subject: string): string | undefined {
  const parts = subject.match(/(?:\\.|[^,+\\])+/g) ?? []
  const value = parts.find(part => part.startsWith('CN='))?.slice('CN='.length)
  if (value === undefined) return undefined
  const bytes = value.replace(
    /\\([0-9A-Fa-f]{2})|\\(.)|([^\\])/gsu,
    (_, hex?: string, escaped?: string, plain?: string) =>
      hex === undefined
        ? Buffer.from(escaped ?? plain ?? '').toString('latin1')
        : String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString() || undefined
}

function matcher(patterns: readonly string[]): (id: string) => boolean {
  const exact = new Set(patterns.filter(pattern => !pattern.endsWith('*')))
  const starts = patterns.filter(pattern => pattern.endsWith('*')).map(pattern => pattern.slice(0, -1))
  return id => exact.has(id) || starts.some(start => id.startsWith(start))
}
