import type { Context } from '@gateway/core'
import type { ClientStream } from './client-stream.ts'
import type { Clock } from './clock.ts'
import type { ReplayBuffer } from './replay-buffer.ts'
import type { Topic } from './topic.ts'

/** Topics without clients whose events are kept. The oldest has to go for one more. */
const mostKept = 1_000

interface Kept {
  readonly buffer: ReplayBuffer
  readonly callOff: () => void
}

/** What is under way, of whichever generation. */
export class Streams {
  /** Undefined within: it could not be opened. */
  readonly topics = new Map<string, Promise<Topic | undefined>>()
  readonly #kept = new Map<string, Kept>()
  readonly #open = new Map<ClientStream, number>()
  readonly clock: Clock
  readonly #closing: AbortSignal
  readonly #onClosing = () => {
    for (const [client, retryMs] of this.#open) finishSoon(client, retryMs)
  }

  /** `closing`: clients are sent away then, and told when to come back. */
  constructor(closing: AbortSignal, clock: Clock) {
    this.clock = clock
    this.#closing = closing
    closing.addEventListener('abort', this.#onClosing)
  }

  /** Nobody asks for it any more. Streams still open go on without it. */
  close(): void {
    this.#closing.removeEventListener('abort', this.#onClosing)
    for (const { callOff } of this.#kept.values()) callOff()
    this.#kept.clear()
  }

  /** Sees to its end when the gateway closes, and lists it until then. */
  add(ctx: Context, client: ClientStream, retryMs: number): ClientStream {
    if (this.#closing.aborted) finishSoon(client, retryMs)
    ctx.staysOpen({
      protocol: 'sse',
      get messages() {
        return client.events
      },
      leave: () => finishSoon(client, retryMs),
    })
    this.#open.set(client, retryMs)
    return client.once('close', () => this.#open.delete(client))
  }

  /** Keeps a topic's events for a while. */
  keep(key: string, buffer: ReplayBuffer, maxAgeMs: number): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= mostKept && oldest !== undefined) this.takeKept(oldest)
    const callOff = this.clock.after(maxAgeMs, () => this.takeKept(key))
    this.#kept.set(key, { buffer, callOff })
  }

  takeKept(key: string): ReplayBuffer | undefined {
    const kept = this.#kept.get(key)
    kept?.callOff()
    this.#kept.delete(key)
    return kept?.buffer
  }
}

/** By chance up to half as late again, so that not all come back at once. */
function finishSoon(client: ClientStream, retryMs: number): void {
  client.finish(Math.round(retryMs * (1 + Math.random() / 2)))
}
