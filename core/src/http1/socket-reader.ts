import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { SmallPieces } from './small-pieces.ts'

/**
 * Bytes of one read at most. Measured (test/bench/PROFILE.md): from 24 to 60 KB an upload costs little more than half of
 * what it does with Node's 64 KB.
 */
const readBytes = 49_152

/** Up to here a copy is cut out of Node's own pool, and costs no allocation to speak of. */
const smallPiece = 4096

/** Where every connection reads that has no more to expect than a head or a short body. */
const shared: Buffer = Buffer.allocUnsafeSlow(readBytes)

/** Buffers that nobody uses at the moment, at most so many. */
const spare: Buffer[] = []
const mostSpare = 64

/** The last piece whose receiver needs its bytes no more. */
let released: Uint8Array | undefined

/**
 * Says that nobody needs the bytes of a delivered piece any more: they have been copied, or the kernel has them all.
 * Only whoever is sure calls it, and before the piece's `onData` returns; a piece not released is its receiver's for good.
 */
export function releasePiece(piece: Uint8Array): void {
  released = piece
}

interface PieceSink {
  onData(piece: Uint8Array): boolean
}

/**
 * Reads a socket without an allocation a read. Node makes a new buffer of 64 KB for each, and at a gigabyte a second
 * collecting those costs nearly as much as moving the bytes. Here reads go into the one buffer that all connections share; what
 * has to outlive its read is copied. While reads come out full, which means that more is waiting, the connection has a
 * buffer for itself and its pieces are passed on as they are; if then somebody keeps one, the buffer is given away.
 *
 * `net` offers this as `onread`, but not for accepted sockets: their fields are set here by name. A Node that has no such
 * fields any more, and TLS, whose pieces are made by decryption, are read by 'data' events.
 */
export class SocketReader {
  readonly #socket: Socket
  readonly #onBytes: (bytes: Buffer) => void
  readonly #small: SmallPieces
  /** Where the next read goes. */
  #buffer = shared
  /** Within a read: its bytes are only lent. */
  #lent = false
  #full = false
  /** Somebody keeps a piece of the read. */
  #kept = false
  #stopped = false

  /** `onBytes` may use the bytes until it returns; what it keeps goes through {@link deliver} or {@link own}. */
  constructor(socket: Socket, onBytes: (bytes: Buffer) => void) {
    this.#socket = socket
    this.#onBytes = onBytes
    this.#small = new SmallPieces(socket, socket.readableHighWaterMark)
    socket.on('data', onBytes)
    readInto(
      socket,
      shared,
      length => this.#onRead(length),
      () => this.#nextBuffer(),
    )
  }

  /** Bytes have been read that `onBytes` has not been given. */
  get waiting(): boolean {
    return this.#socket.readableLength > 0 || this.#small.any
  }

  /**
   * What still comes goes into the socket's own buffer until that is full: so an end, a reset, and bytes past the end of a
   * message are noticed, while memory is bounded. `Socket`'s own `pause` would stop at once.
   */
  pause(): void {
    Readable.prototype.pause.call(this.#socket)
  }

  resume(): void {
    this.#small.flush()
    this.#socket.resume()
  }

  /** The socket goes to somebody else, as if it had never been read in another way than by 'data' events. */
  stop(): void {
    this.#stopped = true
    this.#small.release()
    this.#socket.off('data', this.#onBytes)
  }

  /** Hands a piece of the bytes to a sink that may keep it. */
  deliver(piece: Buffer, sink: PieceSink): boolean {
    if (!this.#lent) return sink.onData(piece)
    const kept = this.#kept
    this.#kept = true
    if (this.#buffer === shared && piece.length < smallPiece) return sink.onData(Buffer.from(piece))
    const copy = this.#buffer === shared ? takeSpare() : undefined
    copy?.set(piece)
    const passed = copy?.subarray(0, piece.length) ?? piece
    released = undefined
    const goOn = sink.onData(passed)
    if (released === passed) {
      this.#kept = kept
      if (copy !== undefined) putSpare(copy)
    }
    return goOn
  }

  /** The bytes, to be kept. */
  own(bytes: Buffer): Buffer {
    if (!this.#lent) return bytes
    this.#kept = true
    return this.#buffer === shared ? Buffer.from(bytes) : bytes
  }

  #onRead(length: number): boolean {
    const buffer = this.#buffer
    const socket = this.#socket
    const bytes = length === buffer.length ? buffer : buffer.subarray(0, length)
    this.#full = length === buffer.length
    this.#kept = false
    this.#lent = true
    try {
      if (this.#stopped || socket.isPaused() || socket.readableLength > 0) return socket.push(this.own(bytes))
      this.#onBytes(bytes)
      return true
    } finally {
      this.#lent = false
    }
  }

  /** Asked after each read; undefined: the same again. */
  #nextBuffer(): Buffer | undefined {
    const wantsOwn = this.#full && !this.#kept
    const hasOwn = this.#buffer !== shared
    if (wantsOwn === hasOwn) return undefined
    if (hasOwn && !this.#kept) putSpare(this.#buffer)
    this.#buffer = wantsOwn ? takeSpare() : shared
    return this.#buffer
  }
}

function takeSpare(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(readBytes)
}

function putSpare(buffer: Buffer): void {
  if (spare.length < mostSpare) spare.push(buffer)
}

const fields = new Map(Object.getOwnPropertySymbols(new Socket()).map(symbol => [symbol.description, symbol]))
const bufferField = fields.get('kBuffer')
const callbackField = fields.get('kBufferCb')
const generatorField = fields.get('kBufferGen')

/** What the option `onread` of `net.connect` does, for a socket that is there already. */
function readInto(
  socket: Socket,
  buffer: Buffer,
  onRead: (length: number) => boolean,
  nextBuffer: () => Buffer | undefined,
): void {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (bufferField === undefined || callbackField === undefined || generatorField === undefined) return
  if (socket instanceof TLSSocket || !takesBuffer(handle)) return
  Reflect.set(socket, bufferField, buffer)
  Reflect.set(socket, callbackField, onRead)
  Reflect.set(socket, generatorField, nextBuffer)
  handle.useUserBuffer(buffer)
}

function takesBuffer(handle: unknown): handle is { useUserBuffer(buffer: Buffer): void } {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'useUserBuffer' in handle &&
    typeof handle.useUserBuffer === 'function'
  )
}
