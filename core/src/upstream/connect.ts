import { connect as connectPlain, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureVersion } from 'node:tls'
import { GatewayError, type GatewayErrorCode } from '../contract/errors.ts'
import { deadlines } from '../http1/deadlines.ts'
import { keepAliveProbeMs } from '../http1/keep-alive-probe.ts'
import { NameWatch } from './name-watch.ts'

/** How to speak TLS to an upstream. What is absent is Node's default, which verifies certificate and name. */
export interface UpstreamTls {
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined
  /** PEM certificate and key for an upstream that asks for one. */
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  /** Name to ask for (SNI) and to find in the certificate; the origin's host when absent. */
  readonly serverName?: string | undefined
  readonly minVersion?: SecureVersion | undefined
  /** False takes any certificate, of any name. Default true. */
  readonly verify?: boolean | undefined
}

export interface EndpointOptions {
  /** For https origins; ignored on others. */
  readonly tls?: UpstreamTls | undefined
  /** Resolves the host's name in place of the system's resolver. */
  readonly lookup?: LookupFunction | undefined
  /** Milliseconds after which {@link NameWatch} looks the name up again. Default 0: never. */
  readonly lookupInterval?: number | undefined
  /** What to ask a TLS upstream for (ALPN). Default: http/1.1. */
  readonly alpn?: 'http/1.1' | 'h2' | undefined
}

/** Where an origin's connections go to, worked out once. */
export interface Endpoint {
  /** The origin as configured, for log messages. */
  readonly origin: string
  readonly secure: boolean
  /** Undefined where no name is looked up. */
  readonly names: NameWatch | undefined
  /** Starts a TCP, Unix or TLS connection. */
  dial(): Socket
}

export interface ConnectListener {
  /** The socket is connected, and TLS agreed on; no listener of ours is left on it. */
  onSocket(socket: Socket): void
  /** GATEWAY_UPSTREAM_CONNECT or GATEWAY_UPSTREAM_CONNECT_TIMEOUT. */
  onConnectError(error: GatewayError): void
}

/**
 * Reads an origin: `http://host[:port]`, `https://host[:port]` (IPv6 in brackets), or `unix:/path/to.sock` for plain HTTP
 * over a Unix socket (percent-encoding in the path is decoded). Path, query and credentials are refused.
 *
 * @throws TypeError when the origin is none of these, or the TLS material cannot be read.
 */
export function createEndpoint(origin: string, options: EndpointOptions = {}): Endpoint {
  const url = URL.parse(origin)
  if (url === null) throw new TypeError(`not an origin: ${JSON.stringify(origin)}`)
  if (url.protocol === 'unix:') return unixEndpoint(origin, url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(`not an origin: ${JSON.stringify(origin)}: its scheme must be http, https or unix`)
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new TypeError(`not an origin: ${JSON.stringify(origin)}: more than scheme, host and port`)
  }
  const secure = url.protocol === 'https:'
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  const names = isIP(host) === 0 ? new NameWatch(host, options.lookup, options.lookupInterval ?? 0) : undefined
  const target: TcpNetConnectOpts = {
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMs,
    ...(names === undefined ? {} : { lookup: names.lookup }),
  }
  const dial = secure ? tlsDial(host, target, options) : () => connectPlain(target)
  return { origin, secure, names, dial }
}

function unixEndpoint(origin: string, url: URL): Endpoint {
  const path = decodeURIComponent(url.pathname)
  if (url.host !== '' || !path.startsWith('/') || path.includes('\0')) {
    throw new TypeError(`not an origin: ${JSON.stringify(origin)}: write unix:/path/to.sock`)
  }
  return { origin, secure: false, names: undefined, dial: () => connectPlain({ path }) }
}

function tlsDial(
  host: string,
  target: TcpNetConnectOpts,
  { tls = {}, alpn = 'http/1.1' }: EndpointOptions,
): () => Socket {
  // Made once: a context loads and parses its certificates, which takes milliseconds.
  const secureContext = createSecureContext({
    ca: tls.ca === undefined ? undefined : [tls.ca].flat(),
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion,
  })
  // RFC 6066 section 3: an address is no server name.
  const servername = tls.serverName ?? (isIP(host) === 0 ? host : '')
  const rejectUnauthorized = tls.verify ?? true
  const options = { ...target, secureContext, servername, rejectUnauthorized, ALPNProtocols: [alpn] }
  return () => connectTls(options)
}

/**
 * Opens a connection. Exactly one of the listener's functions is called, never before this returns.
 *
 * @param timeout milliseconds for name, TCP and TLS together; 0 means the operating system's.
 * @returns gives up: nothing is called any more.
 */
export function connect(endpoint: Endpoint, timeout: number, listener: ConnectListener): () => void {
  const socket = endpoint.dial()
  const ready = endpoint.secure ? 'secureConnect' : 'connect'
  const owner = { deadline: timeout === 0 ? 0 : performance.now() + timeout, deadlineIndex: -1, onDeadline }
  deadlines.add(owner)
  socket.once(ready, onReady)
  socket.once('error', onError)
  socket.once('close', onClose)
  return giveUp

  function settle(): void {
    deadlines.remove(owner)
    socket.removeListener(ready, onReady)
    socket.removeListener('error', onError)
    socket.removeListener('close', onClose)
  }
  function giveUp(): void {
    settle()
    // A connection attempt that was cut short may still report an error; nobody is left to hear it.
    socket.on('error', () => {})
    socket.destroy()
  }
  function fail(code: GatewayErrorCode, reason: string, cause?: Error): void {
    giveUp()
    listener.onConnectError(new GatewayError(code, `${endpoint.origin}: ${reason}`, { cause }))
  }
  function onReady(): void {
    settle()
    listener.onSocket(socket)
  }
  function onError(error: NodeJS.ErrnoException): void {
    // Happy eyeballs (RFC 8305) fails with an AggregateError, whose message is empty.
    fail('GATEWAY_UPSTREAM_CONNECT', `cannot connect: ${error.message || error.code || error.name}`, error)
  }
  function onClose(): void {
    fail('GATEWAY_UPSTREAM_CONNECT', 'closed while connecting')
  }
  function onDeadline(): void {
    fail('GATEWAY_UPSTREAM_CONNECT_TIMEOUT', `no connection within ${timeout} ms`)
  }
}
