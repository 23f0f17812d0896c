import type { Socket } from 'node:net'
import type { Fields } from './fields.ts'
import { releasePiece } from './socket-reader.ts'
import { atTurnEnd, type TurnWriter } from './turn-end.ts'
import type { BodyLength } from './wire.ts'

// Up to here one copy costs less than a second buffer in the write (writev).
const copyLimit = 16_384

/**
 * Writes the requests of one connection, one after the other. A head is held back until the first piece of its body or the
 * end of the turn, so that a small request is one write and mostly one packet.
 */
export class RequestWriter implements TurnWriter {
  /** The request has been handed to the socket whole. */
  ended = true
  readonly #socket: Socket
  #heldHead = ''
  #chunked = false
  /** What Content-Length still promises. */
  #remaining = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  start(head: string, bodyLength: BodyLength): void {
    this.ended = bodyLength === 0
    this.#chunked = bodyLength === -1
    this.#remaining = bodyLength
    this.#heldHead = head
    atTurnEnd(this)
  }

  /** False when the body runs past its Content-Length; the piece is not written then. */
  data(chunk: Uint8Array): boolean {
    // Written as a chunk, nothing would be the end of the body.
    if (chunk.length === 0) return true
    if (this.#chunked) {
      this.#write(`${this.#takeHead()}${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
      return true
    }
    if (chunk.length > this.#remaining) return false
    this.#remaining -= chunk.length
    this.#write(this.#takeHead(), chunk, '')
    return true
  }

  /** False when the body stops short of its Content-Length. Trailers need chunks (RFC 9112 section 7.1.2). */
  end(trailers: Fields | undefined): boolean {
    if (this.ended) return true
    if (this.#chunked) this.#socket.write(`${this.#takeHead()}0\r\n${trailers?.toText() ?? ''}\r\n`, 'latin1')
    else if (this.#remaining > 0) return false
    this.ended = true
    return true
  }

  /** Nothing of the request has been handed to the socket. */
  get held(): boolean {
    return this.#heldHead !== ''
  }

  onTurnEnd(): void {
    if (this.#heldHead !== '') this.#socket.write(this.#takeHead(), 'latin1')
  }

  /** Forgets what was held back. */
  drop(): void {
    this.#heldHead = ''
    this.ended = true
  }

  #takeHead(): string {
    const head = this.#heldHead
    this.#heldHead = ''
    return head
  }

  #write(prefix: string, chunk: Uint8Array, suffix: string): void {
    const socket = this.#socket
    if (prefix === '' && suffix === '') {
      socket.write(chunk)
    } else if (chunk.length <= copyLimit) {
      const end = prefix.length + chunk.length
      const whole = Buffer.allocUnsafe(end + suffix.length)
      whole.write(prefix, 0, 'latin1')
      whole.set(chunk, prefix.length)
      whole.write(suffix, end, 'latin1')
      socket.write(whole)
    } else {
      socket.cork()
      socket.write(prefix, 'latin1')
      socket.write(chunk)
      if (suffix !== '') socket.write(suffix, 'latin1')
      socket.uncork()
    }
    if (socket.writableLength === 0) releasePiece(chunk)
  }
}
