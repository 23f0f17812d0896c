import { availableParallelism } from 'node:os'
import { normalise } from '../../core/src/config/normalise.ts'
import { fullChain, signToken } from './full-chain.ts'
import { gatewayConfigData } from './gateway-config.ts'
import type { Load } from './load.ts'
import type { PeerName, ProxySpec } from './peers.ts'
import { loadCore, proxyCore } from './processes.ts'

/** One row of a case's table. */
export interface Contender {
  readonly label: string
  readonly peer: PeerName
  /** Default: that of the proxies. */
  readonly cores?: string
  readonly accessLog?: boolean
  readonly tls?: boolean
  readonly routes?: number
  readonly workers?: number
  /** Carries WebSockets and event streams, for as long as they last. */
  readonly streams?: boolean
  readonly plugins?: ProxySpec['plugins']
  /** Beside the case's. */
  readonly args?: Load['args']
}

/** What engine.md asks of the gateway's ratio to a row. */
export interface Goal {
  readonly label?: string
  readonly against: string
  readonly atMost?: number
  readonly atLeast?: number
}

interface Common {
  readonly name: string
  readonly title: string
  readonly contenders: readonly Contender[]
  /** Labels of the rows that each row's figure is divided by. */
  readonly against: readonly string[]
  readonly goals?: readonly Goal[]
  /** What this gateway cannot do yet: with an answer, the case is left out. */
  lacks?(): string | undefined
  readonly notes?: readonly string[]
}

export interface LoadCase extends Common {
  readonly kind: 'load'
  readonly load: Load
  readonly upstream: 'files' | 'sink' | 'streams'
  /** What is compared: CPU per request or message, bytes received or sent per CPU second, or requests per second. */
  readonly figure: 'request' | 'message' | 'download' | 'upload' | 'throughput'
}

export interface IdleCase extends Common {
  readonly kind: 'idle'
  readonly connections: number
  /** What they carry, each with one of its own to the upstream. Default: one request. */
  readonly stream?: 'websocket' | 'events'
}

/** A bench of its own, whose output is the result. */
export interface ProgramCase {
  readonly kind: 'program'
  readonly name: string
  readonly title: string
  readonly file: string
  /** Default: that of the proxies. */
  readonly cores?: string
}

export type Case = LoadCase | IdleCase | ProgramCase

const everyone = (options: Omit<Contender, 'label' | 'peer'> = {}, names: readonly PeerName[] = all): Contender[] =>
  names.map(peer => ({ label: peer, peer, ...options }))
const all: readonly PeerName[] = ['gateway', 'nginx', 'haproxy', 'caddy', 'go']
const against = ['nginx', 'go']
const streaming = everyone({ streams: true }, ['gateway', 'nginx', 'haproxy'])

const small = { tool: 'wrk', connections: 64, path: '/' } as const satisfies Load

const bytesCase = (name: string, title: string, figure: 'download' | 'upload', load: Load): LoadCase => ({
  kind: 'load',
  name,
  title,
  contenders: everyone(),
  against,
  goals: [{ against: 'nginx', atLeast: 0.6 }],
  load,
  upstream: figure === 'upload' ? 'sink' : 'files',
  figure,
})

