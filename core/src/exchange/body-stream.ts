import { Readable } from 'node:stream'
import type { Exchange } from './exchange.ts'
import type { Response } from './response.ts'

/** The body of a response as a stream. An upstream's is what its attempt delivers from now on, with back-pressure. */
export function bodyStream(exchange: Exchange, body: Response['body']): Readable {
  if (body instanceof Readable) return body
  if (body !== 'arrives') return Readable.from(body === undefined ? [] : [body])
  const { source } = exchange
  const stream = new Readable({
    read: () => source?.resumeBody(),
    destroy: (error, done) => {
      source?.abort()
      done(error)
    },
  })
  // Whoever reads it hears of an error; that nobody does must not end the process.
  stream.on('error', () => {})
  for (const chunk of exchange.early.splice(0)) stream.push(chunk.subarray())
  if (exchange.earlyEnd !== undefined) stream.push(null)
  exchange.earlyEnd = undefined
  exchange.taken = stream
  exchange.source = { resumeBody: () => {}, abort: () => stream.destroy() }
  return stream
}
