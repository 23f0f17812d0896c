import { createHash } from 'node:crypto'
import type { Authority } from '../support/authority.ts'
import { startGateway } from '../support/gateway.ts'
import { startUpstream } from '../support/upstream.ts'

export const digest = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** What `/app/large` answers with: 10 MB, no two pieces of which are the same. */
export const large = Buffer.alloc(10_000_000)
for (let at = 0; at < large.length; at += 4) large.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)

export interface Site {
  /** Origins by how they are spoken to. */
  readonly http: string
  readonly https: string
  /** TLS, and HTTP/1.1 only. */
  readonly https1: string
}

/**
 * A gateway with all that a client may want to try under `/app`: `hello`, `page`, `echo` (with a checksum as a trailer) and
 * `large`. Each answer tells as `X-Via` what the gateway told the upstream of how it was asked.
 */
export async function startSite(authority: Authority): Promise<Site> {
  const upstream = await startUpstream((request, response) => {
    response.setHeader('X-Via', request.headers.via ?? '')
    if (request.url?.startsWith('/hello')) response.end('hello')
    else if (request.url === '/page') response.setHeader('Content-Type', 'text/html').end('<h1>hello</h1>')
    else if (request.url === '/large') response.end(large)
    else {
      const sum = createHash('sha256')
      response.setHeader('Trailer', 'X-Checksum')
      request.on('data', piece => sum.update(piece))
      request.on('end', () => response.addTrailers({ 'X-Checksum': sum.digest('hex') }))
      request.pipe(response)
    }
  })
  const { cert, key } = await authority.issue({ names: ['IP:127.0.0.1'] })
  const host = '127.0.0.1'
  const { gateway } = await startGateway({
    listen: [
      { port: 0, host },
      { port: 0, host, tls: { cert, key } },
      { port: 0, host, tls: { cert, key }, http2: false },
    ],
    services: { app: { targets: [upstream.origin] } },
    routes: { app: { match: 'ANY /app/*', service: 'app', stripPrefix: '/app' } },
  })
  const [http = '', https = '', https1 = ''] = gateway.addresses.map(({ url }) => url)
  return { http, https, https1 }
}
