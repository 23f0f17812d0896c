import type { CertificateModel } from '../config/model.ts'

type Certificates = readonly [CertificateModel, ...CertificateModel[]]

/**
 * For each server name (RFC 6066 section 3) what `make` makes of its certificates, once for each set of them: the first of
 * each key type, between which the client's algorithms decide. Exact names go first, then wildcards, which stand for one
 * label (RFC 9525 section 6.3), then the default.
 */
export function byServerName<T extends object>(
  certificates: Certificates,
  make: (set: readonly CertificateModel[]) => T,
): (serverName: string) => T {
  const sets = new Map<string, CertificateModel[]>()
  for (const certificate of certificates) {
    for (const name of certificate.names) {
      const set = sets.get(name) ?? []
      sets.set(name, set)
      addUnlessTyped(set, certificate)
    }
  }
  const made = new Map<string, T>()
  const madeOf = (set: readonly CertificateModel[]): T => {
    const key = set.map(certificate => certificates.indexOf(certificate)).join()
    const found = made.get(key) ?? make(set)
    made.set(key, found)
    return found
  }
  const fallback = madeOf(defaultCertificates(certificates))
  const found = new Map([...sets].map(([name, set]) => [name, madeOf(set)]))
  return serverName => {
    const name = serverName.toLowerCase()
    const dot = name.indexOf('.')
    return found.get(name) ?? (dot > 0 ? found.get(`*${name.slice(dot)}`) : undefined) ?? fallback
  }
}

/** The first, and for each other key type the first that shares a name with it. */
function defaultCertificates([first, ...others]: Certificates): CertificateModel[] {
  const set = [first]
  for (const other of others) if (other.names.some(name => first.names.includes(name))) addUnlessTyped(set, other)
  return set
}

/** Of each key type a TLS context holds one. */
function addUnlessTyped(set: CertificateModel[], certificate: CertificateModel): void {
  if (set.every(({ keyType }) => keyType !== certificate.keyType)) set.push(certificate)
}
