import type { ClientStream } from './client-stream.ts'
import type { ReplayBuffer } from './replay-buffer.ts'
import type { Topic } from './topic.ts'

/** Topics without clients whose events are kept. The oldest has to go for one more. */
const mostKept = 1_000

interface Kept {
  readonly buffer: ReplayBuffer
  readonly timer: NodeJS.Timeout
}

/** What is under way, of whichever generation. */
export class Streams {
  /** Undefined within: it could not be opened. */
  readonly topics = new Map<string, Promise<Topic | undefined>>()
  readonly #kept = new Map<string, Kept>()
  readonly #open = new Map<ClientStream, number>()
  readonly #counts = new Map<string, number>()
  readonly #closing: AbortSignal
  readonly #onClosing = () => {
    for (const [client, retryMs] of this.#open) finishSoon(client, retryMs)
  }

  /** `closing`: clients are sent away then, and told when to come back. */
  constructor(closing: AbortSignal) {
    this.#closing = closing
    closing.addEventListener('abort', this.#onClosing)
  }

  /** Nobody asks for it any more. Streams still open go on without it. */
  close(): void {
    this.#closing.removeEventListener('abort', this.#onClosing)
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
    this.#kept.clear()
  }

  add(client: ClientStream, retryMs: number): ClientStream {
    if (this.#closing.aborted) finishSoon(client, retryMs)
    this.#open.set(client, retryMs)
    return client.once('close', () => this.#open.delete(client))
  }

  /** Counts one in under each name, unless that is more than a limit (0: none). Returns how to count it out again. */
  enter(limits: readonly (readonly [name: string, limit: number])[]): (() => void) | { readonly exceeded: number } {
    const exceeded = limits.findIndex(([name, limit]) => limit > 0 && (this.#counts.get(name) ?? 0) >= limit)
    if (exceeded !== -1) return { exceeded }
    for (const [name] of limits) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    return () => {
      for (const [name] of limits) {
        const left = (this.#counts.get(name) ?? 0) - 1
        if (left > 0) this.#counts.set(name, left)
        else this.#counts.delete(name)
      }
    }
  }

  /** Keeps a topic's events for a while. */
  keep(key: string, buffer: ReplayBuffer, maxAgeMs: number): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= mostKept && oldest !== undefined) this.takeKept(oldest)
    const timer = setTimeout(() => this.takeKept(key), maxAgeMs).unref()
    this.#kept.set(key, { buffer, timer })
  }

  takeKept(key: string): ReplayBuffer | undefined {
    const kept = this.#kept.get(key)
    clearTimeout(kept?.timer)
    this.#kept.delete(key)
    return kept?.buffer
  }
}

/** By chance up to half as late again, so that not all come back at once. */
function finishSoon(client: ClientStream, retryMs: number): void {
  client.finish(Math.round(retryMs * (1 + Math.random() / 2)))
}
