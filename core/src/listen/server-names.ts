import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { CertificateModel } from '../config/model.ts'

/**
 * The certificates of the default context: the first, and for each other key type the first one that shares a name with
 * it. The client's algorithms decide between them.
 */
export function defaultCertificates([first, ...others]: readonly [
  CertificateModel,
  ...CertificateModel[],
]): CertificateModel[] {
  const chosen = [first]
  for (const other of others) {
    const shares = other.names.some(name => first.names.includes(name))
    if (shares && chosen.every(({ keyType }) => keyType !== other.keyType)) chosen.push(other)
  }
  return chosen
}

/**
 * Finds the context for a server name (RFC 6066 section 3): exact names first, then wildcards, which stand for one label
 * (RFC 9525 section 6.3); of two certificates for one name the first. Undefined stands for the default context, which is
 * the only one that can hold certificates of several types: of any other Node takes one.
 *
 * Never throws, whatever the name: what a client says there must not end the process.
 */
export function contextsByName(
  certificates: readonly CertificateModel[],
  defaults: readonly CertificateModel[],
  options: SecureContextOptions,
): (serverName: string) => SecureContext | undefined {
  const contexts = new Map<string, SecureContext | undefined>()
  for (const { names, cert, key } of certificates) {
    const free = names.filter(name => !contexts.has(name))
    const ofDefault = free.filter(name => defaults.every(other => other.names.includes(name)))
    for (const name of ofDefault) contexts.set(name, undefined)
    if (ofDefault.length === free.length) continue
    const context = createSecureContext({ ...options, cert, key })
    for (const name of free) if (!contexts.has(name)) contexts.set(name, context)
  }
  return serverName => {
    const name = serverName.toLowerCase()
    if (contexts.has(name)) return contexts.get(name)
    const dot = name.indexOf('.')
    return dot > 0 ? contexts.get(`*${name.slice(dot)}`) : undefined
  }
}
