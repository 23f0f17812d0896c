import { hash, randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'

/** What a config keeps of a credential. */
export type CredentialHash =
  | { readonly kind: 'sha256'; readonly digest: Buffer }
  | { readonly kind: 'scrypt'; readonly digest: Buffer; readonly salt: Buffer; readonly cost: ScryptOptions }

const sha256Form = /^(?:sha256:)?([0-9a-f]{64})$/i
/** As the PHC string format has it. */
const scryptForm = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

/** Memory that one scrypt may take: what a config asks for beyond it is refused. */
const maxMemory = 256 * 1024 ** 2

/**
 * Reads `sha256:` and 64 hexadecimal digits, or the digits alone, or `$scrypt$ln=15,r=8,p=1$salt$hash`.
 *
 * @returns undefined when it is neither
 */
export function parseHash(text: string): CredentialHash | undefined {
  const [, hex] = sha256Form.exec(text) ?? []
  if (hex !== undefined) return { kind: 'sha256', digest: Buffer.from(hex, 'hex') }
  const [, ln, r, p, salt = '', digest = ''] = scryptForm.exec(text) ?? []
  const cost = costOf(Number(ln), Number(r), Number(p))
  if (ln === undefined || cost === undefined) return undefined
  return { kind: 'scrypt', salt: Buffer.from(salt, 'base64'), digest: Buffer.from(digest, 'base64'), cost }
}

function costOf(ln: number, r: number, p: number): ScryptOptions | undefined {
  if (!(ln >= 1 && ln <= 20 && r >= 1 && p >= 1 && p <= 16) || 128 * 2 ** ln * r > maxMemory) return undefined
  return { N: 2 ** ln, r, p, maxmem: 2 * maxMemory }
}

export const sha256Hex = (text: string): string => hash('sha256', text)

export function formatSha256(text: string): string {
  return `sha256:${sha256Hex(text)}`
}

/** OWASP's parameters for scrypt: 32 MB and some 100 ms. */
export function formatScrypt(text: string): string {
  const salt = randomBytes(16)
  const digest = scryptSync(text, salt, 32, { N: 2 ** 15, r: 8, p: 3, maxmem: maxMemory })
  const bare = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')
  return `$scrypt$ln=15,r=8,p=3$${bare(salt)}$${bare(digest)}`
}

/** Compares in constant time. */
export function isSha256Of(text: string, digest: Buffer): boolean {
  return timingSafeEqual(Buffer.from(sha256Hex(text), 'hex'), digest)
}

/** That may wait: all together, and those of one client, or its guesses would keep all others out. */
const mostWaiting = 64
const mostOfOne = 32

/**
 * Scrypt is meant to be dear, so that guessing is: two at a time leave the thread pool room for the rest of the gateway,
 * and a short queue keeps a flood of guesses from growing into memory.
 */
export class ScryptQueue {
  #running = 0
  readonly #waiting: { readonly client: string; readonly go: () => void }[] = []

  /** Undefined: too many wait already, or too many of this client. Compares in constant time. */
  async verify(
    text: string,
    { salt, digest, cost }: CredentialHash & { kind: 'scrypt' },
    client: string,
  ): Promise<boolean | undefined> {
    if (this.#running >= 2) {
      const own = this.#waiting.filter(one => one.client === client)
      if (this.#waiting.length >= mostWaiting || own.length >= mostOfOne) return undefined
      await new Promise<void>(go => this.#waiting.push({ client, go }))
    } else this.#running++
    try {
      return timingSafeEqual(await derive(text, salt, digest.length, cost), digest)
    } finally {
      // The place is handed on as it is.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next.go()
    }
  }
}

function derive(text: string, salt: Buffer, length: number, cost: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(text, salt, length, cost, (error, key) => (error === null ? resolve(key) : reject(error))),
  )
}
