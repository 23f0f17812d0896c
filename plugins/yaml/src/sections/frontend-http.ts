import { flag, integer, seconds, table, text } from '../table/field.ts'
import type { Given } from '../table/given.ts'
import { section } from './section.ts'
import { listenerTls, tlsTable } from './tls.ts'

const defaultRequestSize = 10 * 1024 ** 2

const keys = table({
  host: text({ says: 'Address to listen on.', default: '0.0.0.0' }),
  port: integer({ says: 'Port to listen on.', min: 0, max: 65_535, default: 8080 }),
  readTimeout: seconds({ says: 'For what a client sends, and between its requests; negative: no limit.', default: 30 }),
  writeTimeout: seconds({ says: 'For a client that takes nothing of its response; negative: no limit.', default: 30 }),
  maxRequestSize: integer({
    says: "Bytes of a request's body; negative: no limit.",
    unit: 'bytes',
    default: defaultRequestSize,
  }),
  enableHTTP2: flag({ says: 'HTTP/2 beside HTTP/1.1.', default: true }),
  tls: tlsTable,
})

export const frontendHttp = section('frontend.http', keys, (http, gateway) => {
  const listener = gateway.listener('main')
  listener.set('host', http?.host)
  listener.set('port', http?.port?.value === 0 ? undefined : http?.port)
  if (!listener.has('port')) listener.set('port', 8080)
  if (http?.tls?.enabled?.value) listener.set('tls', listenerTls(http.tls, gateway))
  listener.set('http2', http?.enableHTTP2)
  const read = http?.readTimeout && timeout(http.readTimeout)
  listener.set('limits.bodyIdleTimeout', read)
  listener.set('limits.keepAliveTimeout', read)
  listener.set('limits.writeIdleTimeout', http?.writeTimeout && timeout(http.writeTimeout))
  const size = http?.maxRequestSize
  listener.set('limits.bodySize', size?.value ? size.map(bytes => Math.max(0, bytes)) : defaultRequestSize)
})

/** Zero asks for the default, and less for none. */
function timeout(given: Given<number>): Given<string | number> | undefined {
  return given.value === 0 ? undefined : given.map(value => (value < 0 ? 0 : `${value}s`))
}
