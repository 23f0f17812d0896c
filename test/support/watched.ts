import { Http2Pool } from '../../core/src/http2/client.ts'
import { Listener } from '../../core/src/listen/listener.ts'
import { Pool } from '../../core/src/upstream/pool.ts'

/** Seen at work in this process. The gateway shows neither its pools nor its listeners, and leaks hide in both. */
export const pools = new Set<Pool>()
export const http2Pools = new Set<Http2Pool>()
export const listeners = new Set<Listener>()

const { request } = Pool.prototype
Pool.prototype.request = function (...args) {
  pools.add(this)
  return request.apply(this, args)
}
const { request: request2 } = Http2Pool.prototype
Http2Pool.prototype.request = function (...args) {
  http2Pools.add(this)
  return request2.apply(this, args)
}
const { listen } = Listener.prototype
Listener.prototype.listen = function () {
  listeners.add(this)
  return listen.call(this)
}
