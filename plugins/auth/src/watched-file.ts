import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Log } from '@gateway/core'

const maxBytes = 1024 ** 2

/**
 * What a file says, kept up to date by whoever calls `check` now and then. Polled rather than watched: a poll sees a
 * symlink swapped on the way to the file, as Kubernetes does it, and leaves nothing open.
 */
export class WatchedFile<T> {
  readonly path: string
  #value: T
  #text: string
  #stamp = ''
  #complaint = ''
  readonly #parse: (text: string) => T
  readonly #log: Log

  /** @throws Error that names the file, when it cannot be read or does not parse */
  constructor(path: string, parse: (text: string) => T, log: Log) {
    this.path = resolve(path)
    this.#parse = parse
    this.#log = log
    try {
      this.#text = readFileSync(this.path, 'utf8')
      this.#value = parse(this.#text)
    } catch (error) {
      throw new Error(`${this.path}: ${reasonOf(error)}`, { cause: error })
    }
  }

  /** The same object until the file says something else. */
  get value(): T {
    return this.#value
  }

  /** Looks again. What cannot be read or does not parse leaves the old value in force, and the log says so once. */
  async check(): Promise<void> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(this.path)
      const stamp = `${mtimeMs} ${ctimeMs} ${size} ${ino}`
      if (stamp === this.#stamp) return
      if (size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`)
      const text = await readFile(this.path, 'utf8')
      if (text !== this.#text) {
        this.#value = this.#parse(text)
        this.#text = text
        this.#log.info('a file was read anew', { file: this.path })
      }
      // Only now: a file that was read while it was being written is read again.
      this.#stamp = stamp
      this.#complaint = ''
    } catch (error) {
      const reason = reasonOf(error)
      if (reason === this.#complaint) return
      this.#complaint = reason
      this.#log.warn('a file cannot be used, what it said before stays in force', { file: this.path, reason })
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
