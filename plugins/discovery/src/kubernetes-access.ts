import { join } from 'node:path'
import { reasonOf } from './define-provider.ts'
import { inUrl } from './in-url.ts'
import { type Access, readKubeconfig } from './kubeconfig.ts'
import { readSmall } from './read-small.ts'

export interface Place {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  /** Where a pod has what its service account needs. */
  readonly serviceAccount: string
}

/** Read anew for every connection, since certificates and tokens are replaced while one runs. @throws when something lacks. */
export function readAccess({ kubeconfig, context, serviceAccount }: Place): Access {
  if (kubeconfig === undefined) return readServiceAccount(serviceAccount)
  try {
    return readKubeconfig(kubeconfig, context)
  } catch (error) {
    throw new Error(`${kubeconfig}: ${reasonOf(error)}`)
  }
}

function readServiceAccount(folder: string): Access {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (!host) throw new Error('KUBERNETES_SERVICE_HOST is not set: outside of a cluster, name a kubeconfig')
  return {
    server: `https://${inUrl(host)}:${port}`,
    tls: { ca: readSmall(join(folder, 'ca.crt')) },
    namespace: readSmall(join(folder, 'namespace')).trim(),
    token: () => readSmall(join(folder, 'token')).trim(),
  }
}
