import type { Context } from '@gateway/core'
import { ClientStream } from './client-stream.ts'
import { EventSource } from './event-source.ts'
import type { StreamOptions } from './options.ts'
import type { Streams } from './streams.ts'
import { bytesOf, countOf } from './topic.ts'

/** Puts heartbeats into the stream that an upstream answered with, and opens it again where it breaks off. */
export function relay(ctx: Context, options: StreamOptions, streams: Streams): void {
  // Only such a request can be sent again.
  const repeatable = ctx.method === 'GET' && ctx.bodyLength === 0
  ctx.wrapBody(body => {
    const client = new ClientStream(streams.clock, options.heartbeat)
    const source = new EventSource(
      streams.clock,
      repeatable ? options : { ...options, reconnect: undefined },
      ctx.headers.get('last-event-id') ?? '',
      lastId => ctx.forward({ headers: fieldsAfter(ctx, lastId) }),
      {
        events: events => client.send(bytesOf(events), countOf(events)),
        ended(error, rest) {
          if (error !== undefined) return void client.destroy(error)
          // Not all who read event streams wait for the blank line.
          if (rest.length > 0) client.send(rest, 0)
          client.finish()
        },
      },
    )
    client.onWanted = () => source.resume()
    client.onGone = () => source.close()
    source.attach(body)
    return streams.add(ctx, client, options.retry)
  })
}

function* fieldsAfter({ headers }: Context, lastId: string): Generator<[name: string, value: string]> {
  for (const field of headers) if (field[0].toLowerCase() !== 'last-event-id') yield field
  if (lastId !== '') yield ['Last-Event-ID', lastId]
}
