import type { Log } from '@gateway/core'
import { createClient } from '@redis/client'
import type { RedisOptions } from './options.ts'

export type Send = (command: string[]) => Promise<unknown>

type Client = ReturnType<typeof newClient>

const retryMs = { first: 100, longest: 2_000 }
/** Answers in a row that come too late before the connection is given up. One alone may be a pause of ours. */
const patience = 3

/**
 * A connection to Redis that is either good or gone. A command never waits for a connection; one that fails or is late
 * is answered by undefined. When it is gone all that waits is answered at once, the log says so once, and it is tried
 * again, at most 2 s apart, until `probe` succeeds.
 */
export class RedisLink {
  readonly #options: RedisOptions
  readonly #log: Log
  readonly #meanwhile: string
  readonly #probe: (send: Send) => Promise<unknown>
  #client: Client | undefined
  #opening: Client | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = retryMs.first
  #late = 0
  #down = false
  #closed = false

  constructor(options: RedisOptions, log: Log, meanwhile: string, probe: (send: Send) => Promise<unknown>) {
    this.#options = options
    this.#log = log
    this.#meanwhile = meanwhile
    this.#probe = probe
  }

  get ready(): boolean {
    return this.#client !== undefined
  }

  /** Resolves when this try has succeeded or failed; never rejects. */
  async open(): Promise<void> {
    const client = newClient(this.#options)
    this.#opening = client
    client.on('error', error => this.#lost(client, error))
    // Also for the hand-shake: a server that is stopped accepts connections and says nothing.
    const { promise: late, reject } = Promise.withResolvers<never>()
    const { connectTimeout } = this.#options
    const timer = setTimeout(() => reject(new Error(`not ready within ${connectTimeout} ms`)), connectTimeout).unref()
    try {
      await Promise.race([this.#prepare(client), late])
      if (this.#opening === client) this.#gained(client)
    } catch (error) {
      this.#lost(client, error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #prepare(client: Client): Promise<void> {
    await client.connect()
    const began = performance.now()
    await this.#probe(command => client.sendCommand(command))
    const ms = performance.now() - began
    // It would be given up again at once.
    if (ms > this.#options.timeout) throw new Error(`a first decision took ${Math.ceil(ms)} ms`)
  }

  /** The reply, an Error when Redis refuses, or undefined when there is none in time. */
  send(command: string[]): Promise<unknown> {
    const client = this.#client
    if (client === undefined) return Promise.resolve(undefined)
    return new Promise(resolve => {
      let settled = false
      const settle = (reply: unknown) => {
        settled = true
        clearTimeout(timer)
        resolve(reply)
      }
      // After a pause of this process timers come before the sockets' turn, and the reply may be there already.
      const timer = setTimeout(() => setImmediate(tooLate), this.#options.timeout)
      const tooLate = () => {
        if (settled) return
        settle(undefined)
        if (++this.#late >= patience) this.#lost(client, new Error(`${patience} answers in a row were too late`))
      }
      client.sendCommand(command).then(
        reply => {
          if (!settled) this.#late = 0
          settle(reply)
        },
        // One that the server sent, or one of the connection's end.
        error => settle(client.isReady ? error : undefined),
      )
    })
  }

  /** For what shows only in its replies: it goes down, until a probe succeeds. */
  fail(error: unknown): void {
    if (this.#client !== undefined) this.#lost(this.#client, error)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    for (const client of [this.#client, this.#opening]) if (client !== undefined) this.#lost(client, undefined)
  }

  #gained(client: Client): void {
    this.#opening = undefined
    this.#client = client
    this.#late = 0
    this.#retryMs = retryMs.first
    if (this.#down) this.#log.info('Redis is back: rate limits are shared again')
    this.#down = false
  }

  #lost(client: Client, error: unknown): void {
    if (client !== this.#client && client !== this.#opening) return
    this.#client = undefined
    this.#opening = undefined
    // Rejects whatever waits for it.
    if (client.isOpen) client.destroy()
    if (this.#closed) return
    if (!this.#down) this.#log.warn(`Redis is gone: ${this.#meanwhile}`, { err: error })
    this.#down = true
    // Not all gateways at the same instant.
    this.#retry = setTimeout(() => void this.open(), this.#retryMs * (0.5 + Math.random() / 2)).unref()
    this.#retryMs = Math.min(2 * this.#retryMs, retryMs.longest)
  }
}

function newClient({ url, socket, username, password, database, tls, connectTimeout }: RedisOptions) {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const common = { connectTimeout, reconnectStrategy: false as const }
  const tcp = { ...common, host, port: Number(port || 6379) }
  return createClient({
    socket:
      socket !== undefined
        ? { ...common, path: socket, tls: false }
        : protocol === 'redis:'
          ? tcp
          : {
              ...tcp,
              tls: true,
              ...(tls?.ca && { ca: tls.ca.value }),
              ...(tls?.cert && { cert: tls.cert.value }),
              ...(tls?.key && { key: tls.key.value }),
              ...(tls?.serverName !== undefined && { servername: tls.serverName }),
            },
    ...(username !== undefined && { username }),
    ...(password && { password: password.value }),
    database,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  })
}
