import * as z from 'zod'
import { reasonOf, type Watcher } from './define-provider.ts'
import { AnswerError, createHttpApi, type HttpApi, readJson, within } from './http-api.ts'
import { readJsonLines } from './json-lines.ts'
import type { Access } from './kubeconfig.ts'
import { type Place, readAccess } from './kubernetes-access.ts'
import { repeat } from './repeat.ts'

export interface Asked extends Place {
  /** Of EndpointSlices, by their labels. */
  readonly selector: string
  /** Undefined: the one of the service account, or of the kubeconfig's context. */
  readonly namespace: string | undefined
  /** Milliseconds that one watch lasts at most, and that an answer may take. */
  readonly watch: number
  readonly timeout: number
}

/** A watch that ends sooner, and has told nothing, is none that could be begun again at once; milliseconds. */
const shortestWatch = 1_000

const versioned = z.looseObject({ name: z.string(), resourceVersion: z.string().min(1) })
const slice = z.looseObject({ metadata: z.looseObject({ name: z.string() }) })
const listing = z.object({ metadata: z.object({ resourceVersion: z.string().min(1) }), items: z.array(slice) })
const status = z.object({ code: z.number(), message: z.string(), reason: z.string() }).partial()
const event = z.discriminatedUnion('type', [
  z.object({ type: z.literal(['ADDED', 'MODIFIED', 'DELETED']), object: z.looseObject({ metadata: versioned }) }),
  z.object({ type: z.literal('BOOKMARK'), object: z.object({ metadata: versioned.omit({ name: true }) }) }),
  z.object({ type: z.literal('ERROR'), object: status }),
])

/** It is to be listed again, which is how the API works, and no sign that the cluster is lost. */
class ListAgain extends Error {}

/**
 * Tells all EndpointSlices that the selector finds: lists them, and then watches what becomes of them from that version on,
 * watch after watch, for as long as the API server can say so. Whenever it cannot, they are listed again.
 */
export function watchSlices(asked: Asked, watcher: Watcher<readonly unknown[]>): () => Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  // What cannot be used is said at once, and by whoever starts it.
  const first = readAccess(asked)
  if (first.tls.verify === false) {
    watcher.log.warn('the certificate of a Kubernetes API is not verified, as its kubeconfig says', {
      server: first.server,
    })
  }
  let access = first

  async function follow(succeeded: () => void): Promise<void> {
    access = readAccess(asked)
    const api = await createHttpApi(access.tls)
    try {
      const { metadata, items } = await list(api, access, asked, signal)
      const slices = new Map<string, unknown>(items.map(item => [item.metadata.name, item]))
      const tell = () => {
        if (!signal.aborted) watcher.found([...slices.values()])
      }
      tell()
      let version = metadata.resourceVersion
      while (!signal.aborted) version = await watch(api, access, asked, { signal, version, slices, tell, succeeded })
    } finally {
      await api.close()
    }
  }

  const ended = repeat(signal, follow, error => {
    if (!(error instanceof ListAgain)) watcher.lost(`${access.server}: ${reasonOf(error)}`)
  })
  return () => {
    stop.abort()
    return ended
  }
}

function callOf(access: Access, { namespace = access.namespace, selector }: Asked, query: Record<string, string>) {
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`
  const token = access.token()
  return {
    url: `${access.server}${path}?${new URLSearchParams({ labelSelector: selector, ...query })}`,
    headers: { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  }
}

/** Without a resourceVersion, so that it is never older than what was known before; one page, as none is large. */
function list(api: HttpApi, access: Access, asked: Asked, signal: AbortSignal): Promise<z.output<typeof listing>> {
  return within(asked.timeout, signal, async signal => {
    const { body } = await api.get({ ...callOf(access, asked, {}), signal })
    const result = listing.safeParse(await readJson(body))
    if (!result.success) throw new Error('what it answers is no list of EndpointSlices')
    return result.data
  })
}

interface Watch {
  readonly signal: AbortSignal
  /** What was known last. */
  readonly version: string
  /** By name; kept up to date. */
  readonly slices: Map<string, unknown>
  tell(): void
  succeeded(): void
}

/** One watch, until the server ends it, and then the version to go on from. @throws when it cannot be gone on from. */
async function watch(api: HttpApi, access: Access, asked: Asked, state: Watch): Promise<string> {
  const { slices, tell, succeeded } = state
  const begun = performance.now()
  let { version } = state
  let hasTold = false
  // Not all at the same time.
  const seconds = Math.max(1, Math.round((asked.watch / 1_000) * (0.5 + Math.random() / 2)))
  const call = callOf(access, asked, {
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: version,
    timeoutSeconds: String(seconds),
  })
  // The server is to end it; one that hangs does not.
  await within(seconds * 1_000 + asked.timeout, state.signal, async whole => {
    const { body } = await within(asked.timeout, whole, signal => api.get({ ...call, signal })).catch(orGone)
    for await (const lines of readJsonLines(body)) {
      let isChanged = false
      for (const line of lines) {
        const { success, data } = event.safeParse(line)
        if (!success) throw new Error('what it tells is no event of an EndpointSlice')
        const { type, object } = data
        if (type === 'ERROR') throw errorOf(object)
        version = object.metadata.resourceVersion
        if (type === 'BOOKMARK') continue
        isChanged = true
        if (type === 'DELETED') slices.delete(object.metadata.name)
        else slices.set(object.metadata.name, object)
      }
      hasTold = true
      succeeded()
      if (isChanged) tell()
    }
  })
  if (performance.now() - begun >= shortestWatch) succeeded()
  else if (!hasTold) throw new ListAgain('the watch ended as soon as it had begun')
  return version
}

function orGone(error: unknown): never {
  throw error instanceof AnswerError && error.status === 410 ? new ListAgain(error.message) : error
}

/** 410: the version is so old that the server does not know any more what happened since. */
function errorOf({ code, message, reason }: z.output<typeof status>): Error {
  const text = message ?? reason ?? 'an error without a reason'
  return code === 410 ? new ListAgain(text) : new Error(text)
}
