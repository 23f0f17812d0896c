import { flag, integer, seconds, table } from '../table/field.ts'
import { section } from './section.ts'
import { backendTls, backendTlsTable } from './tls.ts'
import { inSeconds } from './units.ts'

const tuning = (noEffect: string) => ({ noEffect, quiet: true })
const probes = tuning('the system probes idle connections, and those that are lost are opened again')

const keys = table({
  maxIdleConns: integer(tuning('idle connections are closed by their age')),
  maxIdleConnsPerHost: integer(tuning('idle connections are closed by their age')),
  maxConnsPerHost: integer({ says: 'Connections to one instance.', min: 0 }),
  idleConnTimeout: seconds({ says: 'How long a connection may be idle; 0: the default here.', min: 0, default: 55 }),
  keepAlive: flag(probes),
  keepAliveTimeout: seconds(probes),
  disableCompression: flag(tuning('bodies pass as they are')),
  disableHTTP2: flag(tuning('upstreams are spoken to in HTTP/1.1')),
  dialTimeout: seconds({ says: 'To a connection, TLS included; 0: the default here.', min: 0, default: 5 }),
  responseHeaderTimeout: seconds({ says: "To a response's head, for rules without a timeout.", min: 0, default: 30 }),
  expectContinueTimeout: seconds(tuning('Expect passes to the upstream')),
  tlsHandshakeTimeout: seconds(tuning('dialTimeout counts it in')),
  tls: backendTlsTable,
})

/** Comes after the registry: what it says is said of every service. */
export const backendHttp = section('backend.http', keys, (http, gateway) => {
  if (http === undefined) return
  const { dialTimeout, responseHeaderTimeout, idleConnTimeout, maxConnsPerHost, tls } = http
  if (dialTimeout?.value) gateway.settings.set('timeouts.connect', inSeconds(dialTimeout))
  if (responseHeaderTimeout?.value) {
    gateway.settings.set('timeouts.head', inSeconds(responseHeaderTimeout))
  }
  const tlsInput = tls?.enabled?.value ? backendTls(tls, gateway) : undefined
  gateway.everyService(service => {
    if (idleConnTimeout?.value) service.set('pool.idleTimeout', inSeconds(idleConnTimeout))
    if (maxConnsPerHost?.value) service.set('pool.connections', maxConnsPerHost)
    service.set('tls', tlsInput)
  })
})
