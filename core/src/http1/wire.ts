import type { Duplex } from 'node:stream'
import type { ClientCertificate } from '../contract/context.ts'
import type { GatewayError } from '../contract/errors.ts'
import type { Fields } from './fields.ts'

/**
 * What the wire layers (`http1/`, later `http2/`) and the exchange say to each other. One HTTP exchange is a stream,
 * HTTP/2's word, on both sides. Everything is a direct call: no promise, no emitter, no Readable per request.
 *
 * Back-pressure: `onData` and `sendData` return false when the other side should wait. A paused source goes on at
 * `resumeBody()`; a full sink says so with `onDrain()`.
 */

/** Length of a body in bytes; 0 means there is none; -1 means that its end shows itself (chunked, or close). */
export type BodyLength = number

/**
 * Receives a body. After `onEnd` or `onError` nothing more comes. `onEnd` may follow the last piece at once, also when that
 * `onData` asked for a pause.
 */
export interface BodySink {
  /** A piece of the body, the callee's to keep, unless it calls `releasePiece`. Return false to pause until `resumeBody()`. */
  onData(chunk: Uint8Array): boolean
  onEnd(trailers: Fields | undefined): void
  onError(error: GatewayError): void
}

/** One connection of a client, as far as policy needs to know it. */
export interface Peer {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  readonly secure: boolean
  /** TLS server name (SNI), when there was one. */
  readonly serverName: string | undefined
  /** The TLS client's certificate, when it was asked for and is valid. */
  readonly certificate: ClientCertificate | undefined
}

/** What the exchange wants to hear about its server stream. */
export interface ServerStreamHandler {
  /** `sendData` may go on. */
  onDrain(): void
  /**
   * The client went away, or was too slow, before the response was finished. Nothing can be sent any more.
   * Not called once the response has been sent whole. A body's sink hears `onError` after this.
   */
  onAbort(error: GatewayError): void
}

/** A request whose head has arrived, and the place to answer it. */
export interface ServerStream {
  readonly method: string
  /** The request-target as it stood on the wire. */
  readonly target: string
  readonly version: '1.0' | '1.1' | '2'
  readonly fields: Fields
  readonly peer: Peer
  readonly bodyLength: BodyLength
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
  /** The protocols of `Upgrade`, lower-cased, when Connection names it, or HTTP/2's `:protocol`; else undefined. */
  readonly upgrade: string | undefined
  /** Set by the exchange before it returns from the request callback. */
  handler: ServerStreamHandler | undefined

  /**
   * Starts the delivery of the request body. A body that nobody asked for is discarded within a small bound after the
   * response; past the bound the connection is closed. Once the response has been sent whole, the sink hears nothing
   * more. A body that has come in whole, or has none, ends within this call.
   */
  readBody(sink: BodySink): void
  resumeBody(): void
  /** A 1xx response. Ignored on HTTP/1.0 and after the head. */
  sendInformational(status: number, fields: Fields | undefined): void
  /**
   * The final head. `fields` holds no framing and no hop-by-hop field: the wire layer writes Content-Length,
   * Transfer-Encoding and Connection itself. For HEAD and 304 `bodyLength` is what a GET would have had, and no body
   * may follow; 204 has none.
   */
  sendHead(status: number, reason: string, fields: Fields, bodyLength: BodyLength): void
  sendData(chunk: Uint8Array): boolean
  sendEnd(trailers: Fields | undefined): void
  /**
   * Gives the stream up so that the client can tell: a response that was under way is cut off (connection closed
   * without a last chunk), never made to look complete.
   */
  abort(error: GatewayError): void
  /**
   * Takes the socket over after a 101 or a CONNECT: the head is written, the connection speaks HTTP no more. Of a 101 the
   * protocol is the Upgrade of `fields`, else the first one asked for; the wire layer writes Connection and Upgrade, and
   * answers a WebSocket's key. The socket is paused; `head` is what came after the request. In HTTP/2 the status is 200,
   * and the socket is the stream (RFC 8441 section 5).
   */
  detach(status: number, fields: Fields): { socket: Duplex; head: Uint8Array }
}

/** A request to be sent upstream. `fields` holds no framing and no hop-by-hop field; Host is among them. */
export interface ClientRequest {
  readonly method: string
  readonly target: string
  readonly fields: Fields
  readonly bodyLength: BodyLength
  /** Protocol to ask an upgrade to; the wire layer writes Connection and Upgrade, and a WebSocket's key. */
  readonly upgrade?: string | undefined
  /** Not on a connection that has served before: one of them has just turned out to be closed. */
  readonly fresh?: boolean
}

/** Timeouts of one attempt in milliseconds; 0 means none. */
export interface AttemptTimeouts {
  /** TCP and TLS handshake, including the wait for a free connection. */
  readonly connect: number
  /** From the last byte of the request (or the last sign of progress) to the first of the response head. */
  readonly head: number
  /** Between two pieces of the response body, and between two pieces of the request body that the upstream takes. */
  readonly idle: number
}

/**
 * Receives a response; its fields come without framing and hop-by-hop fields. The order is: informational*, head, data*,
 * end; or error at any moment, once, last.
 */
export interface ClientStreamHandler extends BodySink {
  /** The request is on a connection; `connectMs` is what getting one took, 0 when it was reused. */
  onConnected?(connectMs: number): void
  onInformational(status: number, fields: Fields): void
  onHead(status: number, reason: string, fields: Fields, bodyLength: BodyLength): void
  /** The connection is the callee's from now on, paused; `head` is what came after the response. */
  onUpgrade(status: number, fields: Fields, socket: Duplex, head: Uint8Array): void
  /** `sendData` may go on. */
  onDrain(): void
}

/** A request under way to an upstream. */
export interface ClientStream {
  /** No byte of the request has been written to a socket, so it can be sent again wherever it likes. */
  readonly untouched: boolean
  /** It went out on a connection that had served before: one that closed before a byte came back was stale. */
  readonly reused: boolean
  sendData(chunk: Uint8Array): boolean
  sendEnd(trailers: Fields | undefined): void
  /** Goes on after `onData` returned false. */
  resumeBody(): void
  /** Gives up; the handler hears nothing more. The connection is closed unless the exchange was complete. */
  abort(): void
}
