import { createPrivateKey, X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type * as z from 'zod'
import { alternativeNames } from '../http1/peer-certificate.ts'
import { readSmallFile, whyUnreadable } from './environment/read-small-file.ts'
import { Secret } from './environment/secret.ts'
import type { ConfigPath, Report } from './issues.ts'
import type { CertificateModel, ListenerTlsModel } from './model.ts'
import type { listenerTls } from './schema.ts'

/** Where PEM text came from, as a message names it. */
interface Pem {
  readonly text: string
  readonly name: string
}

/** What reading a listener's TLS settings needs to know and tells. */
interface Reading {
  readonly files: Set<string>
  readonly report: Report
}

const day = 86_400_000
/** Certificates are renewed after two thirds of their life; the longest-lived ones some weeks before they end. */
const renewalMs = 14 * day

/**
 * Reads the certificates and keys of a listener and tries them, so that whatever is wrong with them is found before the
 * config is taken. Adds the files to `files`, also those that are missing.
 */
export function readTls(
  given: z.output<typeof listenerTls>,
  path: ConfigPath,
  files: Set<string>,
  report: Report,
): ListenerTlsModel | undefined {
  const reading = { files, report }
  const { cert, key, minVersion, maxVersion, ciphers } = given
  const first = readCertificate({ cert, key }, path, reading)
  const others = given.certificates.map((pair, index) =>
    readCertificate(pair, [...path, 'certificates', index], reading),
  )
  const ca =
    given.clientCertificate &&
    readAuthorities(given.clientCertificate.ca, [...path, 'clientCertificate', 'ca'], reading)
  if (minVersion === 'TLSv1.3' && maxVersion === 'TLSv1.2') {
    report({ code: 'CONFIG_TLS_VERSION', message: 'is lower than minVersion', path: [...path, 'maxVersion'] })
    return undefined
  }
  const refused = refusal({ ciphers })
  if (refused !== undefined) {
    const message = `cannot be used by TLS: ${refused}`
    report({ code: 'CONFIG_TLS_CIPHERS', message, path: [...path, 'ciphers'] })
  }
  const certificates = others.filter(other => other !== undefined)
  // What is left out has been reported as an error.
  if (first === undefined || certificates.length < others.length) return undefined
  if (given.clientCertificate !== undefined && ca === undefined) return undefined
  const clientCertificate =
    given.clientCertificate && ca !== undefined ? { ca, mode: given.clientCertificate.mode } : undefined
  return { certificates: [first, ...certificates], minVersion, maxVersion, ciphers, clientCertificate }
}

function readCertificate(
  pair: { cert: string; key: string | Secret },
  path: ConfigPath,
  reading: Reading,
): CertificateModel | undefined {
  const cert = readPem(pair.cert, [...path, 'cert'], reading)
  const key = readPem(pair.key, [...path, 'key'], reading)
  const report = (message: string, at: 'cert' | 'key', code = 'CONFIG_CERTIFICATE', hint?: string) =>
    reading.report({ code, message, path: [...path, at], ...(hint === undefined ? {} : { hint }) })
  if (cert === undefined || key === undefined) return undefined
  const x509 = attempt(() => new X509Certificate(cert.text))
  if (x509 === undefined) return void report(`${cert.name} holds no certificate that can be read (PEM)`, 'cert')
  const privateKey = attempt(() => createPrivateKey(key.text))
  if (privateKey === undefined) {
    const encrypted = /-----BEGIN ENCRYPTED |^Proc-Type:.*ENCRYPTED/m.test(key.text)
    const what = encrypted
      ? 'holds an encrypted key: it has to be a plain one'
      : 'holds no private key that can be read (PEM)'
    return void report(`${key.name} ${what}`, 'key')
  }
  if (!x509.checkPrivateKey(privateKey)) {
    return void report(`${key.name} is not the key of the certificate in ${cert.name}`, 'key')
  }
  const refused = refusal({ cert: cert.text, key: key.text })
  if (refused !== undefined) return void report(`${cert.name} cannot be used by TLS: ${refused}`, 'cert')
  if (!checkDates(x509, cert.name, [...path, 'cert'], reading.report)) return undefined
  const names = alternativeNames(x509)
    .filter(name => name.startsWith('DNS:'))
    .map(name => name.slice(4).toLowerCase())
  return { cert: cert.text, key: key.text, names, keyType: x509.publicKey.asymmetricKeyType ?? '' }
}

function checkDates(x509: X509Certificate, name: string, path: ConfigPath, report: Report): boolean {
  const now = Date.now()
  const from = x509.validFromDate.getTime()
  const to = x509.validToDate.getTime()
  const date = (time: number) => new Date(time).toISOString().slice(0, 10)
  if (to <= now) {
    report({ code: 'CONFIG_CERTIFICATE_EXPIRED', message: `the certificate in ${name} expired on ${date(to)}`, path })
    return false
  }
  if (to - now < Math.min(renewalMs, (to - from) / 3)) {
    const message = `the certificate in ${name} expires on ${date(to)}`
    report({ severity: 'warning', code: 'CONFIG_CERTIFICATE_EXPIRES', message, path })
  }
  if (from > now) {
    const message = `the certificate in ${name} is not valid before ${date(from)}`
    report({ severity: 'warning', code: 'CONFIG_CERTIFICATE_NOT_YET_VALID', message, path })
  }
  return true
}

function readAuthorities(value: string, path: ConfigPath, reading: Reading): string | undefined {
  const pem = readPem(value, path, reading)
  if (pem === undefined) return undefined
  const blocks = pem.text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  // OpenSSL takes those that it can read and says nothing about the rest.
  if (blocks.length > 0 && blocks.every(block => attempt(() => new X509Certificate(block)) !== undefined))
    return pem.text
  reading.report({
    code: 'CONFIG_CERTIFICATE',
    message: `${pem.name} holds no certificates that can be read (PEM)`,
    path,
  })
}

/** Beyond this it is no PEM file that anybody meant. */
const maxPemBytes = 4 * 1024 * 1024

function readPem(value: string | Secret, path: ConfigPath, { files, report }: Reading): Pem | undefined {
  if (value instanceof Secret) return { text: value.value, name: String(value) }
  if (value.includes('-----BEGIN ')) return { text: value, name: 'the text' }
  if (noPath.test(value)) {
    const message = `is neither PEM text nor the path of a PEM file: a string of ${value.length} characters`
    return void report({ code: 'CONFIG_CERTIFICATE', message, path })
  }
  const file = resolve(value)
  files.add(file)
  try {
    return { text: readSmallFile(file, maxPemBytes).toString(), name: value }
  } catch (error) {
    report({ code: 'CONFIG_CERTIFICATE', message: `cannot read ${value}: ${whyUnreadable(error)}`, path })
  }
}

/** What looks like key material that lost its frame must not be shown as the path of a file that is not there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: no path has one
const noPath = /[\0-\x1f]|^[A-Za-z0-9+/=]{64,}$|^.{1024}/s

/** Why OpenSSL does not take these settings; undefined when it does. */
function refusal(settings: { cert?: string; key?: string; ciphers?: string | undefined }): string | undefined {
  try {
    createSecureContext(settings)
  } catch (error) {
    if (!(error instanceof Error)) return String(error)
    return 'reason' in error ? String(error.reason) : error.message
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
