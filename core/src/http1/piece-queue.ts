import type { SocketReader } from './socket-reader.ts'

/** Smaller pieces that wait behind another are gathered, so many bytes of them together. */
const smallPiece = 1024
const gatheredBytes = 4096

/**
 * Bytes read and not yet taken, in the pieces they came in. Nearly always it holds one piece, or none; from a client that
 * sends byte by byte it holds no more of them than its bytes are worth, for each costs some hundred bytes and time.
 */
export class PieceQueue {
  /** The oldest piece, and how far it has been taken. */
  first: Buffer | undefined = undefined
  at = 0
  /** Bytes not yet taken. */
  bytes = 0
  #more: Buffer[] = []
  /** The newest piece, where it is one of gathered ones: the beginning of a buffer that has room for more. */
  #gathered = nothing

  push(piece: Buffer): void {
    if (piece.length === 0) return
    this.bytes += piece.length
    if (this.first === undefined) this.first = piece
    else this.#more.push(piece)
  }

  /** Takes the first piece up to `at`. */
  moveTo(at: number): void {
    const first = this.first
    if (first === undefined) return
    this.bytes -= at - this.at
    this.at = at
    if (at < first.length) return
    this.first = this.#more.shift()
    this.at = 0
    if (this.first === undefined) this.#gathered = nothing
  }

  /** What is left stays here beyond the read that brought it. */
  keep(reader: SocketReader): void {
    if (this.bytes === 0) return
    const newest = this.#more.pop()
    if (newest !== undefined) {
      if (newest.length < smallPiece) this.#gather(newest)
      else this.#more.push(reader.own(newest))
    } else if (this.first !== undefined) {
      this.first = reader.own(this.first.subarray(this.at))
      this.at = 0
    }
  }

  takeAll(): Buffer {
    const first = this.first
    const rest = first === undefined ? [] : [first.subarray(this.at), ...this.#more]
    this.clear()
    return rest.length === 1 && rest[0] !== undefined ? rest[0] : Buffer.concat(rest)
  }

  #gather(piece: Buffer): void {
    const used = this.#more.at(-1) === this.#gathered ? this.#gathered.length : gatheredBytes
    const goesOn = used + piece.length <= gatheredBytes
    if (goesOn) this.#more.pop()
    const at = goesOn ? used : 0
    const { buffer } = goesOn ? this.#gathered : Buffer.allocUnsafeSlow(gatheredBytes)
    this.#gathered = Buffer.from(buffer, 0, at + piece.length)
    this.#gathered.set(piece, at)
    this.#more.push(this.#gathered)
  }

  clear(): void {
    this.first = undefined
    this.at = 0
    this.bytes = 0
    this.#more = []
    this.#gathered = nothing
  }
}

const nothing = Buffer.alloc(0)
