import { Readable } from 'node:stream'
import { GatewayError } from '@gateway/core'

/** Bytes that wait for readers before the upstream has to, once the body is not to be kept any more. */
const highWaterMark = 65_536
const leastBlock = 16_384

export interface SpoolOptions {
  /** Of the body; -1: only its end tells. */
  readonly length: number
  /** Bytes that may be held. */
  readonly limit: number
  /** Takes bytes of the store's; false: there is no room. Without it nothing is to be kept. */
  readonly reserve: ((bytes: number) => boolean) | undefined
  release(bytes: number): void
  /** The body was there in whole; undefined: it was too large, is not wanted any more, or broke off. Once. */
  onEnd(body: Uint8Array | undefined): void
}

/**
 * A body on its way from an upstream to any number of readers, each at its own pace, and into the cache. As long as it may
 * be kept all of it is held, which `limit` bounds. When it turns out too large, what all have read is let go, the fastest
 * reader sets the pace, and who falls behind by more than `limit` is cut off: one client must not stop the others.
 */
export class Spool {
  /** Copies: a view of what was delivered would keep all that came with it. */
  #blocks: { readonly bytes: Uint8Array; filled: number }[] = []
  /** Offset of the first block, and of the end of what has come. */
  #start = 0
  #end = 0
  #reserved = 0
  #state: 'filling' | 'whole' | 'broken' = 'filling'
  #error: Error | undefined
  #keeps: boolean
  readonly #readers = new Set<SpoolReader>()
  readonly #source: Readable
  readonly #options: SpoolOptions

