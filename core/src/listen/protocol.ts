import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type HttpConnection, serveConnection } from '../http1/server-connection.ts'
import type { ServerStream } from '../http1/wire.ts'
import { serveHttp2 } from '../http2/server.ts'
import type { Http2ServerOptions } from '../http2/server-limits.ts'

export type Protocol = 'http/1.1' | 'h2'

type Serve = (socket: Socket, options: Http2ServerOptions, onRequest: (stream: ServerStream) => void) => HttpConnection

/** Who speaks what. */
export const servers: Readonly<Record<Protocol, Serve>> = { 'http/1.1': serveConnection, h2: serveHttp2 }

/** What is offered by ALPN (RFC 7301), the best first. Clients of HTTP/1.0 name it, and are served by HTTP/1.1. */
export function offered(http2: boolean): readonly string[] {
  return [...(http2 ? ['h2'] : []), 'http/1.1', 'http/1.0']
}

/** HTTP/2 over TLS is spoken by those who negotiated it, and nobody else (RFC 9113 section 3.2). */
export function negotiated({ alpnProtocol }: TLSSocket): Protocol {
  return alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
}

/** RFC 9113 section 3.4. The rest of the preface is for HTTP/2 to check: no request of HTTP/1.1 begins like this. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n')

/** What a clear-text connection speaks that begins like this; undefined when it may be either. */
export function recognise(bytes: Uint8Array): Protocol | undefined {
  const length = Math.min(bytes.length, preface.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== preface[i]) return 'http/1.1'
  return length === preface.length ? 'h2' : undefined
}

/** ContentType handshake (RFC 8446 section 5.1): how every TLS connection begins, and no HTTP request. */
export const tlsHandshake = 0x16
