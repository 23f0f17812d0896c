import type { ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'

/** DATA of fewer bytes is gathered, so many of them together. */
const smallFrame = 1024
const gatheredBytes = 4096

/**
 * Gathers small DATA frames that come while nobody reads. node:http2 keeps an object of more than a hundred bytes for each:
 * of one byte each, those that the windows of a connection allow would take 700 MB.
 */
export class SmallFrames {
  readonly #h2: ServerHttp2Stream
  #room = nothing
  #used = 0

  constructor(h2: ServerHttp2Stream) {
    this.#h2 = h2
    h2.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      if (chunk !== null && chunk.length < smallFrame && h2.readableFlowing !== true) return this.#gather(chunk)
      this.flush()
      return Duplex.prototype.push.call(h2, chunk, encoding)
    }
  }

  /** Before somebody reads: a stream that has been told of nothing does not ask for more. */
  flush(): void {
    if (this.#used === 0) return
    const gathered = this.#room.subarray(0, this.#used)
    this.#room = nothing
    this.#used = 0
    Duplex.prototype.push.call(this.#h2, gathered)
  }

  /** Leaves the stream to somebody else, as it was. */
  release(): void {
    this.flush()
    Reflect.deleteProperty(this.#h2, 'push')
  }

  /** False keeps the window of the stream from opening. */
  #gather(chunk: Uint8Array): false {
    if (this.#used + chunk.length > this.#room.length) {
      this.flush()
      this.#room = Buffer.allocUnsafeSlow(gatheredBytes)
    }
    this.#room.set(chunk, this.#used)
    this.#used += chunk.length
    return false
  }
}

const nothing = Buffer.alloc(0)
