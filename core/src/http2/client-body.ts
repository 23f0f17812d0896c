import type { ClientHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'

/** Who takes a body. */
export interface BodyReader {
  /** Return false to pause until `resume()`. */
  take(chunk: Uint8Array): boolean
  /** All has been taken, and the body was whole. */
  taken(): void
}

/**
 * The body of a response, taken where node:http2 hands it to its Readable, because of two things that a Readable loses.
 * Whether its end was END_STREAM: a reset with NO_ERROR and the end of the connection end a Readable all the same. And what
 * was read of a whole response, when the connection closes before the reader took it.
 */
export class IncomingBody {
  /** END_STREAM has come; undefined while more may come. */
  whole: boolean | undefined
  paused = false
  readonly #h2: ClientHttp2Stream
  readonly #reader: BodyReader
  /** What came before the head was handed on, or while paused: at most the stream's window. */
  readonly #pieces: Uint8Array[] = []
  #taken = 0
  #begun = false
  #settled = false
  #stopped = false

  constructor(h2: ClientHttp2Stream, reader: BodyReader) {
    this.#h2 = h2
    this.#reader = reader
    h2.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      if (chunk !== null) return this.#onData(chunk)
      // What ends the readable side without END_STREAM marks the stream closed before.
      this.whole ??= !h2.closed
      return Duplex.prototype.push.call(h2, null, encoding)
    }
    h2.on('end', () => this.settle())
    h2.resume()
  }

  /** Bytes that have come. */
  get bytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.length, this.#taken)
  }

  /** The head has been handed on: now the body may be. */
  begin(): void {
    this.#begun = true
    this.#deliver()
  }

  /** True when it flows again, false when there is nothing more to come, or the reader asked to wait anew. */
  resume(): boolean {
    if (!this.paused || this.#stopped) return false
    this.paused = false
    this.#deliver()
    if (this.paused || this.#stopped || this.#h2.destroyed) return false
    // What push() answered with false has kept the window from opening; this is how a Readable asks for more.
    this.#h2._read(0)
    return true
  }

  /** No event of the response is still to come: trailers, if any, have been told. */
  settle(): void {
    this.#settled = true
    this.#conclude()
  }

  /** Leaves the stream to somebody else, paused, with what has come of it. */
  release(): Uint8Array {
    const head = Buffer.concat(this.#pieces)
    this.stop()
    this.#h2.pause()
    Reflect.deleteProperty(this.#h2, 'push')
    return head
  }

  /** The reader hears no more. */
  stop(): void {
    this.#stopped = true
    this.#pieces.length = 0
  }

  /** False keeps the window of the stream from opening. */
  #onData(chunk: Uint8Array): boolean {
    if (this.#stopped) return true
    if (!this.#begun || this.paused || this.#pieces.length > 0) this.#pieces.push(chunk)
    else this.#pass(chunk)
    return !this.paused
  }

  #pass(chunk: Uint8Array): void {
    this.#taken += chunk.length
    if (!this.#reader.take(chunk)) this.paused = true
  }

  #deliver(): void {
    const pieces = this.#pieces
    let taken = 0
    while (!this.paused && !this.#stopped && taken < pieces.length) {
      const piece = pieces[taken++]
      if (piece !== undefined) this.#pass(piece)
    }
    pieces.splice(0, taken)
    this.#conclude()
  }

  #conclude(): void {
    if (!this.#begun || !this.#settled || this.whole !== true) return
    if (this.paused || this.#stopped || this.#pieces.length > 0) return
    this.#stopped = true
    this.#reader.taken()
  }
}
