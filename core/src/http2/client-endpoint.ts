import { isIP } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { createEndpoint, type Endpoint, type EndpointOptions } from '../upstream/connect.ts'

// As for HTTP/1.1 (upstream/connect.ts).
const keepAliveProbeMs = 30_000

/**
 * The endpoint of an origin whose connections are to speak HTTP/2: on TLS they ask for it by ALPN, and for nothing else.
 *
 * @throws TypeError as {@link createEndpoint} does.
 */
export function createHttp2Endpoint(origin: string, options: EndpointOptions): Endpoint {
  const endpoint = createEndpoint(origin, options)
  if (!endpoint.secure) return endpoint
  const { hostname, port } = new URL(origin)
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const { ca, cert, key, minVersion, serverName, rejectUnauthorized } = options.tls ?? {}
  const settings = {
    host,
    port: port === '' ? 443 : Number(port),
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMs,
    secureContext: createSecureContext({ ca: ca === undefined ? undefined : [ca].flat(), cert, key, minVersion }),
    // RFC 6066 section 3: an address is no server name.
    servername: serverName ?? (isIP(host) === 0 ? host : ''),
    rejectUnauthorized: rejectUnauthorized ?? true,
    ALPNProtocols: ['h2'],
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  }
  return { ...endpoint, dial: () => connectTls(settings) }
}
