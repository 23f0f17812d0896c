interface Entry {
  readonly buffer: SharedArrayBuffer
  /** How often each worker has asked for it and not let go. */
  readonly holders: Map<number, number>
}

/** Memory that workers share, by name and length: there for as long as one of them holds it. */
export class MemoryRegistry {
  readonly #entries = new Map<string, Entry>()

  acquire(holder: number, name: string, byteLength: number): SharedArrayBuffer {
    const key = keyOf(name, byteLength)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { buffer: new SharedArrayBuffer(byteLength), holders: new Map() }
      this.#entries.set(key, entry)
    }
    entry.holders.set(holder, (entry.holders.get(holder) ?? 0) + 1)
    return entry.buffer
  }

  letGo(holder: number, name: string, byteLength: number): void {
    const key = keyOf(name, byteLength)
    const holders = this.#entries.get(key)?.holders
    const left = (holders?.get(holder) ?? 1) - 1
    if (left === 0) this.#drop(holder, key)
    else holders?.set(holder, left)
  }

  letGoAll(holder: number): void {
    for (const key of this.#entries.keys()) this.#drop(holder, key)
  }

  /** Those whose name begins like this. */
  buffers(prefix: string): SharedArrayBuffer[] {
    return [...this.#entries].filter(([key]) => key.startsWith(prefix)).map(([, { buffer }]) => buffer)
  }

  #drop(holder: number, key: string): void {
    const holders = this.#entries.get(key)?.holders
    holders?.delete(holder)
    if (holders?.size === 0) this.#entries.delete(key)
  }
}

const keyOf = (name: string, byteLength: number) => `${name} ${byteLength}`
