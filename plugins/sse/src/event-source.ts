import type { Readable } from 'node:stream'
import { type FieldList, type Forwarded, GatewayError } from '@gateway/core'
import type { Clock } from './clock.ts'
import { EventParser, type ServerEvent } from './event-parser.ts'
import type { ReconnectOptions, StreamOptions } from './options.ts'

export interface SourceEvents {
  /** At least one. False: wait for `resume()`. */
  events(events: readonly ServerEvent[]): boolean
  /** Nothing more comes; `rest` is half an event that came before. */
  ended(error: Error | undefined, rest: Uint8Array): void
}

/** Asks the upstream for what came after an event; '' is for one that tells no ids. */
type Open = (lastId: string) => Promise<Forwarded>

/** An upstream's events, over as many connections as it takes. */
export class EventSource {
  lastId: string
  readonly #clock: Clock
  readonly #open: Open
  readonly #options: StreamOptions
  readonly #events: SourceEvents
  #parser: EventParser
  #body: Readable | undefined
  #callOff: () => void = () => {}
  /** Connections in a row that brought no event. */
  #fruitless = 0
  #retryMs: number | undefined
  #closed = false

  constructor(clock: Clock, options: StreamOptions, lastId: string, open: Open, events: SourceEvents) {
    this.#clock = clock
    this.#options = options
    this.#events = events
    this.#parser = new EventParser(options.maxEventSize)
    this.lastId = lastId
    this.#open = open
  }

  /** The first connection, or the next. */
  attach(body: Readable): void {
    this.#body = body
    this.#parser = new EventParser(this.#options.maxEventSize)
    body.on('data', (chunk: Uint8Array) => this.#read(chunk))
    body.on('end', () => this.#lost(undefined))
    body.on('error', error => this.#lost(error))
  }

  resume(): void {
    this.#body?.resume()
  }

  close(): void {
    this.#closed = true
    this.#callOff()
    this.#body?.destroy()
  }

  #read(chunk: Uint8Array): void {
    if (this.#closed) return
    let events: ServerEvent[]
    try {
      events = this.#parser.push(chunk)
    } catch (error) {
      return this.#end(error instanceof Error ? error : new Error(String(error)))
    }
    if (events.length === 0) return
    for (const { id, retry, comment } of events) {
      if (id !== undefined) this.lastId = isSendable(id) ? id : ''
      if (retry !== undefined) this.#retryMs = retry
      if (!comment) this.#fruitless = 0
    }
    if (!this.#events.events(events)) this.#body?.pause()
  }

  /** The end of a stream is a loss, too: events have none (section 9.2.3). */
  #lost(error: Error | undefined): void {
    if (this.#closed) return
    const { reconnect } = this.#options
    if (reconnect === undefined || this.#fruitless >= reconnect.attempts) return this.#end(error)
    const wait = waitBefore(this.#fruitless, this.#retryMs, reconnect)
    this.#callOff = this.#clock.after(wait, () => void this.#reopen())
    this.#fruitless++
  }

  async #reopen(): Promise<void> {
    try {
      const answer = await this.#open(this.lastId)
      if (!this.#closed && isEventStream(answer)) return this.attach(answer.body)
      answer.body.destroy()
      if (this.#closed) return
      // Any other answer is for the client, which gets it when it comes back: 204 tells it to stay away.
      if (answer.status < 500) this.#end(undefined)
      else this.#lost(new GatewayError('GATEWAY_UPSTREAM_INVALID', `${answer.target} answered ${answer.status}`))
    } catch (error) {
      this.#lost(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #end(error: Error | undefined): void {
    const { rest } = this.#parser
    this.close()
    this.#events.ended(error, rest)
  }
}

/** Doubling, and by chance a quarter longer, so that not all who lost one upstream come back at once. */
function waitBefore(fruitless: number, retryMs: number | undefined, { delay, maxDelay }: ReconnectOptions): number {
  return Math.min((retryMs ?? delay) * 2 ** fruitless * (1 + Math.random() / 4), maxDelay)
}

/** Whether a field can carry it. */
const isSendable = (id: string) => !/[^\t\x20-\x7e\x80-\xff]/.test(id)

export function isEventStream({ status, headers }: { readonly status: number; readonly headers: FieldList }): boolean {
  const coding = headers.get('content-encoding') ?? 'identity'
  return (
    status === 200 &&
    /^text\/event-stream[\t ]*(?:;|$)/i.test(headers.get('content-type') ?? '') &&
    coding.toLowerCase() === 'identity'
  )
}
