import { createHash } from 'node:crypto'
import type { ServiceModel, TlsModel } from '../config/model.ts'
import { type Deadlines, deadlines } from '../http1/deadlines.ts'
import { Http2Pool } from '../http2/client.ts'
import { Pool } from '../upstream/pool.ts'
import type { RequestPool } from '../upstream/target.ts'

/** What a gateway takes from the machine it runs on: time, and connections to targets. Tests put others in its place. */
export interface Platform {
  /** Of exchanges. */
  readonly deadlines: Deadlines
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs a task at an interval of at most 24 days, without holding the process for it. What it returns ends that. */
  every(ms: number, task: () => void): () => void
  /** Likewise, once. */
  after(ms: number, task: () => void): () => void
  /** How to connect to a target; pools of one name are one. */
  pool(origin: string, service: ServiceModel): { readonly name: string; create(): RequestPool }
}

/** Beyond it a timer of Node's fires at once. */
const longestTimer = 2 ** 31 - 1

export const machine: Platform = {
  deadlines,
  now: () => Date.now(),
  every(ms, task) {
    const timer = setInterval(task, Math.min(ms, longestTimer)).unref()
    return () => clearInterval(timer)
  },
  after(ms, task) {
    const wait = Math.min(ms, longestTimer)
    const next = () => {
      callOff = machine.after(ms - wait, task)
    }
    const timer = setTimeout(wait < ms ? next : task, wait).unref()
    let callOff = () => clearTimeout(timer)
    return () => callOff()
  },
  pool(origin, { protocol, pool, tls }) {
    const options = {
      ...(pool.connections === undefined ? {} : { maxConnections: pool.connections }),
      ...(pool.queue === undefined ? {} : { maxQueued: pool.queue }),
      ...(pool.idleTimeout === undefined ? {} : { idleTimeout: pool.idleTimeout }),
      ...(pool.maxAge === undefined ? {} : { maxLifetime: pool.maxAge }),
      tls,
    }
    const version = protocol === 'http2' ? ' http2' : ''
    const secured = tls === undefined ? '' : ` tls ${fingerprint(tls)}`
    return {
      name: `gateway.pool ${origin} ${JSON.stringify(pool)}${version}${secured}`,
      create: () => (protocol === 'http2' ? new Http2Pool(origin, options) : new Pool(origin, options)),
    }
  },
}

/** Names are shown, and these options may hold a private key. */
function fingerprint(tls: TlsModel): string {
  return createHash('sha256').update(JSON.stringify(tls)).digest('base64url')
}
