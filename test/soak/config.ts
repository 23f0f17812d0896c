import type { LooseConfig } from '../support/gateway.ts'

export interface Origins {
  /** Honest upstreams. */
  readonly http1: string
  readonly http2: string
  /** One that breaks off. */
  readonly aborts: string
}

export interface Tls {
  readonly cert: string
  readonly key: string
}

const soon = '300ms'
const impatient = { headTimeout: soon, bodyIdleTimeout: soon, writeIdleTimeout: soon, keepAliveTimeout: soon }

/**
 * Four listeners: plain and with TLS for honest clients, then the same for clients that give up or fall silent, with little
 * patience. Each round changes something that a reload has to take over: limits, targets, pools, routes.
 */
export function soakConfig({ http1, http2, aborts }: Origins, tls: Tls, round: number): LooseConfig {
  const host = '127.0.0.1'
  const idleTimeout = '1s'
  const honest = { bodySize: 100_000_000 + round }
  const targets = round % 2 === 0 ? [http1] : [{ url: http1, weight: 1 + (round % 5) }]
  return {
    listen: [
      { port: 0, host, limits: honest },
      { port: 0, host, tls, limits: honest },
      { port: 0, host, limits: impatient },
      { port: 0, host, tls, limits: impatient },
    ],
    timeoutStatus: round % 3 === 0 ? 408 : 504,
    services: {
      http1: { targets, pool: { idleTimeout, connections: 200 + (round % 4) } },
      http2: { targets: [http2], protocol: 'http2', pool: { idleTimeout, maxAge: round % 2 === 0 ? '3s' : '5s' } },
      aborts: { targets: [aborts], pool: { idleTimeout, connections: 16 } },
    },
    routes: {
      http1: { match: 'ANY /http1/*', service: 'http1', stripPrefix: '/http1' },
      http2: { match: 'ANY /http2/*', service: 'http2', stripPrefix: '/http2' },
      aborts: {
        match: 'ANY /*',
        headers: { 'x-script': true },
        service: 'aborts',
        timeout: { connect: '2s', head: soon, idle: soon },
      },
      ...(round % 2 === 0 ? { extra: { match: `GET /extra${round}`, reply: { status: 204 } } } : {}),
    },
  }
}
