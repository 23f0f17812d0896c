import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Secret, Target } from '@gateway/core'

/** What a cookie says that was signed here: which target, and when that ends. */
export interface Ticket {
  /** Undefined: it is none of the service's any more. */
  readonly target: Target | undefined
  /** Seconds since the epoch; 0: never. */
  readonly expires: number
  /** Signed by a key that is on its way out. */
  readonly isOld: boolean
}

/**
 * Values of one service's cookies: `target.expires.signature`. The target is a digest under the key, so that clients learn
 * no address and nobody who guesses addresses can try them out; the signature covers the service, so that a cookie of one
 * says nothing to another.
 */
export class StickyCookies {
  readonly #service: string
  readonly #keys: readonly Secret[]
  /** Targets by their digests, of the list and the keys below. */
  readonly #known = new Map<string, Target>()
  #targets: readonly Target[] = []
  #values: readonly string[] = []

  constructor(service: string, keys: readonly Secret[]) {
    this.#service = service
    this.#keys = keys
  }

  issue({ url }: Target, expires: number): string {
    const key = this.#keys[0]?.value ?? ''
    const said = `${this.#digest(key, url)}.${expires.toString(36)}`
    return `${said}.${this.#sign(key, said)}`
  }

  /** Undefined for what was not signed here for this service, or is over at `now`, in seconds since the epoch. */
  read(value: string, targets: readonly Target[], now: number): Ticket | undefined {
    const [, said, digest = '', end = '', signature] = /^(([\w-]{16})\.([0-9a-z]{1,8}))\.([\w-]{22})$/.exec(value) ?? []
    if (said === undefined || signature === undefined) return undefined
    const given = Buffer.from(signature)
    const signer = this.#keys.findIndex(key => timingSafeEqual(Buffer.from(this.#sign(key.value, said)), given))
    const expires = Number.parseInt(end, 36)
    if (signer === -1 || (expires !== 0 && expires <= now)) return undefined
    this.#learn(targets)
    return { target: this.#known.get(digest), expires, isOld: signer > 0 }
  }

  #learn(targets: readonly Target[]): void {
    const values = this.#keys.map(key => key.value)
    if (targets === this.#targets && values.every((value, i) => value === this.#values[i])) return
    this.#targets = targets
    this.#values = values
    this.#known.clear()
    for (const target of targets) for (const key of values) this.#known.set(this.#digest(key, target.url), target)
  }

  #digest(key: string, url: string): string {
    return this.#mac(key, `target ${url}`, 16)
  }

  #sign(key: string, said: string): string {
    return this.#mac(key, `cookie ${said}`, 22)
  }

  /** Six bits a character. */
  #mac(key: string, text: string, length: number): string {
    return createHmac('sha256', key).update(`${this.#service}\0${text}`).digest('base64url').slice(0, length)
  }
}
