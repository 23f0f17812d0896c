import type { Duplex, Writable } from 'node:stream'

/**
 * The parts of ws that its types leave out, though the package exports them. Its WebSocketServer writes its own 101 and
 * its WebSocket opens its own connection; both of these are there already when a tunnel stands, so that only what comes
 * after the handshake is of use.
 */
declare module 'ws' {
  type Extensions = Readonly<Record<string, PerMessageDeflate>>
  type Params = Record<string, (string | true)[]>

  class PerMessageDeflate {
    static readonly extensionName: string
    constructor(options: {
      readonly isServer: boolean
      readonly maxPayload: number
      readonly serverNoContextTakeover: true
      readonly clientNoContextTakeover: true
    })
    offer(): Record<string, string | number | true>
    /** @throws Error when none of them will do. */
    accept(configurations: readonly Params[]): Record<string, string | number | true>
    cleanup(): void
  }

  const extension: {
    /** @throws SyntaxError */
    parse(header: string): Record<string, Params[]>
    format(extensions: Readonly<Record<string, Record<string, string | number | true>>>): string
  }

  interface Receiver extends Writable {
    on(event: 'message', listener: (data: Buffer, binary: boolean) => void): this
    on(event: 'ping', listener: (data: Buffer) => void): this
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this
    on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): this
  }
  const Receiver: new (options: {
    readonly isServer: boolean
    readonly extensions: Extensions
    readonly maxPayload: number
    readonly maxFragments: number
    readonly maxBufferedChunks: number
  }) => Receiver

  type Sent = (error?: Error | null) => void
  class Sender {
    constructor(socket: Duplex, extensions: Extensions)
    send(
      data: Uint8Array | string,
      options: { readonly binary: boolean; readonly compress: boolean; readonly fin: true; readonly mask: boolean },
      sent: Sent,
    ): void
    ping(data: Uint8Array, mask: boolean, sent?: Sent): void
    pong(data: Uint8Array, mask: boolean, sent?: Sent): void
    /** @throws TypeError for a code that no Close frame may have. */
    close(code: number | undefined, reason: Uint8Array | string, mask: boolean, sent?: Sent): void
  }
}
