import type { GatewayError } from '../contract/errors.ts'
import type { Fields } from './fields.ts'
import type { HeadLimits } from './head-reader.ts'
import type { Peer } from './wire.ts'

/** An answer to a request that never became an exchange. */
export interface ClientErrorAnswer {
  readonly fields: Fields
  readonly body: Uint8Array
}

/** Times are in milliseconds, sizes in bytes; 0 switches a time or a rate off. */
export interface ServerOptions extends HeadLimits {
  /** For a whole request head, counted from its first byte (on a new connection: from its start). Default 10,000. */
  readonly headTimeout: number
  /** Between two pieces of a request body that somebody wants; time that we hold it up does not count. Default 30,000. */
  readonly bodyIdleTimeout: number
  /**
   * Bytes a second below which a request body is given up: each piece buys its share of time, never more than
   * `bodyIdleTimeout`. Default 100, so that a body which drips a byte now and then ends after `bodyIdleTimeout`.
   */
  readonly minBodyRate: number
  /** Between two requests. Default 60,000. */
  readonly keepAliveTimeout: number
  /** For a client to take something although there are bytes for it. Default 60,000. */
  readonly writeIdleTimeout: number
  /** For the rest of a request that nobody wants, and for the client to close after us. Default 5,000. */
  readonly lingerTimeout: number
  /** 0: no limit. Default 10,000. */
  readonly maxRequestsPerConnection: number
  /** Bytes read ahead of the exchange (pipelined requests, a body not asked for yet) before reading stops. Default 65,536. */
  readonly maxPendingBytes: number
  /** Bytes of an unwanted request body that are read so that the connection can go on. Default 65,536. */
  readonly maxDiscardedBytes: number
  /**
   * What a client's FIN after a whole request means. Whoever closes a connection sends no more than a FIN until we write,
   * so false (the default) takes the client for gone and ends the exchange; true still answers, for clients that close
   * their own half on purpose, and notices one that left only when writing fails.
   */
  readonly serveHalfClosed: boolean
  /** Who is at the other end, where the socket alone does not tell. Default: whom the socket names. */
  readonly peer: Peer | undefined
  /** Answers what could not become a request: the error's status is sent, then the connection is closed. */
  onClientError(error: GatewayError, peer: Peer): ClientErrorAnswer
  /** Hears what an exchange threw at the wire layer; its request fails with a 500 or is cut off. Default: a process warning. */
  onFault(error: unknown): void
  /** The socket has closed, also one that was detached. Called once. */
  onClose(): void
}

export const defaultServerOptions: Omit<ServerOptions, 'onClientError'> = {
  maxHeadBytes: 16_384,
  maxFields: 100,
  headTimeout: 10_000,
  bodyIdleTimeout: 30_000,
  minBodyRate: 100,
  keepAliveTimeout: 60_000,
  writeIdleTimeout: 60_000,
  lingerTimeout: 5_000,
  maxRequestsPerConnection: 10_000,
  maxPendingBytes: 65_536,
  maxDiscardedBytes: 65_536,
  serveHalfClosed: false,
  peer: undefined,
  onFault(error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)))
  },
  onClose() {},
}
