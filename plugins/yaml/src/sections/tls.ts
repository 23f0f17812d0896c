import { accessSync, constants } from 'node:fs'
import type { Builder } from '../build/builder.ts'
import { call, type Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, node, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { cipherName } from './cipher-names.ts'

const versions = ['1.0', '1.1', '1.2', '1.3'] as const

export const tlsTable = table({
  enabled: flag({ says: 'Speak TLS on this port.', default: false }),
  certFile: text({ says: 'Path of the certificate, PEM.' }),
  keyFile: text({ says: 'Path of its key, PEM.' }),
  minVersion: text({ says: 'The oldest version of TLS; none before 1.2 is spoken.', default: '1.2', oneOf: versions }),
  maxVersion: text({ says: 'The newest version of TLS.', default: '1.3', oneOf: versions }),
  cipherSuites: texts({ says: 'Suites of TLS 1.2 and older, by their IANA names or numbers.' }),
  preferServerCipher: flag({ noEffect: 'the order of the suites is the one given', quiet: true }),
  clientAuth: text({
    says: 'Whether clients have to show certificates.',
    default: 'none',
    oneOf: ['none', 'request', 'require', 'verify'],
  }),
  clientCAFile: text({ says: 'Path of the authorities that client certificates are verified by, PEM.' }),
})

/** The `tls` of a listener. */
export function listenerTls(tls: GivenOf<typeof tlsTable>, gateway: Builder): Input {
  const { problems } = gateway
  for (const key of ['certFile', 'keyFile'] as const) {
    if (tls[key] !== undefined) continue
    problems.error(tls[node], `is enabled and has no "${key}"`, { code: 'CONFIG_MISSING_KEY' })
  }
  const suites = tls.cipherSuites?.value.map(suite => {
    const name = cipherName(suite)
    if (name === undefined && tls.cipherSuites)
      problems.error(tls.cipherSuites, `holds an unknown cipher suite "${suite}"`)
    return name
  })
  return {
    cert: tls.certFile,
    key: tls.keyFile,
    minVersion: tls.minVersion && tlsVersion(tls.minVersion, gateway),
    maxVersion: tls.maxVersion && tlsVersion(tls.maxVersion, gateway),
    ciphers: tls.cipherSuites?.map(() => suites?.join(':') ?? ''),
    clientCertificate: clientCertificate(tls, gateway),
  }
}

function clientCertificate({ clientAuth, clientCAFile }: GivenOf<typeof tlsTable>, { problems }: Builder): Input {
  if (clientAuth === undefined || clientAuth.value === 'none') return undefined
  if (clientCAFile === undefined) {
    problems.error(clientAuth, 'needs "clientCAFile": the authorities that certificates are verified by')
    return undefined
  }
  return { ca: clientCAFile, mode: clientAuth.map(mode => (mode === 'request' ? 'optional' : 'require')) }
}

function tlsVersion(given: Given<string>, { problems }: Builder): Given<string> {
  if (given.value < '1.2') problems.warning(given, `asks for TLS ${given.value}, which is not spoken: it is 1.2 here`)
  return given.map(version => (version === '1.3' ? 'TLSv1.3' : 'TLSv1.2'))
}

export const backendTlsTable = table({
  enabled: flag({ says: 'Whether this block holds.', default: false }),
  insecureSkipVerify: flag({ says: 'Not to verify certificates of upstreams.', default: false }),
  serverName: text({ says: 'The name that certificates of upstreams are verified for, and sent as SNI.' }),
  clientCertFile: text({ says: 'Path of the certificate shown to upstreams, PEM.' }),
  clientKeyFile: text({ says: 'Path of its key, PEM.' }),
  rootCAFile: text({ says: 'Path of the authorities that upstreams are verified by, PEM.' }),
  certFile: text({ says: 'Another name of clientCertFile.' }),
  keyFile: text({ says: 'Another name of clientKeyFile.' }),
  caFile: text({ says: 'Another name of rootCAFile.' }),
  minVersion: text({ says: 'The oldest version of TLS; none before 1.2 is spoken.', default: '1.2', oneOf: versions }),
  maxVersion: text({ oneOf: versions, noEffect: 'the newest version that both sides speak is taken', quiet: true }),
  cipherSuites: texts({ noEffect: "OpenSSL's choice is taken", quiet: true }),
  preferServerCipher: flag({ noEffect: 'upstreams choose', quiet: true }),
  renegotiation: flag({ noEffect: 'TLS connections are not renegotiated' }),
})

/** The `tls` of a service. Its files are read when the config is loaded. */
export function backendTls(tls: GivenOf<typeof backendTlsTable>, gateway: Builder): Input {
  const key = tls.clientKeyFile ?? tls.keyFile
  return {
    ca: contentOf(tls.rootCAFile ?? tls.caFile, gateway),
    cert: contentOf(tls.clientCertFile ?? tls.certFile, gateway),
    key: key && call('@gateway/core', 'secret.file', [key], key.node),
    serverName: tls.serverName,
    minVersion: tls.minVersion && tlsVersion(tls.minVersion, gateway),
    verify: tls.insecureSkipVerify?.value ? tls.insecureSkipVerify.map(() => false) : undefined,
  }
}

/** The text of a file, read when the config is loaded. */
export function contentOf(path: Given<string> | undefined, { problems }: Builder): Input {
  if (path === undefined) return undefined
  try {
    accessSync(path.value, constants.R_OK)
  } catch {
    problems.error(path, `cannot be read: ${path.value}`)
    return undefined
  }
  return call('node:fs', 'readFileSync', [path, 'utf8'], path.node)
}