  constructor(source: Readable, options: SpoolOptions) {
    this.#source = source
    this.#options = options
    this.#keeps = options.reserve !== undefined
    // As a rule a short body has come with its head.
    for (let piece: unknown = source.read(); piece instanceof Uint8Array; piece = source.read()) this.#append(piece)
    if (options.length === this.#end) this.#finish()
    else this.#listen()
  }

  #listen(): void {
    const source = this.#source
    source.on('data', (piece: Uint8Array) => this.#append(piece))
    source.on('end', () => this.#finish())
    source.on('error', error => this.#break(error))
  }

  /** Bytes, where that is known. */
  get length(): number {
    return this.#options.length
  }

  /** All of it, once it is there and was not too large. */
  get body(): Uint8Array | undefined {
    if (this.#state !== 'whole' || this.#start > 0 || this.#blocks.length > 1) return undefined
    return this.#blocks[0]?.bytes.subarray(0, this.#end) ?? empty
  }

  /** It can be read from its first byte. */
  get joinable(): boolean {
    return this.#start === 0
  }

  /** A stream of all of it. `onGone` is called when its reader has gone or has had everything. */
  reader(onGone: () => void): Readable {
    const reader = new SpoolReader(this, onGone)
    this.#readers.add(reader)
    return reader
  }

  /** Nobody wants it any more. */
  abandon(): void {
    if (this.#state === 'filling') this.#break(new Error('nobody wants the body any more'))
    this.#source.destroy()
  }

  /** What has come from an offset on, up to the end of a block; undefined: nothing yet. */
  feed(reader: SpoolReader): void {
    let from = this.#start
    for (const { filled, bytes } of this.#blocks) {
      if (reader.offset < from + filled) {
        const piece = bytes.subarray(reader.offset - from, filled)
        reader.offset += piece.byteLength
        reader.push(piece)
        return this.#look()
      }
      from += filled
    }
    if (this.#state === 'whole') reader.push(null)
    else if (this.#state === 'broken') reader.destroy(this.#error)
    else {
      reader.hungry = true
      this.#look()
    }
  }

  leave(reader: SpoolReader): void {
    this.#readers.delete(reader)
    this.#look()
  }

  #append(piece: Uint8Array): void {
    if (this.#state !== 'filling') return
    if (this.#keeps && !this.#mayKeep(piece.byteLength)) this.#giveUpKeeping()
    const { length } = this.#options
    for (let rest = piece; rest.byteLength > 0; ) {
      let tail = this.#blocks.at(-1)
      if (tail === undefined || tail.filled === tail.bytes.byteLength) {
        const size = length > 0 ? length - this.#end : Math.max(rest.byteLength, leastBlock)
        tail = { bytes: Buffer.allocUnsafeSlow(Math.max(1, size)), filled: 0 }
        this.#blocks.push(tail)
      }
      const taken = rest.subarray(0, tail.bytes.byteLength - tail.filled)
      tail.bytes.set(taken, tail.filled)
      tail.filled += taken.byteLength
      this.#end += taken.byteLength
      rest = rest.subarray(taken.byteLength)
    }
    for (const reader of [...this.#readers]) if (reader.hungry) reader.wake()
    this.#look()
  }

  #mayKeep(bytes: number): boolean {
    const { limit, reserve } = this.#options
    if (this.#end + bytes > limit || reserve?.(bytes) !== true) return false
    this.#reserved += bytes
    return true
  }

  #giveUpKeeping(): void {
    this.#keeps = false
    this.#release()
    this.#options.onEnd(undefined)
  }

  /** Where nothing is kept: lets go of what all have read, and sees to the pace. */
  #look(): void {
    // Before the first reader nobody is late, and after the last it is abandoned.
    if (this.#keeps || this.#state !== 'filling' || this.#readers.size === 0) return
    const { limit } = this.#options
    let slowest = this.#end
    let hungry = false
    for (const reader of this.#readers) {
      if (reader.offset < this.#end - limit) {
        this.#readers.delete(reader)
        reader.destroy(tooSlow(limit))
        continue
      }
      slowest = Math.min(slowest, reader.offset)
      hungry ||= reader.hungry
    }
    for (let [first] = this.#blocks; first !== undefined; [first] = this.#blocks) {
      const isFull = first.filled === first.bytes.byteLength
      if (this.#start + first.filled > slowest || !isFull) break
      this.#start += first.filled
      this.#blocks.shift()
    }
    if (hungry || this.#end - slowest < highWaterMark) this.#source.resume()
    else this.#source.pause()
  }

  #finish(): void {
    if (this.#state !== 'filling') return
    if (this.#keeps && (this.#blocks.length > 1 || (this.#blocks[0]?.bytes.byteLength ?? 0) > this.#end)) {
      // In one piece and no longer than it is.
      const bytes = Buffer.allocUnsafeSlow(this.#end)
      let at = 0
      for (const block of this.#blocks) {
        bytes.set(block.bytes.subarray(0, block.filled), at)
        at += block.filled
      }
      this.#blocks = [{ bytes, filled: this.#end }]
    }
    this.#state = 'whole'
    this.#release()
    if (this.#keeps) this.#options.onEnd(this.#blocks[0]?.bytes ?? empty)
    this.#tellReaders()
  }

  #break(error: Error): void {
    if (this.#state !== 'filling') return
    this.#state = 'broken'
    this.#error = error
    this.#release()
    if (this.#keeps) this.#options.onEnd(undefined)
    this.#tellReaders()
  }

  #tellReaders(): void {
    for (const reader of [...this.#readers]) if (reader.hungry) reader.wake()
  }

  #release(): void {
    this.#options.release(this.#reserved)
    this.#reserved = 0
  }
}

const empty = new Uint8Array(0)

class SpoolReader extends Readable {
  offset = 0
  /** It has had all that there is. */
  hungry = false
  readonly #spool: Spool
  readonly #onGone: () => void

  constructor(spool: Spool, onGone: () => void) {
    super({ highWaterMark })
    this.#spool = spool
    this.#onGone = onGone
    // Whoever sends it hears of an error.
    this.on('error', () => {})
  }

  wake(): void {
    this.hungry = false
    this.#spool.feed(this)
  }

  override _read(): void {
    if (!this.hungry) this.#spool.feed(this)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#spool.leave(this)
    this.#onGone()
    done(error)
  }
}

function tooSlow(limit: number): GatewayError {
  const message = `the client fell behind others that share its answer by more than ${limit} bytes`
  return new GatewayError('CACHE_CLIENT_TOO_SLOW', message, { status: 503, source: 'client', title: 'Too slow' })
}
