import type { Clock } from './clock.ts'
import type { ServerEvent } from './event-parser.ts'
import type { ReplayOptions } from './options.ts'

interface Kept {
  readonly bytes: Uint8Array
  /** The last event ID once it has been seen. */
  readonly id: string
  readonly at: number
}

/** The latest events of a topic, within bounds of number, bytes and age. */
export class ReplayBuffer {
  readonly #options: ReplayOptions
  readonly #clock: Clock
  #kept: Kept[] = []
  #bytes = 0
  #lastId = ''

  constructor(options: ReplayOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** Of the latest event that has been kept, '' when its upstream tells none. */
  get lastId(): string {
    this.#forget()
    return this.#kept.at(-1)?.id ?? ''
  }

  add(events: readonly ServerEvent[]): void {
    const at = this.#clock.now()
    for (const { bytes, id, comment } of events) {
      if (comment) continue
      if (id !== undefined) this.#lastId = id
      // A copy, since a view would keep all that came with it.
      this.#kept.push({ bytes: Uint8Array.from(bytes), id: this.#lastId, at })
      this.#bytes += bytes.length
    }
    this.#forget()
  }

  /** What came after an event; undefined when that is not known. */
  after(id: string): Uint8Array[] | undefined {
    this.#forget()
    const index = this.#kept.findLastIndex(event => event.id === id)
    return index === -1 ? undefined : this.#kept.slice(index + 1).map(({ bytes }) => bytes)
  }

  #forget(): void {
    const { events, bytes, maxAge } = this.#options
    const oldest = this.#clock.now() - maxAge
    let gone = 0
    for (const { bytes: own, at } of this.#kept) {
      if (this.#kept.length - gone <= events && this.#bytes <= bytes && at >= oldest) break
      this.#bytes -= own.length
      gone++
    }
    if (gone > 0) this.#kept = this.#kept.slice(gone)
  }
}