export const cases: readonly Case[] = [
  {
    kind: 'load',
    name: 'plain',
    title: 'Small GET, 64 connections',
    contenders: everyone(),
    against,
    goals: [
      { against: 'nginx', atMost: 1.5 },
      { against: 'go', atMost: 0.3 },
    ],
    load: small,
    upstream: 'files',
    figure: 'request',
  },
  {
    kind: 'load',
    name: 'post',
    title: 'POST of 10 KB, 64 connections',
    contenders: everyone(),
    against,
    load: { ...small, args: { method: 'POST', body: 10_000 } },
    upstream: 'sink',
    figure: 'request',
  },
  {
    kind: 'load',
    name: 'access-log',
    title: 'Small GET with an access log',
    contenders: everyone({ accessLog: true }, ['gateway', 'nginx', 'haproxy', 'caddy']),
    against: ['nginx'],
    load: small,
    upstream: 'files',
    figure: 'request',
    notes: ["Each writes its own format into a file; Go's ReverseProxy has no access log."],
  },
  {
    kind: 'load',
    name: 'chain',
    title: 'Small GET with JWT, rate limit, CORS and access log, against bare peers',
    contenders: [
      { label: 'gateway', peer: 'gateway', accessLog: true, plugins: fullChain },
      ...everyone({}, ['nginx', 'go']),
    ],
    against,
    goals: [
      { against: 'nginx', atMost: 2.2 },
      { against: 'go', atMost: 0.45 },
    ],
    load: { ...small, args: { token: signToken() } },
    upstream: 'files',
    figure: 'request',
    notes: ['The goal counts metrics in, of which there is no plugin yet.'],
  },
  bytesCase('download-1mb', 'Response of 1 MB, 16 connections', 'download', {
    ...small,
    connections: 16,
    path: '/1mb',
  }),
  bytesCase('download-100mb', 'Response of 100 MB, 4 connections', 'download', {
    ...small,
    connections: 4,
    path: '/100mb',
  }),
  bytesCase('upload-1mb', 'Upload of 1 MB, 16 connections', 'upload', {
    ...small,
    connections: 16,
    args: { method: 'POST', body: 1e6 },
  }),
  bytesCase('upload-100mb', 'Upload of 100 MB, 4 connections', 'upload', {
    ...small,
    connections: 4,
    args: { method: 'POST', body: 1e8 },
  }),
  {
    kind: 'load',
    name: 'tls',
    title: 'Small GET over TLS, 64 connections',
    contenders: everyone({ tls: true }),
    against,
    load: small,
    upstream: 'files',
    figure: 'request',
  },
  {
    kind: 'load',
    name: 'http2',
    title: 'Small GET over HTTP/2 in TLS, 64 streams on 8 connections, HTTP/1.1 to the upstream',
    contenders: everyone({ tls: true }),
    against,
    load: { ...small, tool: 'h2load' },
    upstream: 'files',
    figure: 'request',
  },
  {
    kind: 'load',
    name: 'routes',
    title: 'Small GET to each of 10 and of 10,000 routes in turn, 64 connections',
    contenders: [10, 10_000].map(routes => ({
      label: `gateway, ${routes.toLocaleString('en')} routes`,
      peer: 'gateway',
      routes,
      args: { routes },
    })),
    against: ['gateway, 10 routes'],
    load: small,
    upstream: 'files',
    figure: 'request',
    notes: ['The cost of the match alone, and its goal, are in the case `router`.'],
  },
  { kind: 'program', name: 'router', title: 'The router alone', file: 'router.ts' },
  { kind: 'program', name: 'balancing', title: 'The balancers alone', file: 'balancing.ts' },
  {
    kind: 'program',
    name: 'reload',
    title: 'An edit of a config with 10,000 routes, live',
    file: 'reload.ts',
    // The bundler is a process beside the gateway.
    cores: `${proxyCore},${loadCore}`,
  },
  {
    kind: 'idle',
    name: 'idle',
    title: '10,000 connections that had one small GET each and are idle now',
    contenders: everyone(),
    against,
    connections: 10_000,
  },
  {
    kind: 'idle',
    name: 'idle-websockets',
    title: '10,000 WebSockets without a message',
    contenders: streaming,
    against: ['nginx', 'haproxy'],
    connections: 10_000,
    stream: 'websocket',
  },
  {
    kind: 'idle',
    name: 'idle-events',
    title: '10,000 event streams that had one event each',
    contenders: streaming,
    against: ['nginx', 'haproxy'],
    connections: 10_000,
    stream: 'events',
  },
  {
    kind: 'load',
    name: 'websocket',
    title: 'WebSocket messages of 100 bytes to and fro, 64 connections',
    contenders: [
      ...streaming,
      { label: 'gateway, frame by frame', peer: 'gateway', streams: true, args: { path: '/framed' } },
    ],
    against: ['nginx', 'haproxy'],
    goals: [{ against: 'haproxy', atMost: 1.6 }],
    load: { tool: 'websocket', connections: 64, path: '/socket' },
    upstream: 'streams',
    figure: 'message',
  },
  {
    kind: 'load',
    name: 'workers',
    title: 'Small GET with 1 and 2 workers',
    contenders: [
      { label: 'gateway, 1 worker', peer: 'gateway', workers: 1 },
      { label: 'gateway, 2 workers', peer: 'gateway', workers: 2, cores: `${proxyCore},${loadCore}` },
    ],
    against: ['gateway, 1 worker'],
    goals: [{ label: 'gateway, 2 workers', against: 'gateway, 1 worker', atLeast: 1.7 }],
    load: { ...small, connections: 256 },
    upstream: 'files',
    figure: 'throughput',
    lacks: () => refusal('workers', { workers: 2 }),
    notes: availableParallelism() < 4 ? ['Fewer than 4 cores: the load generator is the limit, not the gateway.'] : [],
  },
]

/** What the config's check says of a setting that this gateway may not have yet; undefined when it takes it. */
function refusal(setting: string, part: { workers?: number }): string | undefined {
  const nothing = { tls: undefined, routes: undefined, workers: undefined, accessLog: false, streams: false }
  const { problems } = normalise(gatewayConfigData({ port: 8080, upstream: 8081, ...nothing, ...part }))
  const error = problems.find(({ severity }) => severity === 'error')
  return error && `the gateway does not take \`${setting}\` as the bench writes it: ${error.message}`
}
