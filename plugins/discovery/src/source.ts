import type { Awaitable } from '@gateway/core'

/** What somebody wants to hear of a source: see the kernel's `Discovery.watch`. */
export interface Listener<Found> {
  found(what: Found): void
  lost(reason: string): void
}

/**
 * One thing that is asked, and what it said last, for all who listen: whoever comes later is told at once. It lives as
 * long as a generation wants it, so a reload that leaves its options as they are leaves it alone.
 */
export class Source<Found> implements Listener<Found> {
  readonly #listeners = new Set<Listener<Found>>()
  readonly #close: () => Awaitable<void>
  #last: { readonly found: Found } | undefined
  #reason: string | undefined

  /** `open` begins to look, may speak at once, and returns what ends it. */
  constructor(open: (self: Listener<Found>) => () => Awaitable<void>) {
    this.#close = open(this)
  }

  found(what: Found): void {
    this.#last = { found: what }
    this.#reason = undefined
    for (const listener of this.#listeners) listener.found(what)
  }

  lost(reason: string): void {
    this.#reason = reason
    for (const listener of this.#listeners) listener.lost(reason)
  }

  /** Returns what ends it. */
  listen(listener: Listener<Found>): () => void {
    this.#listeners.add(listener)
    if (this.#last !== undefined) listener.found(this.#last.found)
    if (this.#reason !== undefined) listener.lost(this.#reason)
    return () => void this.#listeners.delete(listener)
  }

  close(): Awaitable<void> {
    this.#listeners.clear()
    return this.#close()
  }
}
