import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** HTTP/2 by hand, one frame at a time, for what a decent library would not send. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9
export const END_STREAM = 1
const ACK = 1
export const END_HEADERS = 4

export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4)
  return bytes
}

/** A header block of literals, without compression (RFC 7541 section 6.2.2). */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]))
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const length = bytes.length < 127 ? [bytes.length] : [127, ...varint(bytes.length - 127)]
  return Buffer.concat([Buffer.from(length), bytes])
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

export const get = (path = '/', ...more: (readonly [string, string])[]): Buffer =>
  block([[':method', 'GET'], [':scheme', 'http'], [':authority', 'raw.test'], [':path', path], ...more])

export const post = (path = '/', ...more: (readonly [string, string])[]): Buffer =>
  block([[':method', 'POST'], [':scheme', 'http'], [':authority', 'raw.test'], [':path', path], ...more])

/** One end of a connection: what it receives is taken apart into frames, what it sends is up to the test. */
export class RawPeer {
  readonly socket: Socket
  readonly frames: Frame[] = []
  closed = false
  #rest: Buffer
  #skip: number
  readonly #acknowledges: boolean
  readonly #waiting: (() => void)[] = []

  /** @param prefaceBytes what comes before the first frame */
  constructor(socket: Socket, prefaceBytes: number, acknowledges = true) {
    this.socket = socket
    this.#acknowledges = acknowledges
    this.#rest = Buffer.alloc(0)
    this.#skip = prefaceBytes
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  /** A client that has sent its preface and empty SETTINGS, and has acknowledged the server's unless it is told not to. */
  static async connect(port: number, acknowledges = true): Promise<RawPeer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const peer = new RawPeer(socket, 0, acknowledges)
    socket.write(preface)
    peer.send(frame(SETTINGS, 0, 0))
    await peer.until(SETTINGS)
    return peer
  }

  send(...frames: Uint8Array[]): this {
    this.socket.write(Buffer.concat(frames))
    return this
  }

  /** The first frame that fits, also one that came before. Rejects when the connection closes without one. */
  async until(type: number, id?: number, fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(f => f.type === type && (id === undefined || f.id === id) && fits(f))
      if (found !== undefined) return found
      if (this.closed)
        throw new Error(
          `closed before a frame of type ${type}: ${JSON.stringify(this.frames.map(({ type, id }) => [type, id]))}`,
        )
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve)
      })
    }
  }

  async reset(id: number): Promise<number> {
    return (await this.until(RST_STREAM, id)).payload.readUInt32BE(0)
  }

  /** Code of the first GOAWAY. */
  async goaway(): Promise<number> {
    return (await this.until(GOAWAY)).payload.readUInt32BE(4)
  }

  async gone(): Promise<void> {
    if (!this.closed) await new Promise(resolve => this.socket.once('close', resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #read(chunk: Buffer): void {
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    let rest = Buffer.concat([this.#rest, chunk.subarray(skipped)])
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3)
      if (rest.length < 9 + length) break
      const payload = rest.subarray(9, 9 + length)
      // Settings hold once they are acknowledged.
      if (this.#acknowledges && rest[3] === SETTINGS && rest[4] !== ACK && !this.socket.destroyed)
        this.send(frame(SETTINGS, ACK, 0))
      this.frames.push({ type: rest[3] ?? 0, flags: rest[4] ?? 0, id: rest.readUInt32BE(5), payload })
      rest = rest.subarray(9 + length)
    }
    this.#rest = rest
    this.#wake()
  }
}

export interface RawUpstream extends AsyncDisposable {
  readonly port: number
  readonly peers: readonly RawPeer[]
}

/** A server that does to each connection what a script says, after its SETTINGS. A script that finds it closed just ends. */
export async function rawServer(
  script: (peer: RawPeer, number: number) => Promise<void> | void,
  settings: Uint8Array | undefined = Buffer.alloc(0),
): Promise<RawUpstream> {
  const peers: RawPeer[] = []
  const server: Server = createServer({ noDelay: true }, socket => {
    const peer = new RawPeer(socket, preface.length)
    peers.push(peer)
    peer.send(frame(SETTINGS, 0, 0, settings))
    void (async () => script(peer, peers.length))().catch(() => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    peers,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const peer of peers) peer.socket.destroy()
      await closed
    },
  }
}

/** A SETTINGS entry. */
export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

export const MAX_CONCURRENT_STREAMS = 3
