import type { Duplex } from 'node:stream'
import { PerMessageDeflate, Receiver, Sender } from 'ws'
import { closeCode } from './close-frame.ts'
import { FrameScanner } from './frame-scanner.ts'
import type {} from './ws-parts.ts'

/** Of a message, and of one read: more tiny ones than any client has a reason for. */
const maxFragments = 16_384

/** A message, whole; text is bytes of valid UTF-8. */
export interface RawMessage {
  readonly data: Buffer
  readonly binary: boolean
}

export interface Closed {
  /** 1005 stands for none. */
  readonly code: number
  readonly reason: Buffer
}

/** What ended the reading of a side against its will. */
export interface Violation {
  readonly code: number
  readonly reason: string
}

export interface EndOptions {
  readonly stream: Duplex
  /** It is the server's end of its connection: the client's side of the gateway. */
  readonly isServer: boolean
  readonly deflate: PerMessageDeflate | undefined
  readonly maxMessageSize: number
  /** The clock of `heardAt`. */
  now(): number
  onBytes(count: number): void
}

/** One of the two WebSocket connections, as an endpoint of RFC 6455 speaks on it. */
export class End {
  readonly stream: Duplex
  readonly name: 'client' | 'upstream'
  /** When the last byte came. */
  heardAt: number
  /** It has waited for the other side to take what came, since the last ping: its silence says nothing. */
  waited = false
  closeSent = false
  /** Nothing more is read. */
  over = false
  closed: Closed | undefined
  violation: Violation | undefined
  readonly #mask: boolean
  readonly #receiver: Receiver
  readonly #sender: Sender
  readonly #deflate: PerMessageDeflate | undefined
  readonly #scanner = new FrameScanner()
  readonly #inbox: RawMessage[] = []
  readonly #now: () => number
  readonly #onBytes: (count: number) => void
  #waiting = false
  /** Of the latest ping that has not been answered. */
  #owed: Buffer | undefined

  constructor({ stream, isServer, deflate, maxMessageSize, now, onBytes }: EndOptions) {
    this.stream = stream
    this.name = isServer ? 'client' : 'upstream'
    this.#mask = !isServer
    this.#deflate = deflate
    this.#now = now
    this.heardAt = now()
    this.#onBytes = onBytes
    const extensions = deflate === undefined ? {} : { [PerMessageDeflate.extensionName]: deflate }
    this.#sender = new Sender(stream, extensions)
    this.#receiver = new Receiver({
      isServer,
      extensions,
      maxPayload: maxMessageSize,
      maxFragments,
      maxBufferedChunks: 1_048_576,
    })
    this.#receiver.on('message', (data, binary) => this.#inbox.push({ data, binary }))
    this.#receiver.on('ping', data => this.#pong(data))
    this.#receiver.on('conclude', (code, reason) => {
      this.closed = { code, reason }
    })
    this.#receiver.on('error', error => {
      this.violation = { code: codeOf(error), reason: error.message }
    })
  }

  /**
   * Messages as they come, until the Close, a violation or the connection's end. One frame is read at a time, so that
   * however much a read inflates to, no more than one message waits.
   */
  async *messages(): AsyncGenerator<RawMessage> {
    for await (const chunk of this.stream.iterator({ destroyOnReturn: false })) {
      this.heardAt = this.#now()
      this.#onBytes(chunk.length)
      for (let at = 0; at < chunk.length; ) {
        const end = this.#scanner.scan(chunk, at, true)
        await this.#receive(chunk.subarray(at, end))
        at = end
        this.#waiting = this.waited = true
        yield* this.#inbox.splice(0)
        this.#waiting = false
        if (this.closed !== undefined || this.violation !== undefined) return
      }
    }
  }

  /** Resolves once the connection has taken it, or is gone. */
  send(data: Uint8Array | string, binary: boolean): Promise<void> {
    if (this.closeSent || !this.stream.writable) return Promise.resolve()
    const compress = this.#deflate !== undefined
    return new Promise(resolve => {
      const settle = () => {
        this.stream.off('close', settle)
        resolve()
      }
      this.stream.on('close', settle)
      this.#sender.send(data, { binary, compress, fin: true, mask: this.#mask }, settle)
    })
  }

  ping(): void {
    this.waited = this.#waiting
    if (!this.closeSent && this.stream.writable) this.#sender.ping(Buffer.alloc(0), this.#mask)
  }

  /** While the connection takes no more, only the latest ping is kept to be answered (RFC 6455 section 5.5.3). */
  #pong(data: Buffer): void {
    const { stream } = this
    if (this.closeSent || !stream.writable) return
    if (!stream.writableNeedDrain) return this.#sender.pong(data, this.#mask)
    if (this.#owed === undefined) {
      stream.once('drain', () => {
        const owed = this.#owed
        this.#owed = undefined
        if (owed !== undefined) this.#pong(owed)
      })
    }
    // What was read is used again.
    this.#owed = Buffer.from(data)
  }

  /** Once; nothing is sent after it. */
  close({ code, reason }: Closed): void {
    if (this.closeSent) return
    this.closeSent = true
    if (this.stream.writable) this.#sender.close(code === noCode ? undefined : code, reason, this.#mask)
  }

  /** Reads no more. */
  release(): void {
    this.#deflate?.cleanup()
  }

  #receive(bytes: Buffer): Promise<void> {
    return new Promise(resolve => {
      // A violation is told by the event.
      this.#receiver.write(bytes, () => resolve())
    })
  }
}

const noCode = 1005

const codes: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: closeCode.invalidData,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: closeCode.tooBig,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: closeCode.tooBig,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: closeCode.policy,
}

function codeOf({ code = '' }: NodeJS.ErrnoException): number {
  // Of zlib: what came is no compressed data.
  return codes[code] ?? (code.startsWith('Z_') ? closeCode.invalidData : closeCode.protocolError)
}
