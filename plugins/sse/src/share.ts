import type { Context, Reply } from '@gateway/core'
import { isEventStream } from './event-source.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import type { Streams } from './streams.ts'
import { Topic, type TopicOptions } from './topic.ts'

/** Answers with a stream that others read as well. Nothing: this request goes to the upstream by itself, also for an answer that is no stream. */
export async function joinTopic(ctx: Context, options: TopicOptions, streams: Streams): Promise<Reply | void> {
  const { route, service, host, path, query, headers } = ctx
  const { vary } = options.share
  const seen = headers.get('last-event-id') ?? ''
  const key = JSON.stringify([route, service, host, path, query, vary.map(name => headers.get(name) ?? null), options])
  const open = (lastId: string, signal: AbortSignal) =>
    ctx.forward({ headers: sharedFields(ctx, vary, lastId), signal })
  const join = (topic: Topic): Reply | undefined => {
    if (topic.closed) return undefined
    if (topic.full) return { status: 503, headers: { 'Retry-After': '5' }, body: 'too many clients on this stream\n' }
    const client = topic.join(seen, open)
    if (client === undefined) return undefined
    const body = streams.add(ctx, client, options.retry)
    return { status: 200, headers: { ...streamFields, 'Content-Type': topic.contentType }, body }
  }

  const there = streams.topics.get(key)
  if (there !== undefined) {
    const topic = await there
    return topic && join(topic)
  }

  const { promise, resolve } = Promise.withResolvers<Topic | undefined>()
  streams.topics.set(key, promise)
  const { buffer, lastId } = takeUp(options, streams, key, seen)
  const topic = new Topic(streams.clock, options, buffer, lastId, open, () => {
    streams.topics.delete(key)
    if (options.replay !== undefined && buffer !== undefined && buffer.lastId !== '') {
      streams.keep(key, buffer, options.replay.maxAge)
    }
  })
  try {
    const answer = await topic.ask()
    if (!isEventStream(answer)) {
      answer.body.destroy()
      topic.close(undefined)
      return undefined
    }
    topic.start(answer)
    const reply = join(topic)
    resolve(topic)
    return reply
  } catch (error) {
    topic.close(undefined)
    throw error
  } finally {
    // Does nothing after the above. Whoever waited for what could not be opened asks the upstream alone.
    resolve(undefined)
  }
}

/** A topic that had been left goes on where it stopped, for a client that its buffer has something for. */
function takeUp({ replay }: TopicOptions, streams: Streams, key: string, seen: string) {
  const kept = streams.takeKept(key)
  if (kept?.after(seen) !== undefined) return { buffer: kept, lastId: kept.lastId }
  return { buffer: replay && new ReplayBuffer(replay, streams.clock), lastId: seen }
}

export const streamFields = { 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' } as const

/** All that the upstream learns of a client that speaks for others as well. */
function* sharedFields(
  { headers }: Context,
  vary: readonly string[],
  lastId: string,
): Generator<[name: string, value: string]> {
  yield ['Accept', 'text/event-stream']
  yield ['Accept-Encoding', 'identity']
  for (const name of ['Host', ...vary]) for (const value of headers.getAll(name)) yield [name, value]
  if (lastId !== '') yield ['Last-Event-ID', lastId]
}
