import type { Builder } from '../build/builder.ts'
import { secretFile, secretText } from '../build/secret-text.ts'
import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, seconds, table, text, texts } from '../table/field.ts'
import { inSecondsOrDefault } from './units.ts'

const connections = { noEffect: 'requests share a connection', quiet: true }
const again = { noEffect: 'a connection that is lost is opened again at most 2 s later', quiet: true }

export const redisTable = table({
  enabled: flag({ noEffect: 'it counts where a store has the type redis', quiet: true }),
  host: text({ says: 'Host name or IP address.', default: 'localhost' }),
  port: integer({ says: 'Its port.', min: 0, max: 65_535, default: 6379 }),
  addresses: texts({ says: 'In place of host and port: the first one, `host:port`, counts.' }),
  password: text({ says: 'What it is told to let the gateway in.' }),
  db: integer({ says: 'The number of the database.', min: 0, default: 0 }),
  maxActive: integer(connections),
  maxIdle: integer(connections),
  poolSize: integer(connections),
  minIdleConns: integer(connections),
  maxConnAge: seconds(connections),
  idleTimeout: seconds(connections),
  connectTimeout: seconds({ says: 'To a connection.', min: 0, default: 1 }),
  dialTimeout: seconds({ says: 'Another name of connectTimeout.', min: 0 }),
  readTimeout: seconds({ says: 'For a decision; later than that it is made without Redis; default: 50 ms.', min: 0 }),
  writeTimeout: seconds({ noEffect: 'readTimeout counts it in', quiet: true }),
  maxRetries: integer(again),
  minRetryBackoff: integer(again),
  maxRetryBackoff: integer(again),
  tls: table({
    enabled: flag({ says: 'Whether TLS is spoken.', default: false }),
    insecureSkipVerify: flag({ says: 'Not to verify its certificate.', default: false }),
    certFile: text({ says: 'Path of the certificate shown to it, PEM.' }),
    keyFile: text({ says: 'Path of its key, PEM.' }),
    caFile: text({ says: 'Path of the authorities that it is verified by, PEM.' }),
  }),
  cluster: flag({ says: 'Whether it is a cluster.', default: false }),
  clusterNodes: texts({ says: 'Nodes of the cluster.' }),
  sentinel: flag({ says: 'Whether sentinels are asked for it.', default: false }),
  masterName: text({ says: 'What the sentinels call it.' }),
  sentinelNodes: texts({ says: 'The sentinels.' }),
})
export type GivenRedis = GivenOf<typeof redisTable>

/** A store of the plugin ratelimit. */
export function redisStore(redis: GivenRedis | undefined, { problems }: Builder): Input {
  for (const kind of [redis?.cluster, redis?.sentinel]) {
    if (kind?.value !== true) continue
    problems.unsupported(kind, 'one Redis is asked, no cluster and no sentinel: each gateway counts by itself')
    return 'memory'
  }
  const { host, port, addresses, password, db, tls, connectTimeout, dialTimeout, readTimeout } = redis ?? {}
  const secure = tls?.enabled?.value === true
  const [address = `${bracketed(host?.value ?? 'localhost')}:${port?.value || 6379}`] = addresses?.value ?? []
  const url = `${secure ? 'rediss' : 'redis'}://${address}`
  if (secure && tls?.insecureSkipVerify?.value)
    problems.unsupported(tls.insecureSkipVerify, 'certificates are always verified; name their authority in caFile')
  const files = { ca: secretFile(tls?.caFile), cert: secretFile(tls?.certFile), key: secretFile(tls?.keyFile) }
  const hasFiles = Object.values(files).some(file => file !== undefined)
  return {
    redis: {
      url: (addresses ?? host ?? port)?.map(() => url) ?? url,
      password: password?.value === '' ? undefined : secretText(password),
      database: db?.value ? db : undefined,
      tls: secure && hasFiles ? files : undefined,
      connectTimeout: inSecondsOrDefault(connectTimeout ?? dialTimeout),
      timeout: inSecondsOrDefault(readTimeout),
    },
  }
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
