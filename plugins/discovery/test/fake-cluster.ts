import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { join } from 'node:path'
import { makeFolder } from '../../../test/support/folder.ts'
import { listening } from '../../../test/support/listening.ts'

interface Slice {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
}

/** A slice of the Service `shop` as the API lists it; each endpoint is an address, or what the API has of one. */
export function slice(name: string, endpoints: readonly (string | object)[], more: object = {}) {
  return {
    metadata: { name, labels: { 'kubernetes.io/service-name': 'shop', team: 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: endpoints.map(each =>
      typeof each === 'string' ? { addresses: [each], conditions: { ready: true } } : each,
    ),
    ...more,
  }
}

/** An API server that lists and watches EndpointSlices, and does what a test wants in between. */
export async function startFakeCluster(tls?: ServerOptions) {
  const folder = makeFolder()
  const slices = new Map<string, Slice>()
  const watches = new Set<ServerResponse>()
  let version = 100
  const cluster = {
    folder,
    watches,
    asked: [] as { path: string; query: URLSearchParams; headers: IncomingHttpHeaders }[],
    /** In place of an answer, to lists or watches. */
    answer: undefined as ((response: ServerResponse, isWatch: boolean) => void) | undefined,
    put(given: Slice) {
      const type = slices.has(given.metadata.name) ? 'MODIFIED' : 'ADDED'
      slices.set(given.metadata.name, given)
      cluster.tell(type, given)
    },
    /** Without a word to those who watch. */
    putSilently(given: Slice) {
      version++
      slices.set(given.metadata.name, given)
    },
    remove(name: string) {
      const given = slices.get(name)
      slices.delete(name)
      if (given !== undefined) cluster.tell('DELETED', given)
    },
    tell(type: string, object: object) {
      cluster.write(`${cluster.event(type, object)}\n`)
    },
    event(type: string, object: object): string {
      return JSON.stringify({ type, object: versioned(object, ++version) })
    },
    write(text: string | Buffer) {
      for (const response of watches) response.write(text)
    },
    /** Of the watches, as a server does it that is asked to by `timeoutSeconds`. */
    end() {
      for (const response of watches) response.end()
    },
    lose() {
      for (const response of watches) response.destroy()
    },
    get lists() {
      return cluster.asked.filter(({ query }) => !query.has('watch')).length
    },
    get version() {
      return String(version)
    },
    server: '',
    kubeconfig: join(folder, 'config'),
    /** A kubeconfig of one context, in JSON. */
    configure(cluster: object, user: object, context: object = {}) {
      writeFileSync(
        this.kubeconfig,
        JSON.stringify({
          'current-context': 'main',
          contexts: [{ name: 'main', context: { cluster: 'here', user: 'me', ...context } }],
          clusters: [{ name: 'here', cluster: { server: this.server, ...cluster } }],
          users: [{ name: 'me', user }],
        }),
      )
    },
  }
  const listener: RequestListener = (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://cluster')
    cluster.asked.push({ path: pathname, query, headers: request.headers })
    if (cluster.answer !== undefined) return cluster.answer(response, query.has('watch'))
    if (query.has('watch')) {
      response.flushHeaders()
      watches.add(response)
      response.once('close', () => watches.delete(response))
      return
    }
    const [label = '', value] = query.get('labelSelector')?.split('=') ?? []
    const items = [...slices.values()].filter(({ metadata }) => metadata.labels[label] === value)
    const metadata = { resourceVersion: String(version) }
    response.end(JSON.stringify({ kind: 'EndpointSliceList', metadata, items }))
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  cluster.server = (await listening(server)).origin
  cluster.configure({}, {})
  return cluster
}

function versioned(object: object, version: number): object {
  const metadata: unknown = Reflect.get(object, 'metadata')
  return { ...object, metadata: { ...Object(metadata), resourceVersion: String(version) } }
}
