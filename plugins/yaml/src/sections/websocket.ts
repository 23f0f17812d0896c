import type { Builder } from '../build/builder.ts'
import type { Rule } from '../build/rule.ts'
import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, node, seconds, table, text, texts } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { pair } from './section.ts'
import { listenerTls, tlsTable } from './tls.ts'
import { inSeconds, inSecondsOrDefault } from './units.ts'

const quiet = (noEffect: string) => ({ noEffect, quiet: true })
const buffers = quiet('the gateway sizes its buffers itself')

const frontend = table({
  enabled: flag({ says: 'Whether WebSockets have a port of their own.', default: false }),
  host: text({ says: 'Address to listen on.', default: '0.0.0.0' }),
  port: integer({ says: 'Port to listen on.', min: 0, max: 65_535, default: 8081 }),
  readTimeout: seconds(quiet('a handshake has handshakeTimeout')),
  writeTimeout: seconds(quiet('a handshake has handshakeTimeout')),
  handshakeTimeout: seconds({ says: 'For a whole handshake of a client.', default: 10 }),
  maxMessageSize: integer({
    says: 'Bytes of a message; a larger one ends the connection.',
    min: 0,
    unit: 'bytes',
    default: 1_048_576,
  }),
  readBufferSize: integer(buffers),
  writeBufferSize: integer(buffers),
  checkOrigin: flag({ says: 'Whether pages of other origins are refused.', default: false }),
  allowedOrigins: texts({ says: 'Pages that may connect besides those of the same host; "*": all.' }),
  enableCompression: flag({ says: 'Whether clients may compress messages.', default: false }),
  compressionLevel: integer(quiet("the gateway's own level is taken")),
  subprotocols: texts({ says: 'Subprotocols that reach the instances.' }),
  writeDeadline: seconds(quiet('a client that takes nothing is given up by pongWait')),
  pongWait: seconds({ says: 'Without a sign of life, a client is given up.', min: 1, default: 60 }),
  pingPeriod: seconds({ says: 'Between two pings; default: nine tenths of pongWait.', min: 0 }),
  pingInterval: seconds({ says: 'Another name of pingPeriod.', min: 0 }),
  pongTimeout: seconds({ says: 'For a sign of life after a ping.', min: 1 }),
  closeGracePeriod: seconds(quiet('a side that is told to close has a second')),
  maxConnections: integer({ says: 'Connections at a time.', min: 1, default: 1024 }),
  tokenValidation: flag(quiet('credentials are looked at wherever auth is at work')),
  tokenCheckInterval: seconds(quiet('connections end when their token does')),
  tls: tlsTable,
})

const backend = table({
  enabled: flag(quiet('what a rule leads to says that')),
  handshakeTimeout: seconds({ says: 'For the handshake of an instance.', default: 10 }),
  dialTimeout: seconds({ says: 'To a connection.', default: 5 }),
  connectionTimeout: seconds({ says: 'Another name of dialTimeout.' }),
  readBufferSize: integer(buffers),
  writeBufferSize: integer(buffers),
  maxMessageSize: integer(quiet('frontend.websocket.maxMessageSize holds for both sides')),
  maxConnections: integer(quiet('backend.http.maxConnsPerHost is for all connections')),
  poolSize: integer(quiet('a WebSocket has a connection of its own')),
  readTimeout: seconds(quiet('both sides are pinged')),
  writeTimeout: seconds(quiet('both sides are pinged')),
  idleConnectionTimeout: seconds({
    says: 'Without a byte of either side before the connection is closed; 0: for ever.',
    default: 0,
  }),
  pingInterval: seconds(quiet('both sides are pinged by frontend.websocket.pingPeriod')),
  pingPeriod: seconds(quiet('both sides are pinged by frontend.websocket.pingPeriod')),
  pongTimeout: seconds(quiet('frontend.websocket.pongWait holds for both sides')),
  pongWait: seconds(quiet('frontend.websocket.pongWait holds for both sides')),
  closeTimeout: seconds(quiet('a side that is told to close has a second')),
  enableCompression: flag({ says: 'Whether messages to instances may be compressed.', default: false }),
  compressionLevel: integer(quiet("the gateway's own level is taken")),
})

