import type { ListenerModel } from '../config/model.ts'
import type { Log } from '../contract/host.ts'
import { Listener, type ListenerAddress, type ListenerEvents } from './listener.ts'

/** The listeners of a gateway, by host and port. */
export class ListenerSet {
  readonly #events: ListenerEvents
  readonly #log: Log
  #open = new Map<string, Listener>()
  readonly #closing = new Set<Promise<void>>()

  constructor(events: ListenerEvents, log: Log) {
    this.#events = events
    this.#log = log
  }

  get addresses(): ListenerAddress[] {
    return [...this.#open.values()].map(listener => listener.address)
  }

  /**
   * Opens what is new, gives new settings to what stays, closes what is gone: all or nothing. What is gone lets its
   * exchanges end within `drainMs`.
   */
  async apply(models: readonly ListenerModel[], drainMs: number): Promise<void> {
    const wanted = byAddress(models)
    const changes = [...wanted].flatMap(([address, model]) => this.#open.get(address)?.prepare(model) ?? [])
    const opened: Listener[] = []
    const next = new Map<string, Listener>()
    const stopped = new Map<string, Listener>()
    try {
      for (const [address, model] of wanted) {
        let listener = this.#open.get(address)
        if (listener === undefined) {
          listener = new Listener(model, this.#events, this.#log)
          await this.#listen(listener, wanted, stopped, drainMs)
          opened.push(listener)
        }
        next.set(address, listener)
      }
    } catch (error) {
      await Promise.all(opened.map(listener => listener.close(0)))
      for (const [address, { model }] of stopped) await this.#reopen(address, model)
      throw error
    }
    for (const change of changes) change()
    for (const [address, listener] of this.#open) {
      if (!next.has(address) && !stopped.has(address)) this.#close(listener, drainMs)
    }
    this.#open = next
  }

  /** Resolves once every connection is closed, at the latest after `drainMs`. */
  async close(drainMs: number): Promise<void> {
    for (const listener of this.#open.values()) this.#close(listener, drainMs)
    this.#open.clear()
    await Promise.all(this.#closing)
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
    const listener = new Listener(model, this.#events, this.#log)
    try {
      await listener.listen()
      this.#open.set(address, listener)
    } catch (error) {
      this.#open.delete(address)
      this.#log.error('a port that was let go of for a new listener could not be had again', { err: error })
    }
  }

  #close(listener: Listener, drainMs: number): void {
    const closing: Promise<void> = listener.close(drainMs).then(() => void this.#closing.delete(closing))
    this.#closing.add(closing)
  }
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
