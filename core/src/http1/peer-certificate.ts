import type { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../contract/context.ts'

/** A certificate as plugins see it. */
export function describeCertificate(certificate: X509Certificate): ClientCertificate {
  return {
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    subjectAltName: alternativeNames(certificate),
    fingerprint256: certificate.fingerprint256,
    serialNumber: certificate.serialNumber,
    validTo: certificate.validToDate,
  }
}

/** Entries of subjectAltName with their kind: `DNS:a.example`, `URI:spiffe://a/b`, `IP Address:10.0.0.1`. */
export function alternativeNames({ subjectAltName }: X509Certificate): string[] {
  // Node writes an entry that holds a comma or a quote as a JSON string, so that none can pass for several.
  const entries = subjectAltName?.matchAll(/(?:^|, )([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)/g) ?? []
  return Array.from(entries, ([, kind = '', value = '']) => `${kind}:${value.startsWith('"') ? unquote(value) : value}`)
}

function unquote(text: string): string {
  const value: unknown = JSON.parse(text)
  return typeof value === 'string' ? value : text
}

/**
 * RFC 4514: the most specific part first. Node gives one part a line, in the certificate's order, its values escaped as
 * RFC 2253 asks, so that neither a line break nor a bare plus sign is part of one.
 */
function distinguishedName(lines: string | undefined): string {
  return (lines ?? '').split('\n').reverse().join(',').replaceAll(' + ', '+')
}
