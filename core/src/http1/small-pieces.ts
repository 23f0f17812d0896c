import { Readable } from 'node:stream'

/** Pieces of fewer bytes are gathered, so many of them together. */
const smallPiece = 1024
const gatheredBytes = 4096

/**
 * Gathers the small pieces that come while nobody reads. Node keeps an object of more than a hundred bytes for each, a TLS
 * record or a DATA frame of one byte included: those that the windows of an HTTP/2 connection allow would take 700 MB.
 */
export class SmallPieces {
  readonly #stream: Readable
  readonly #mostBytes: number
  #room = nothing
  #used = 0

  /** The stream's source is told to wait at so many bytes. */
  constructor(stream: Readable, mostBytes: number) {
    this.#stream = stream
    this.#mostBytes = mostBytes
    stream.push = (piece: Uint8Array | null, encoding?: BufferEncoding) => {
      if (piece !== null && piece.length < smallPiece && stream.readableFlowing !== true) return this.#gather(piece)
      this.flush()
      return Readable.prototype.push.call(stream, piece, encoding)
    }
  }

  /** Some wait. */
  get any(): boolean {
    return this.#used > 0
  }

  /** Before somebody reads: a stream that was given nothing does not ask for more. */
  flush(): void {
    if (this.#used === 0) return
    const gathered = this.#room.subarray(0, this.#used)
    this.#room = nothing
    this.#used = 0
    Readable.prototype.push.call(this.#stream, gathered)
  }

  /** Leaves the stream to somebody else, as it was. */
  release(): void {
    this.flush()
    Reflect.deleteProperty(this.#stream, 'push')
  }

  #gather(piece: Uint8Array): boolean {
    if (this.#used + piece.length > this.#room.length) {
      this.flush()
      this.#room = Buffer.allocUnsafeSlow(gatheredBytes)
    }
    this.#room.set(piece, this.#used)
    this.#used += piece.length
    return this.#stream.readableLength + this.#used < this.#mostBytes
  }
}

const nothing = Buffer.alloc(0)
