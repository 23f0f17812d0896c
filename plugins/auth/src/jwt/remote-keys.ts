import type { Log } from '@gateway/core'
import { askJson, placeOf } from '../ask.ts'
import type { KeySource } from './key-ring.ts'
import { keysInJson, type VerificationKey } from './keys.ts'

export interface RemoteKeysOptions {
  /** Of a JWK Set, or of an OpenID provider's metadata that names one. */
  readonly url: string
  /** The URL is that of metadata, and these are the issuers of which one must be named there (OpenID Connect Discovery 1.0 section 4.3). */
  readonly issuers?: readonly string[] | undefined
  /** How long keys are good for, in milliseconds; they are fetched anew after three quarters of it. */
  readonly cacheMs: number
  /** How long they are used beyond that while the source is down. */
  readonly staleMs: number
  /** Between two fetches that somebody's token asked for, and the longest pause after failures. */
  readonly cooldownMs: number
  readonly timeoutMs: number
  readonly allowHttp: boolean
}

const none: readonly VerificationKey[] = []

/** Keys that are fetched, kept, and fetched anew in time. One fetch at a time, whoever asks for it. */
export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions
  readonly #now: () => number
  readonly #log: Log
  readonly #closing = new AbortController()
  #keys = none
  #content = ''
  /** When the keys in use came. */
  #fetchedAt = 0
  #startedAt = Number.NEGATIVE_INFINITY
  #dueAt = 0
  #failures = 0
  #fetch: Promise<void> | undefined

  constructor(options: RemoteKeysOptions, now: () => number, log: Log) {
    this.#options = options
    this.#now = now
    this.#log = log
  }

  get keys(): readonly VerificationKey[] {
    const { cacheMs, staleMs } = this.#options
    return this.#keys !== none && this.#now() > this.#fetchedAt + cacheMs + staleMs ? none : this.#keys
  }

  get ready(): boolean {
    return this.keys !== none
  }

  check(): void {
    if (this.#now() >= this.#dueAt) void this.#refresh()
  }

  async renew(): Promise<void> {
    if (this.#fetch !== undefined || this.#now() - this.#startedAt >= this.#options.cooldownMs) await this.#refresh()
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#dueAt = Number.POSITIVE_INFINITY
    this.#closing.abort(new Error('closed'))
    await this.#fetch
  }

  #refresh(): Promise<void> {
    this.#fetch ??= this.#load().finally(() => {
      this.#fetch = undefined
    })
    return this.#fetch
  }

  async #load(): Promise<void> {
    const { cacheMs, cooldownMs } = this.#options
    this.#startedAt = this.#now()
    try {
      const keys = await this.#read()
      // The same keys stay the same array, so that nothing which they verified has to be verified again.
      const content = JSON.stringify(
        keys.map(({ id, algorithms, key }) => [id, algorithms, key.export({ format: 'jwk' })]),
      )
      if (content !== this.#content || this.#keys === none) this.#keys = keys
      this.#content = content
      this.#fetchedAt = this.#now()
      this.#dueAt = this.#fetchedAt + cacheMs * 0.75
      if (this.#failures > 0) this.#log.info('keys can be fetched again', { url: placeOf(this.#options.url) })
      this.#failures = 0
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#dueAt = this.#now() + Math.min(cooldownMs, 1_000 * 2 ** this.#failures)
      this.#failures++
      const reason = error instanceof Error ? error.message : String(error)
      const inUse = this.keys === none ? 'there are none' : 'those fetched before stay in use'
      this.#log.warn(`keys for tokens could not be fetched, ${inUse}`, { reason, failures: this.#failures })
    }
  }

  async #read(): Promise<readonly VerificationKey[]> {
    const { url, issuers } = this.#options
    const document = await this.#ask(url)
    const set = issuers === undefined ? document : await this.#ask(this.#keysUrl(document, issuers))
    const { keys, faults } = keysInJson(set, { symmetric: false })
    if (keys.length === 0)
      throw new Error(`${placeOf(url)}: no usable key${faults.length > 0 ? `: ${faults.join('; ')}` : ''}`)
    if (faults.length > 0) this.#log.debug('keys were passed over', { url: placeOf(url), faults })
    return keys
  }

  #ask(url: string): Promise<Readonly<Record<string, unknown>>> {
    return askJson({ url, timeoutMs: this.#options.timeoutMs, signal: this.#closing.signal })
  }

  #keysUrl({ issuer, jwks_uri: url }: Readonly<Record<string, unknown>>, issuers: readonly string[]): string {
    const from = placeOf(this.#options.url)
    if (typeof issuer !== 'string' || !issuers.includes(issuer)) {
      throw new Error(`${from}: it is the metadata of another issuer, ${JSON.stringify(issuer)}`)
    }
    if (typeof url !== 'string' || !isAllowed(url, this.#options.allowHttp)) {
      throw new Error(`${from}: its "jwks_uri" is no URL that may be asked: ${JSON.stringify(url)}`)
    }
    return url
  }
}

/** https, or http to this machine, or http where that is allowed. Without user and password, which fetch refuses. */
export function isAllowed(text: string, allowHttp: boolean): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  if (protocol === 'https:') return true
  return protocol === 'http:' && (allowHttp || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}
