import type { Shared } from '@gateway/core'

/** Open connections under a name, in all and by client. */
class Counts {
  readonly #clients = new Map<string, number>()
  all = 0

  of(client: string): number {
    return this.#clients.get(client) ?? 0
  }

  add(client: string): void {
    this.all++
    this.#clients.set(client, this.of(client) + 1)
  }

  remove(client: string): void {
    this.all--
    const left = this.of(client) - 1
    if (left > 0) this.#clients.set(client, left)
    else this.#clients.delete(client)
  }
}

/** By route; those of all routes together under the empty name, which no route has. */
class RouteCounts {
  readonly #routes = new Map<string, Counts>()

  of(route: string): Counts {
    let counts = this.#routes.get(route)
    if (counts === undefined) {
      counts = new Counts()
      this.#routes.set(route, counts)
    }
    return counts
  }
}

/** Connections outlive a reload, and so do their counts. */
export const sharedCounts: Shared<RouteCounts> = { name: 'websocket.connections', create: () => new RouteCounts() }
export type { Counts }
