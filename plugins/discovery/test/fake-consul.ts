import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { listening } from '../../../test/support/listening.ts'

/** An instance as `/v1/health/service` lists it, of what matters. */
export function instance(address: string, port: number, more: object = {}, node: object = {}) {
  const Service = { ID: `shop-${port}`, Address: address, Port: port, Meta: {}, Weights: { Passing: 1, Warning: 1 } }
  return {
    Node: { Node: 'n1', Address: '10.9.9.9', ...node },
    Service: { ...Service, ...more },
    Checks: [{ Status: 'passing' }],
  }
}

/** An agent that speaks the one call that matters, blocks as Consul does, and does what a test wants in between. */
export async function startFakeConsul(tls?: ServerOptions) {
  const waiting = new Set<() => void>()
  const consul = {
    instances: [] as unknown,
    /** Of what there is. Undefined: none is told. */
    index: 10 as number | undefined,
    headers: {} as Record<string, string>,
    /** In place of an answer. */
    answer: undefined as ((response: ServerResponse) => void) | undefined,
    asked: [] as { at: number; path: string; query: URLSearchParams; headers: IncomingHttpHeaders }[],
    /** What there is from now on; whoever waits is told. */
    set(instances: unknown, index?: number) {
      consul.instances = instances
      consul.index = index ?? (consul.index ?? 0) + 1
      consul.wake()
    },
    wake() {
      for (const tell of waiting) tell()
      waiting.clear()
    },
    get waiting() {
      return waiting.size
    },
    origin: '',
  }
  const listener: RequestListener = (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://consul')
    consul.asked.push({ at: performance.now(), path: pathname, query, headers: request.headers })
    const tell = () => {
      clearTimeout(timer)
      waiting.delete(tell)
      if (consul.answer !== undefined) return consul.answer(response)
      if (consul.index !== undefined) response.setHeader('x-consul-index', consul.index)
      response.setHeaders(new Map(Object.entries(consul.headers)))
      response.end(JSON.stringify(consul.instances))
    }
    const isNews = !query.has('index') || Number(query.get('index')) < (consul.index ?? 0)
    const timer = setTimeout(tell, Number.parseInt(query.get('wait') ?? '0', 10))
    if (isNews || consul.answer !== undefined) return tell()
    waiting.add(tell)
    response.once('close', () => {
      clearTimeout(timer)
      waiting.delete(tell)
    })
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  const { port } = await listening(server)
  consul.origin = `${tls === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${port}`
  return consul
}