type Frontend = GivenOf<typeof frontend>
type Backend = GivenOf<typeof backend>

const port = 'websocket'

/** WebSockets on a port of their own, for every rule that takes GET; without that, on the rules that say so. */
export const websocket = pair(
  ['frontend.websocket', frontend],
  ['backend.websocket', backend],
  (given, upstream, gateway) => {
    const rules = [...gateway.rules.values()].filter(rule => rule.takes('GET'))
    const options = optionsOf(given, upstream, gateway)
    if (given?.enabled?.value === true) {
      listen(given, gateway)
      gateway.plugin('@gateway/websocket', 'websocket', given[node]).set('maxConnections', given.maxConnections ?? 1024)
      for (const rule of rules) addRoutes(rule, { ...options, only: true }, upstream)
      return
    }
    for (const rule of rules) {
      if (rule.asked.isFor !== 'websockets') continue
      gateway.plugin('@gateway/websocket', 'websocket', rule.at)
      rule.set('websocket', options)
    }
  },
)

function listen(given: Frontend, gateway: Builder): void {
  const listener = gateway.listener(port, given[node])
  listener.set('port', given.port?.value ? given.port : 8081)
  listener.set('host', given.host)
  listener.set('name', port)
  listener.set('exclusive', true)
  listener.set('limits.headTimeout', inSecondsOrDefault(given.handshakeTimeout))
  if (given.tls?.enabled?.value) listener.set('tls', listenerTls(given.tls, gateway))
}

function addRoutes(rule: Rule, options: Input, upstream: Backend | undefined): void {
  for (const [name, path] of rule.routes) {
    const route = rule.variant(name, `${name} (websocket)`)
    route.set('match', `GET ${path}`)
    route.set('listener', port)
    route.set('websocket', options)
    // The whole time of a route ends with the handshake.
    const timeouts = {
      connect: inSecondsOrDefault(upstream?.dialTimeout ?? upstream?.connectionTimeout),
      head: inSecondsOrDefault(upstream?.handshakeTimeout) ?? '10s',
    }
    route.set('timeout', timeouts)
  }
}

function optionsOf(
  given: Frontend | undefined,
  upstream: Backend | undefined,
  gateway: Builder,
): { [key: string]: Input } {
  const client = given?.enableCompression
  const compression = client?.value || upstream?.enableCompression?.value
  return {
    origins: originsOf(given),
    idleTimeout: inSecondsOrDefault(upstream?.idleConnectionTimeout),
    closeOnExpiry: gateway.hasPlugin('@gateway/auth', 'auth') ? true : undefined,
    frames: {
      maxMessageSize: given?.maxMessageSize?.value ? given.maxMessageSize : undefined,
      ...pings(given),
      protocols: given?.subprotocols,
      compression: compression
        ? { client: client ?? false, upstream: upstream?.enableCompression ?? false }
        : undefined,
    },
  }
}

function originsOf(given: Frontend | undefined): Input {
  const { checkOrigin, allowedOrigins } = given ?? {}
  if (checkOrigin?.value !== true) return checkOrigin?.map(() => '*') ?? '*'
  if (allowedOrigins === undefined || allowedOrigins.value.length === 0) return 'same'
  return allowedOrigins.value.includes('*') ? allowedOrigins.map(() => '*') : allowedOrigins
}

function pings(given: Frontend | undefined): { [key: string]: Input } {
  const wait = given?.pongWait?.value ?? 60
  const period = given?.pingPeriod ?? given?.pingInterval
  const every = period?.value || Math.max(1, Math.floor((wait * 9) / 10))
  const left: Given<number> | number = given?.pongTimeout ?? Math.max(1, wait - every)
  return {
    pingInterval: period?.value ? inSeconds(period) : `${every}s`,
    pongTimeout: typeof left === 'number' ? `${left}s` : inSeconds(left),
  }
}
