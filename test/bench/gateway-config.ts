import type { ProxySpec } from './peers.ts'

type Part = Pick<ProxySpec, 'port' | 'upstream' | 'accessLog' | 'tls' | 'routes' | 'workers'>

/** The config as plain data: what it asks for beyond the kernel of today can be tried on `normalise`. */
export function gatewayConfigData({ port, upstream, accessLog, tls, routes, workers }: Part): Record<string, unknown> {
  // One client holds all connections here, and it keeps them.
  const limits = { requestsPerConnection: 0, connections: 0, connectionsPerClient: 0, keepAliveTimeout: '10m' }
  return {
    listen: { port, host: '127.0.0.1', limits, ...(tls && { tls }) },
    // Whatever is left open at the end of a case need not be waited for.
    drainTimeout: '100ms',
    log: { level: accessLog ? 'info' : 'error', access: accessLog },
    ...(workers === undefined ? {} : { workers }),
    services: { upstream: { targets: [`http://127.0.0.1:${upstream}`] } },
    routes: routes === undefined ? { all: { match: 'ANY /*', service: 'upstream' } } : manyRoutes(routes),
  }
}

/** A typed config as its author would write it. */
export function gatewayConfig(spec: ProxySpec): string {
  const { imports = '', list = '' } = spec.plugins ?? {}
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
