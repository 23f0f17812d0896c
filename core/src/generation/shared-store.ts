import type { Shared } from '../contract/host.ts'
import type { Awaitable } from '../contract/hooks.ts'

interface Entry {
  readonly value: unknown
  readonly close: () => Awaitable<void>
  leases: number
}

/**
 * State that lives longer than a generation: connection pools, counters, caches. Counted by generation; what the last one
 * lets go of is closed. A value is known by its name alone, since the code that declares it is loaded anew at each reload.
 */
export class SharedStore {
  readonly #entries = new Map<string, Entry>()

  get names(): string[] {
    return [...this.#entries.keys()]
  }

  /** A new lease, for one generation to hold. */
  lease(): SharedLease {
    return new SharedLease(this.#entries)
  }
}

/** What one generation holds of the store. */
export class SharedLease {
  readonly #entries: Map<string, Entry>
  readonly #held = new Set<string>()

  constructor(entries: Map<string, Entry>) {
    this.#entries = entries
  }

  share<T>(shared: Shared<T>): T {
    let entry = this.#entries.get(shared.name)
    if (entry === undefined) {
      const value = shared.create()
      entry = { value, close: () => shared.close?.(value), leases: 0 }
      this.#entries.set(shared.name, entry)
    }
    if (!this.#held.has(shared.name)) {
      this.#held.add(shared.name)
      entry.leases++
    }
    // The name is the identity, so its declarations agree on the type.
    return entry.value as T
  }

  /** Closes what nobody else holds. Rejects with the first failure once all were tried. */
  async release(): Promise<void> {
    const closing: Awaitable<void>[] = []
    for (const name of this.#held) {
      const entry = this.#entries.get(name)
      if (entry === undefined || --entry.leases > 0) continue
      this.#entries.delete(name)
      closing.push((async () => entry.close())())
    }
    this.#held.clear()
    const failed = (await Promise.allSettled(closing)).find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
