import type { SocketReader } from './socket-reader.ts'

/** Bytes read and not yet taken, in the pieces they came in. Nearly always it holds one piece, or none. */
export class PieceQueue {
  /** The oldest piece, and how far it has been taken. */
  first: Buffer | undefined = undefined
  at = 0
  /** Bytes not yet taken. */
  bytes = 0
  #more: Buffer[] = []

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
  }

  /** What is left stays here beyond the read that brought it. */
  keep(reader: SocketReader): void {
    if (this.bytes === 0) return
    const newest = this.#more.pop()
    if (newest !== undefined) {
      this.#more.push(reader.own(newest))
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

  clear(): void {
    this.first = undefined
    this.at = 0
    this.bytes = 0
    this.#more = []
  }
}
