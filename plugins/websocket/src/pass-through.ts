import type { Duplex } from 'node:stream'
import type { BodyFilter, Tunnel } from '@gateway/core'
import { closeCode, closeFrame } from './close-frame.ts'
import type { ConnectionClock } from './connection-clock.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { Session } from './session.ts'

/** One direction. */
interface Way {
  readonly scanner: FrameScanner
  readonly to: Duplex
  /** Frames to a server are masked. */
  readonly masked: boolean
  /** A Close frame of ours has gone this way: nothing else may follow. */
  closed: boolean
}

/**
 * Frames pass as the bytes that they are; only where each ends is followed, so that a Close frame of the gateway's own
 * can be put between two of them.
 */
export class PassThrough implements Session {
  lastByte: number
  readonly #clock: ConnectionClock
  readonly #isTimed: boolean
  readonly #tunnel: Tunnel
  readonly #inward: Way
  readonly #outward: Way
  #closing: { readonly code: number; readonly reason: string } | undefined

  /** `isTimed`: somebody looks at `lastByte`. */
  constructor(tunnel: Tunnel, clock: ConnectionClock, isTimed: boolean) {
    this.#tunnel = tunnel
    this.#clock = clock
    this.lastByte = clock.now()
    this.#isTimed = isTimed
    const { client, upstream } = tunnel
    this.#inward = { scanner: new FrameScanner(), to: upstream, masked: true, closed: false }
    this.#outward = { scanner: new FrameScanner(), to: client, masked: false, closed: false }
    tunnel.fromClient = this.#filter(this.#inward)
    tunnel.fromUpstream = this.#filter(this.#outward)
  }

  close(code: number, reason: string): void {
    if (this.#closing !== undefined) return
    this.#closing = { code, reason }
    for (const way of [this.#inward, this.#outward]) {
      if (way.scanner.between && way.to.writable) way.to.write(this.#closeFrame(way))
    }
    this.#settle()
  }

  destroy(): void {
    // The upstream goes with it.
    this.#tunnel.client.destroy()
  }

  over(): void {}

  #filter(way: Way): BodyFilter {
    return {
      push: chunk => this.#push(way, chunk),
      end: () => this.#lastWord(way),
    }
  }

  #push(way: Way, chunk: Uint8Array): Uint8Array | undefined {
    if (this.#isTimed) this.lastByte = this.#clock.now()
    const passed = this.#pass(way, chunk)
    this.#tunnel.messages = this.#inward.scanner.messages + this.#outward.scanner.messages
    this.#settle()
    return passed
  }

  #pass(way: Way, chunk: Uint8Array): Uint8Array | undefined {
    const { scanner } = way
    if (way.closed) {
      // Looked at for the answer to the Close that went the other way, and good for nothing else.
      scanner.scan(chunk)
      return undefined
    }
    if (this.#closing === undefined || scanner.closing) {
      scanner.scan(chunk)
      return chunk
    }
    // A close was asked for within a frame: it goes out where that ends.
    const end = scanner.between ? 0 : scanner.scan(chunk, 0, true)
    if (!scanner.between) return chunk
    const last = Buffer.concat([chunk.subarray(0, end), this.#closeFrame(way)])
    scanner.scan(chunk, end)
    return last
  }

  #closeFrame(way: Way): Uint8Array {
    // The peer's own Close has gone this way before.
    if (way.closed || way.scanner.closing || this.#closing === undefined) return new Uint8Array()
    way.closed = true
    return closeFrame(this.#closing.code, this.#closing.reason, way.masked)
  }

  /** Ends each connection whose Close frames have gone both ways. */
  #settle(): void {
    const { client, upstream } = this.#tunnel
    if (this.#closing === undefined) return
    const said = (way: Way) => way.closed || way.scanner.closing
    if (said(this.#outward) && this.#inward.scanner.closing && this.#inward.scanner.between) client.end()
    if (said(this.#inward) && this.#outward.scanner.closing && this.#outward.scanner.between) upstream.end()
  }

  /** A client is told of an upstream that went without a Close; an upstream sees its client go as it went. */
  #lastWord(way: Way): Uint8Array | undefined {
    if (way !== this.#outward || way.closed || way.scanner.closing || !way.scanner.between) return undefined
    way.closed = true
    const { code, reason } = this.#closing ?? { code: closeCode.badGateway, reason: 'the upstream broke off' }
    return closeFrame(code, reason, way.masked)
  }
}
