import type { Awaitable } from '../contract/hooks.ts'
import type { Shared } from '../contract/host.ts'
import { alone, type WorkerGroup } from '../group/worker-group.ts'
import { OpenConnections } from '../tunnel/open-connections.ts'
import { machine, type Platform } from './platform.ts'
import { within } from './within.ts'

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
  readonly #closing = new Set<Promise<void>>()
  /** With whom state is shared beyond this thread. */
  readonly group: WorkerGroup
  /** Aborted when the gateway begins to close. */
  readonly closing = new AbortController()
  /** They go on when their generation is let go. */
  readonly connections: OpenConnections = new OpenConnections()

  /** What it all stands on. */
  readonly platform: Platform

  constructor(group: WorkerGroup = alone(), platform: Platform = machine) {
    this.group = group
    this.platform = platform
  }

  get names(): string[] {
    return [...this.#entries.keys()]
  }

  /** Takes note of something that closes in its own time. Its failure is nobody's concern any more. */
  closesLater(closing: Promise<void>): void {
    const done: Promise<void> = closing.catch(() => {}).then(() => void this.#closing.delete(done))
    this.#closing.add(done)
  }

  /** Resolves once all that closes in its own time has closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing)
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
  #released = false

  constructor(entries: Map<string, Entry>) {
    this.#entries = entries
  }

  /** @throws TypeError after the release: nobody would let go of the value again. */
  share<T>(shared: Shared<T>): T {
    if (this.#released) throw new TypeError(`"${shared.name}" is asked for by a generation that has been let go`)
    let entry = this.#entries.get(shared.name)
    if (entry === undefined) {
      const value = shared.create()
      entry = { value, close: closerOf(shared, value), leases: 0 }
      this.#entries.set(shared.name, entry)
    }
    if (!this.#held.has(shared.name)) {
      this.#held.add(shared.name)
      entry.leases++
    }
    // The name is the identity, so its declarations agree on the type.
    return entry.value as T
  }

  /** Closes what nobody else holds, and returns what failed to close, or did not within `limitMs`. */
  async release(limitMs: number): Promise<SharedFailure[]> {
    this.#released = true
    const failures: SharedFailure[] = []
    const closing = [...this.#held].map(name =>
      within(limitMs, this.letGo(name)).catch(error => void failures.push({ name, error })),
    )
    await Promise.all(closing)
    return failures
  }

  /** Of one value before the end of all. */
  async letGo(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    if (!this.#held.delete(name) || entry === undefined || --entry.leases > 0) return
    this.#entries.delete(name)
    await entry.close()
  }
}

const nothing = () => {}

/** The declaration is not kept without need: its `create` often knows a whole generation. */
function closerOf<T>(shared: Shared<T>, value: T): () => Awaitable<void> {
  return shared.close === undefined ? nothing : () => shared.close?.(value)
}

export interface SharedFailure {
  readonly name: string
  readonly error: unknown
}
