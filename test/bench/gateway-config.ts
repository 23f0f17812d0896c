import type { PluginText, ProxySpec } from './peers.ts'

type Part = Pick<ProxySpec, 'port' | 'upstream' | 'accessLog' | 'tls' | 'routes' | 'workers' | 'streams'>

/** The config as plain data: what it asks for beyond the kernel of today can be tried on `normalise`. */
export function gatewayConfigData({
  port,
  upstream,
  accessLog,
  tls,
  routes,
  workers,
  streams,
}: Part): Record<string, unknown> {
  // One client holds all connections here, and it keeps them.
  const limits = { requestsPerConnection: 0, connections: 0, connectionsPerClient: 0, keepAliveTimeout: '10m' }
  return {
    listen: { port, host: '127.0.0.1', limits, ...(tls && { tls }) },
    // Whatever is left open at the end of a case need not be waited for.
    drainTimeout: '100ms',
    log: { level: accessLog ? 'info' : 'error', access: accessLog },
    ...(workers === undefined ? {} : { workers }),
    services: {
      // A stream has a connection for itself.
      upstream: { targets: [`http://127.0.0.1:${upstream}`], ...(streams && { pool: { connections: 100_000 } }) },
    },
    routes: {
      ...(routes === undefined ? { all: { match: 'ANY /*', service: 'upstream' } } : manyRoutes(routes)),
      ...(streams && streamRoutes),
    },
  }
}

const streamRoutes = {
  socket: { match: 'GET /socket', service: 'upstream', websocket: true },
  framed: { match: 'GET /framed', service: 'upstream', websocket: { frames: {} } },
  events: { match: 'GET /events', service: 'upstream', sse: { maxConnections: 0, maxConnectionsPerClient: 0 } },
}

const streamPlugins: PluginText = {
  imports: "import { sse } from '@gateway/sse'\nimport { websocket } from '@gateway/websocket'\n",
  list: 'sse(), websocket()',
}

/** A typed config as its author would write it. */
export function gatewayConfig(spec: ProxySpec): string {
  const { imports = '', list = '' } = spec.plugins ?? (spec.streams ? streamPlugins : {})
  return `import { defineConfig } from '@gateway/core'
${imports}
export default defineConfig({ ...${JSON.stringify(gatewayConfigData(spec), undefined, 2)}, plugins: [${list}] })
`
}

/** The paths that wrk.lua goes through. */
function manyRoutes(count: number): Record<string, unknown> {
  const name = (i: number) => `res${String(i).padStart(4, '0')}`
  const entries = Array.from({ length: count }, (_, i) => [
    name(i),
    { match: `GET /api/v1/${name(i)}/:id`, service: 'upstream' },
  ])
  return Object.fromEntries(entries)
}
