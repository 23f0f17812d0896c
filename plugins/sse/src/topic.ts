import { type Forwarded, GatewayError } from '@gateway/core'
import { ClientStream } from './client-stream.ts'
import type { Clock } from './clock.ts'
import type { ServerEvent } from './event-parser.ts'
import { EventSource } from './event-source.ts'
import type { ShareOptions, StreamOptions } from './options.ts'
import type { ReplayBuffer } from './replay-buffer.ts'

export type TopicOptions = StreamOptions & { readonly share: ShareOptions }

/** Reaches the upstream, until the signal says that nobody wants it any more. */
type OpenTopic = (lastId: string, signal: AbortSignal) => Promise<Forwarded>

/** One upstream stream and the clients that share it. */
export class Topic {
  readonly #clock: Clock
  readonly #options: TopicOptions
  readonly #onEmpty: () => void
  readonly #clients = new Set<ClientStream>()
  readonly #replay: ReplayBuffer | undefined
  readonly #source: EventSource
  readonly #stop = new AbortController()
  #open: OpenTopic
  #contentType = ''

  /** `onEmpty`: the upstream stream is over, or nobody wants it any more. */
  constructor(
    clock: Clock,
    options: TopicOptions,
    replay: ReplayBuffer | undefined,
    lastId: string,
    open: OpenTopic,
    onEmpty: () => void,
  ) {
    this.#clock = clock
    this.#options = options
    this.#open = open
    this.#onEmpty = onEmpty
    this.#replay = replay
    this.#source = new EventSource(clock, options, lastId, id => this.#open(id, this.#stop.signal), {
      events: events => this.#publish(events),
      ended: error => this.close(error),
    })
  }

  get closed(): boolean {
    return this.#stop.signal.aborted
  }

  get full(): boolean {
    return this.#clients.size >= this.#options.share.maxClients
  }

  get contentType(): string {
    return this.#contentType
  }

  /** The upstream's answer, which is the caller's to judge. */
  ask(): Promise<Forwarded> {
    return this.#open(this.#source.lastId, this.#stop.signal)
  }

  /** Takes an answer on. */
  start({ headers, body }: Forwarded): void {
    this.#contentType = headers.get('content-type') ?? ''
    this.#source.attach(body)
  }

  /**
   * A stream for a client that has seen everything up to an event. Undefined: what came since is not known here, and only
   * the upstream may know. `open`: how to reach the upstream by the latest who came, whose config is the newest.
   */
  join(seen: string, open: OpenTopic): ClientStream | undefined {
    const missed = seen === '' || seen === this.#source.lastId ? [] : this.#replay?.after(seen)
    if (missed === undefined) return undefined
    const client = new ClientStream(this.#clock, this.#options.heartbeat, this.#options.share.maxBuffer)
    this.#open = open
    this.#clients.add(client)
    client.onGone = () => {
      this.#clients.delete(client)
      if (this.#clients.size === 0) this.close(undefined)
    }
    if (missed.length > 0) client.send(Buffer.concat(missed), missed.length)
    return client
  }

  close(error: Error | undefined): void {
    if (this.closed) return
    this.#source.close()
    this.#stop.abort()
    this.#onEmpty()
    for (const client of this.#clients) {
      if (error === undefined) client.finish()
      else client.destroy(error)
    }
  }

  /** Never waits: those who do not keep up are a matter of their own. */
  #publish(events: readonly ServerEvent[]): true {
    this.#replay?.add(events)
    const bytes = bytesOf(events)
    const count = countOf(events)
    const { maxBuffer, slowClients } = this.#options.share
    for (const client of this.#clients) {
      const held = client.readableLength
      if (held === 0 || held + bytes.length <= maxBuffer) client.send(bytes, count)
      else if (slowClients === 'drop') client.destroy(tooSlow(maxBuffer))
    }
    return true
  }
}

/** Those that a client sees. */
export function countOf(events: readonly ServerEvent[]): number {
  let count = 0
  for (const { comment } of events) if (!comment) count++
  return count
}

export function bytesOf(events: readonly ServerEvent[]): Uint8Array {
  const all = events.map(({ bytes }) => bytes)
  const [first] = all
  if (first === undefined) return new Uint8Array(0)
  let end = first.byteOffset
  // As a rule they stand one behind the other in the piece that they came in.
  const inOne = all.every(({ buffer, byteOffset, length }) => {
    const follows = buffer === first.buffer && byteOffset === end
    end += length
    return follows
  })
  return inOne ? new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset) : Buffer.concat(all)
}

function tooSlow(limit: number): GatewayError {
  const message = `the client left more than ${limit} bytes of events unread`
  return new GatewayError('SSE_CLIENT_TOO_SLOW', message, { status: 503, source: 'client', title: 'Too slow' })
}
