import { Readable } from 'node:stream'
import { bodyStream } from './body-stream.ts'
import type { Exchange } from './exchange.ts'
import { adopt } from './response.ts'

/**
 * Puts a body that a plugin makes of the upstream's in its place.
 *
 * @throws TypeError when it is too late, or the answer is not an upstream's.
 */
export function takeBody(exchange: Exchange, wrap: (body: Readable) => Readable): void {
  const { response } = exchange
  if (response?.fromUpstream !== true || exchange.headSent || exchange.taken !== undefined) {
    throw new TypeError('only an answer from upstream has a body to wrap, once, and in onResponse')
  }
  const upstream = bodyStream(exchange, response.body)
  exchange.taken = upstream
  const wrapped = wrap(upstream)
  if (!(wrapped instanceof Readable)) throw new TypeError('wrapBody is given a function that returns a Readable')
  // It may fail while a hook is waited for and nobody reads it; sendHead looks.
  wrapped.on('error', () => {})
  response.body = wrapped
  response.bodyLength = -1
  adopt(exchange, response)
}
