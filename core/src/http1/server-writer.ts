import type { Socket } from 'node:net'
import { type DeadlineOwner, deadlines } from './deadlines.ts'
import { releasePiece } from './socket-reader.ts'
import { atTurnEnd, type TurnWriter } from './turn-end.ts'

/** Up to here bytes are copied into the text before them: one write of a string is cheaper than a vectored one. */
const coalesceBytes = 8192

/**
 * How much of a write the kernel has taken does not show before it has taken all. A backlog beyond this many bytes (a
 * body made here, in one piece) therefore gets more time: its share at the slowest rate, in bytes a millisecond.
 */
const largeBacklog = 262_144
const slowestRate = 8

/**
 * The sending half of a connection. What is written within one turn of the event loop goes out together: a small response
 * is one write, and so are the answers to pipelined requests.
 */
export class ServerWriter implements DeadlineOwner, TurnWriter {
  deadline = 0
  deadlineIndex = -1
  /** The socket holds as much as it should; `onDrain` of the socket's owner ends that. */
  blocked = false

  readonly #socket: Socket
  readonly #highWater: number
  readonly #idleTimeout: number
  readonly #onStuck: () => void
  /** Latin1 text not yet written. */
  #text = ''
  #scheduled = false
  #backlog = 0

  /** `onStuck` is called when the client has taken nothing for `idleTimeout` milliseconds (0: never). */
  constructor(socket: Socket, idleTimeout: number, onStuck: () => void) {
    this.#socket = socket
    this.#highWater = socket.writableHighWaterMark
    this.#idleTimeout = idleTimeout
    this.#onStuck = onStuck
  }

  /** Adds latin1 text; it goes out with what follows, at the latest at the end of this turn. */
  text(text: string): void {
    this.#text += text
    if (this.#text.length > coalesceBytes) this.flush()
    else this.#schedule()
  }

  /** Writes bytes between two texts. They must not change afterwards, until they are released. */
  bytes(before: string, bytes: Uint8Array, after: string): void {
    const text = this.#text + before
    if (text !== '' && text.length + bytes.length <= coalesceBytes) {
      this.#text = text + latin1(bytes) + after
      releasePiece(bytes)
      this.#schedule()
      return
    }
    this.#text = ''
    const socket = this.#socket
    if (text === '' && after === '') {
      socket.write(bytes)
    } else {
      socket.cork()
      if (text !== '') socket.write(text, 'latin1')
      socket.write(bytes)
      if (after !== '') socket.write(after, 'latin1')
      socket.uncork()
    }
    if (socket.writableLength === 0) releasePiece(bytes)
    this.#look()
  }

  flush(): void {
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.#socket.write(text, 'latin1')
    this.#look()
  }

  onTurnEnd(): void {
    this.#scheduled = false
    this.flush()
  }

  /** Watches that the client takes what is left in the socket. */
  watch(): void {
    this.#backlog = this.#socket.writableLength
    if (this.#backlog === 0 || this.#idleTimeout === 0) return
    const extra = Math.max(0, this.#backlog - largeBacklog) / slowestRate
    this.deadline = performance.now() + this.#idleTimeout + extra
    deadlines.add(this)
  }

  /** The socket is empty again. */
  drained(): void {
    this.blocked = false
    this.stop()
  }

  stop(): void {
    this.deadline = 0
    deadlines.remove(this)
  }

  onDeadline(): void {
    const taken = this.#socket.writableLength < this.#backlog
    if (taken) this.watch()
    else this.#onStuck()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    atTurnEnd(this)
  }

  // `write` answers false also when all of its bytes went out at once; what stays in the socket is what counts. A socket
  // that holds its high-water mark is bound to emit 'drain'.
  #look(): void {
    if (this.blocked || this.#socket.writableLength < this.#highWater) return
    this.blocked = true
    this.watch()
  }
}

function latin1(bytes: Uint8Array): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1')
}
