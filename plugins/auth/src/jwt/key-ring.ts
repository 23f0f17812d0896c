import type { VerificationKey } from './keys.ts'

/** Where keys come from. */
export interface KeySource {
  /** The same array until the keys are others. */
  readonly keys: readonly VerificationKey[]
  /** False: there should be keys, and none could be had. Default true. */
  readonly ready?: boolean
  /** Asks for newer keys; resolves when it is worth looking again. */
  renew?(): Promise<void>
  /** Called every second or so. */
  check?(): void | Promise<void>
}

/** The keys of all sources together. */
export class KeyRing implements KeySource {
  readonly #sources: readonly KeySource[]
  #seen: readonly (readonly VerificationKey[])[] = []
  #keys: readonly VerificationKey[] = []

  constructor(sources: readonly KeySource[]) {
    this.#sources = sources
  }

  get keys(): readonly VerificationKey[] {
    const sources = this.#sources
    for (let i = 0; i < sources.length; i++) {
      if (sources[i]?.keys !== this.#seen[i]) {
        this.#seen = sources.map(source => source.keys)
        this.#keys = this.#seen.flat()
        break
      }
    }
    return this.#keys
  }

  get ready(): boolean {
    return this.#sources.every(source => source.ready !== false)
  }

  async renew(): Promise<void> {
    await Promise.all(this.#sources.map(source => source.renew?.()))
  }

  async check(): Promise<void> {
    await Promise.all(this.#sources.map(source => source.check?.()))
  }
}
