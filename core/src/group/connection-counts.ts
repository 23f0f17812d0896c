/** Open connections of a listener, and of each of its clients. A limit of 0 is none. */
export interface ConnectionCounts {
  /** Counts one more of the listener, unless it has `limit` of them. */
  enter(limit: number): boolean
  leave(): void
  /** Counts one more of the client, unless it has `limit` of them. What it returns counts it out again, to be called once. */
  add(address: string, limit: number): (() => void) | undefined
  /** How many there are of the client. */
  count(address: string): number
  /** Lets go of what the counts are kept in. */
  close(): void
}

/** Counts of one worker alone. */
export function localCounts(): ConnectionCounts {
  const clients = new Map<string, number>()
  let open = 0
  return {
    enter(limit) {
      if (limit > 0 && open >= limit) return false
      open++
      return true
    },
    leave() {
      open--
    },
    add(address, limit) {
      const count = clients.get(address) ?? 0
      if (limit > 0 && count >= limit) return undefined
      clients.set(address, count + 1)
      return () => {
        const left = (clients.get(address) ?? 1) - 1
        if (left === 0) clients.delete(address)
        else clients.set(address, left)
      }
    },
    count: address => clients.get(address) ?? 0,
    close() {},
  }
}
