import { Readable } from 'node:stream'
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
  const { body } = response
  const upstream = body === 'arrives' ? arriving(exchange) : body instanceof Readable ? body : piece(body)
  exchange.taken = upstream
  exchange.source = { resumeBody: () => {}, abort: () => upstream.destroy() }
  const wrapped = wrap(upstream)
  if (!(wrapped instanceof Readable)) throw new TypeError('wrapBody is given a function that returns a Readable')
  // It may fail while a hook is waited for and nobody reads it; sendHead looks.
  wrapped.on('error', () => {})
  response.body = wrapped
  response.bodyLength = -1
  adopt(exchange, response)
}

const piece = (bytes: Uint8Array | undefined) => Readable.from(bytes === undefined ? [] : [bytes])

/** What an attempt delivers, with back-pressure. */
function arriving(exchange: Exchange): Readable {
  const { source } = exchange
  const body = new Readable({
    read: () => source?.resumeBody(),
    destroy: (error, done) => {
      source?.abort()
      done(error)
    },
  })
  // Whoever reads it hears of an error; that nobody does must not end the process.
  body.on('error', () => {})
  for (const chunk of exchange.early.splice(0)) body.push(chunk.subarray())
  if (exchange.earlyEnd !== undefined) body.push(null)
  exchange.earlyEnd = undefined
  return body
}
