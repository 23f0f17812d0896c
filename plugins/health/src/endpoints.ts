import type { Reply, ServiceView } from '@gateway/core'

export type Endpoint = 'health' | 'ready' | 'live'

/**
 * About the gateway itself. `live`: it answers at all. `ready`: it takes requests, and each service that is watched has a
 * target left. `health`: the same, with a count for each service.
 */
export function answerFor(endpoint: Endpoint, services: readonly ServiceView<unknown>[], draining: AbortSignal): Reply {
  if (endpoint === 'live') return json(200, { status: 'ok' })
  const counts = services.map(({ name, targets }) => {
    return { name, total: targets.length, available: targets.filter(({ available }) => available).length }
  })
  const isReady = !draining.aborted && counts.every(({ available }) => available > 0)
  const status = isReady ? 200 : 503
  if (endpoint === 'ready') return json(status, { ready: isReady })
  const table = Object.fromEntries(counts.map(({ name, ...count }) => [name, count]))
  return json(status, { status: isReady ? 'healthy' : 'unhealthy', services: table })
}

function json(status: number, value: object): Reply {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return { status, headers, body: `${JSON.stringify(value)}\n` }
}
