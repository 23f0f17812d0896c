import type { ListenerModel } from '../config/model.ts'
import type { Log } from '../contract/host.ts'
import type { WorkerGroup } from '../group/worker-group.ts'
import { Listener, type ListenerAddress, type ListenerEvents } from './listener.ts'

/** Ports by listener, as a set of listeners names them: `127.0.0.1:8080`. */
export type Ports = ReadonlyMap<string, number>

/** Listeners made ready. Exactly one of the two has to be called. */
export interface PreparedListeners {
  readonly ports: Ports
  /** Cannot fail. */
  commit(): void
  /** Closes what was opened. */
  abort(): Promise<void>
}

/** The listeners of a gateway, by host and port. */
export class ListenerSet {
  readonly #events: ListenerEvents
  readonly #log: Log
  readonly #group: WorkerGroup
  #open = new Map<string, Listener>()
  readonly #closing = new Set<Promise<void>>()

  constructor(events: ListenerEvents, log: Log, group: WorkerGroup) {
    this.#events = events
    this.#log = log
    this.#group = group
  }

  get addresses(): ListenerAddress[] {
    return [...this.#open.values()].map(listener => listener.address)
  }

  get ports(): Ports {
    return portsOf(this.#open)
  }

  /**
   * Opens what is new, gives new settings to what stays, closes what is gone: all or nothing. What is gone lets its
   * exchanges end within `drainMs`.
   */
  async apply(models: readonly ListenerModel[], drainMs: number): Promise<void> {
    const prepared = await this.prepare(models, drainMs)
    prepared.commit()
  }

  /**
   * The first half of {@link apply}: opens what is new. `taken` are the ports that another worker listens on already; it
   * says which port 0 has become, too. `wanted` leaves out what is not to be opened yet.
   */
  async prepare(
    models: readonly ListenerModel[],
    drainMs: number,
    taken: Ports = new Map(),
    wanted: (address: string) => boolean = () => true,
  ): Promise<PreparedListeners> {
    const listeners = new Map([...byAddress(models)].filter(([address]) => wanted(address)))
    const changes = [...listeners].flatMap(([address, model]) => this.#open.get(address)?.prepare(model) ?? [])
    const opened: Listener[] = []
    const next = new Map<string, Listener>()
    const stopped = new Map<string, Listener>()
    const abort = async () => {
      await Promise.all(opened.map(listener => listener.close(0)))
      for (const [address, { model }] of stopped) await this.#reopen(address, model)
    }
    try {
      for (const [address, model] of listeners) {
        let listener = this.#open.get(address)
        if (listener === undefined) {
          listener = this.#create(address, model, taken)
          await this.#listen(listener, listeners, stopped, drainMs)
          opened.push(listener)
        }
        next.set(address, listener)
      }
    } catch (error) {
      await abort()
      throw error
    }
    const commit = () => {
      for (const change of changes) change()
      for (const [address, listener] of this.#open) {
        if (!next.has(address) && !stopped.has(address)) this.#close(listener, drainMs)
      }
      this.#open = next
    }
    return { ports: portsOf(next), commit, abort }
  }

  /** Resolves once every connection is closed, at the latest after `drainMs`. Patience: see {@link Listener.close}. */
  async close(drainMs: number, patience?: 'patient'): Promise<void> {
    for (const listener of this.#open.values()) this.#close(listener, drainMs, patience)
    this.#open.clear()
    await Promise.all(this.#closing)
  }

  #create(address: string, model: ListenerModel, taken: Ports): Listener {
    const port = taken.get(address)
    // Our own listeners on this port, on other addresses, would look like somebody else's.
    const own =
      port !== undefined || [...this.#open.values()].some(other => other.listening && other.address.port === model.port)
    return new Listener(model, this.#events, this.#log, { name: address, group: this.#group, port, own })
  }

  async #listen(
    listener: Listener,
    wanted: ReadonlyMap<string, ListenerModel>,
    stopped: Map<string, Listener>,
    drainMs: number,
  ): Promise<void> {
    try {
      await listener.listen()
    } catch (error) {
      // The port may be our own, on an address that is given up: then there is no way but to let go of it first.
      const { port } = listener.model
      const inTheWay = [...this.#open].filter(
        ([address, own]) => own.model.port === port && !wanted.has(address) && !stopped.has(address),
      )
      if (inTheWay.length === 0) throw error
      for (const [address, own] of inTheWay) {
        stopped.set(address, own)
        this.#close(own, drainMs)
      }
      await listener.listen()
    }
  }

  async #reopen(address: string, model: ListenerModel): Promise<void> {
    const listener = this.#create(address, model, new Map())
    try {
      await listener.listen()
      this.#open.set(address, listener)
    } catch (error) {
      this.#open.delete(address)
      this.#log.error('a port that was let go of for a new listener could not be had again', { err: error })
    }
  }

  #close(listener: Listener, drainMs: number, patience?: 'patient'): void {
    const closing: Promise<void> = listener.close(drainMs, patience).then(() => void this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}

function portsOf(listeners: ReadonlyMap<string, Listener>): Ports {
  return new Map([...listeners].map(([name, { address }]) => [name, address.port]))
}

/** What a set would call these. */
export function listenerNames(models: readonly ListenerModel[]): string[] {
  return [...byAddress(models).keys()]
}

/** Any number of listeners may ask for port 0; each gets a port of its own. */
function byAddress(models: readonly ListenerModel[]): Map<string, ListenerModel> {
  const addresses = new Map<string, ListenerModel>()
  for (const model of models) {
    const address = `${model.host ?? '*'}:${model.port}`
    let key = address
    for (let other = 2; addresses.has(key); other++) key = `${address}, ${other}`
    addresses.set(key, model)
  }
  return addresses
}
