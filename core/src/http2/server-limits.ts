import type { ServerOptions as NodeServerOptions } from 'node:http2'
import type { ServeOptions } from '../http1/server-connection.ts'
import { defaultServerOptions, type ServerOptions } from '../http1/server-options.ts'

/** What HTTP/2 adds to the limits of a connection. Counts per connection; rates are a burst and then so many a second. */
export interface Http2Limits {
  /** Streams open at a time. Default 100. */
  readonly maxConcurrentStreams: number
  /**
   * Bytes of a request body that a client may send ahead of the exchange, for each stream (SETTINGS_INITIAL_WINDOW_SIZE).
   * A connection can make us hold this times `maxConcurrentStreams`. Default 65,536.
   */
  readonly streamWindow: number
  /**
   * Streams that end before their response does, by the client's reset or by its fault: rapid reset (CVE-2023-44487) and
   * its kin. Default 1,000, then 100 a second.
   */
  readonly resetBurst: number
  readonly resetRate: number
  /** PING frames. Clients that measure bandwidth send one each round trip. Default 2,000, then 1,000 a second. */
  readonly pingBurst: number
  readonly pingRate: number
  /** SETTINGS frames. Default 50, then 5 a second. */
  readonly settingsBurst: number
  readonly settingsRate: number
}

export type Http2ServerOptions = ServerOptions & Http2Limits
export type ServeHttp2Options = ServeOptions & Partial<Http2Limits>

export const defaultHttp2Limits: Http2Limits = {
  maxConcurrentStreams: 100,
  streamWindow: 65_536,
  resetBurst: 1_000,
  resetRate: 100,
  pingBurst: 2_000,
  pingRate: 1_000,
  settingsBurst: 50,
  settingsRate: 5,
}

export function completeOptions(options: ServeHttp2Options): Http2ServerOptions {
  return { ...defaultServerOptions, ...defaultHttp2Limits, ...options }
}

/** Enough for any one window on a long and fast line; data is taken off the connection's window as it comes. */
export const connectionWindow = 1_048_576
/** Larger than any head that comes from an upstream; over it node:http2 would close the whole session. */
export const maxSentHeadBytes = 1_048_576

/** Frames that are no frames, or empty DATA and no end of it, before the session is closed. */
const maxInvalidFrames = 100
const neverReached = 1_000_000_000

/** What node:http2 is told. */
export function sessionOptions(options: Http2ServerOptions): NodeServerOptions {
  const { maxConcurrentStreams, streamWindow, maxHeadBytes, maxFields } = options
  return {
    settings: {
      enablePush: false,
      // RFC 8441: a WebSocket may take a stream. What a route does not carry is refused like an Upgrade in HTTP/1.1.
      enableConnectProtocol: true,
      maxConcurrentStreams,
      initialWindowSize: streamWindow,
      // 32 bytes a field are counted extra (RFC 9113 section 6.5.2). Beyond this a stream is reset; a head that is less too
      // large than that gets its 431.
      maxHeaderListSize: 2 * (maxHeadBytes + 32 * maxFields),
    },
    maxHeaderListPairs: 2 * maxFields + 4,
    maxSendHeaderBlockLength: maxSentHeadBytes,
    // In megabytes. New streams are refused beyond it, so it has room for what every stream may have queued to send.
    maxSessionMemory: Math.max(16, Math.ceil((maxConcurrentStreams * 400_000) / 1_000_000)),
    maxSessionInvalidFrames: maxInvalidFrames,
    // Node counts a stream until the turn after its end. A client that cancels all it has and begins as many again at once
    // has them refused, which is no attack yet.
    maxSessionRejectedStreams: 10 * maxConcurrentStreams,
    // The burst that Node allows ends the session with INTERNAL_ERROR, of which a client learns nothing: ours comes first.
    streamResetBurst: neverReached,
    streamResetRate: neverReached,
    // Two fields of one name that should stand once are an upstream's fault, not a reason to throw.
    strictSingleValueFields: false,
    // Strict means that the field is dropped without a word. requestHead() refuses the request.
    strictFieldWhitespaceValidation: false,
  }
}
