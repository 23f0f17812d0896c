import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { join } from 'node:path'
import { makeFolder } from '../../../test/support/folder.ts'
import { listening } from '../../../test/support/listening.ts'

/** A container as the engine's API lists it, of what matters. */
export function container(name: string, labels: Readonly<Record<string, string>>, more: object = {}) {
  return {
    Id: `id-of-${name}`,
    Names: [`/${name}`],
    Labels: labels,
    Ports: [],
    HostConfig: { NetworkMode: 'host' },
    NetworkSettings: { Networks: {} },
    ...more,
  }
}

/** What speaks the two calls of the engine's API that matter, and what a test can do to it. */
export async function startFakeEngine(tls?: ServerOptions) {
  const streams = new Set<ServerResponse>()
  const engine = {
    containers: [] as unknown,
    /** In place of a list. */
    answer: undefined as ((response: ServerResponse) => void) | undefined,
    /** Calls in order: path and decoded filters. */
    asked: [] as string[],
    streams,
    tell: (event: object) => engine.write(`${JSON.stringify(event)}\n`),
    write(text: string) {
      for (const stream of streams) stream.write(text)
    },
    lose() {
      for (const stream of streams) stream.destroy()
    },
    get lists() {
      return engine.asked.filter(call => call.startsWith('/containers')).length
    },
    host: '',
  }
  const listener: RequestListener = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://engine')
    engine.asked.push(`${pathname} ${searchParams.get('filters')}`)
    if (pathname === '/containers/json' && engine.answer !== undefined) return engine.answer(response)
    if (pathname === '/containers/json') return response.end(JSON.stringify(engine.containers))
    response.flushHeaders()
    streams.add(response)
    response.once('close', () => streams.delete(response))
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  const folder = makeFolder()
  const { port } = await listening(server, tls === undefined ? { path: join(folder, 'docker.sock') } : {})
  engine.host = tls === undefined ? `unix://${folder}/docker.sock` : `tcp://localhost:${port}`
  return engine
}
