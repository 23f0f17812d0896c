import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import type { Tls } from './http-api.ts'
import { readSmall } from './read-small.ts'

/** How the API of a cluster is reached, and as whom. */
export interface Access {
  readonly server: string
  readonly tls: Tls
  /** In whose objects one looks who does not say. */
  readonly namespace: string
  /** To be asked for each call, since what is in its file is replaced every now and then. */
  token(): string | undefined
}

const text = z.string().optional()

const content = z.object({
  'current-context': text,
  contexts: z.array(
    z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: text, namespace: text }) }),
  ),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.looseObject({
        server: z.url({ protocol: /^https?$/ }),
        'certificate-authority': text,
        'certificate-authority-data': text,
        'insecure-skip-tls-verify': z.boolean().optional(),
        'tls-server-name': text,
      }),
    }),
  ),
  users: z
    .array(
      z.object({
        name: z.string(),
        user: z.looseObject({
          token: text,
          tokenFile: text,
          'client-certificate': text,
          'client-certificate-data': text,
          'client-key': text,
          'client-key-data': text,
        }),
      }),
    )
    .default([]),
})

/** What would be run, or change who one is or where one goes: to pass over it would be to act as somebody else. */
const unsupported = {
  cluster: ['proxy-url'],
  user: ['exec', 'auth-provider', 'username', 'password', 'as', 'as-uid', 'as-groups', 'as-user-extra'],
}

/** What a context of a kubeconfig says, the current one unless another is named. @throws when it cannot be used, and why. */
export function readKubeconfig(path: string, name: string | undefined): Access {
  // Its errors would show the line, and that may be a token's.
  const result = content.safeParse(parse(readSmall(path), { prettyErrors: false }))
  if (!result.success) {
    const [issue] = result.error.issues
    throw new Error([...(issue?.path ?? []), issue?.message].join(' '))
  }
  const wanted = name ?? result.data['current-context']
  if (wanted === undefined) throw new Error('it has no current-context: say which by "context"')
  const { context } = pick(result.data.contexts, 'context', wanted)
  const { cluster } = pick(result.data.clusters, 'cluster', context.cluster)
  const { user } = context.user === undefined ? { user: {} } : pick(result.data.users, 'user', context.user)
  refuse(cluster, unsupported.cluster, `cluster "${context.cluster}"`)
  refuse(user, unsupported.user, `user "${context.user}"`)

  // Data go before files, as they do for kubectl.
  const pem = (from: object, key: string): string | undefined => {
    const [data, file] = [textAt(from, `${key}-data`), textAt(from, key)]
    if (data !== undefined) return Buffer.from(data, 'base64').toString()
    return file === undefined ? undefined : readSmall(resolve(dirname(path), file))
  }
  const tokenFile = textAt(user, 'tokenFile')
  return {
    server: cluster.server.replace(/\/+$/, ''),
    tls: {
      ca: pem(cluster, 'certificate-authority'),
      cert: pem(user, 'client-certificate'),
      key: pem(user, 'client-key'),
      serverName: cluster['tls-server-name'],
      verify: cluster['insecure-skip-tls-verify'] !== true,
    },
    namespace: context.namespace ?? 'default',
    token: () =>
      tokenFile === undefined ? textAt(user, 'token') : readSmall(resolve(dirname(path), tokenFile)).trim(),
  }
}

function pick<T extends { readonly name: string }>(list: readonly T[], kind: string, name: string): T {
  const found = list.find(each => each.name === name)
  if (found !== undefined) return found
  throw new Error(`it has no ${kind} "${name}", only ${list.map(each => `"${each.name}"`).join(', ') || 'none'}`)
}

function refuse(given: object, keys: readonly string[], where: string): void {
  const found = keys.find(key => ![undefined, null, ''].includes(Reflect.get(given, key)))
  if (found === undefined) return
  const instead = 'give it a token, a tokenFile or a client certificate'
  throw new Error(`${where} has "${found}", which is not supported${where.startsWith('user') ? `: ${instead}` : ''}`)
}

/** Undefined also when it is empty, as kubectl has it. */
function textAt(from: object, key: string): string | undefined {
  const value: unknown = Reflect.get(from, key)
  return typeof value === 'string' && value !== '' ? value : undefined
}
