import { join } from 'node:path'
import type { TlsFiles } from './peers.ts'
import { folder, run } from './processes.ts'

let made: Promise<TlsFiles> | undefined

/** A certificate for 127.0.0.1, the same one for everybody. Rejects when there is no openssl to make it. */
export function certificate(): Promise<TlsFiles> {
  made ??= make()
  return made
}

async function make(): Promise<TlsFiles> {
  // HAProxy looks for the key in a file of the certificate's name with `.key` behind it.
  const cert = join(folder, 'server.pem')
  const key = `${cert}.key`
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const { code, output } = await run('openssl', ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert])
  if (code !== 0) throw new Error(`openssl makes no certificate (apt-get install -y openssl): ${output}`)
  return { cert, key }
}
