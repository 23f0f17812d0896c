import { duration, fieldName, size } from '@gateway/core'
import * as z from 'zod'

const count = (least: number) => z.int().min(least)

const reconnectSchema = z.strictObject({
  /** In a row without an event between them. Default 5. */
  attempts: count(1).default(5),
  /** Before the first, where the upstream gave no `retry`; it doubles with each. Default 1s. */
  delay: duration().prefault('1s'),
  /** The longest wait, also where `retry` asks for more. Default 30s. */
  maxDelay: duration().prefault('30s'),
})

const replaySchema = z.strictObject({
  /** Events kept for each topic. Default 1,000. */
  events: count(1).default(1_000),
  /** Bytes of them. Default 1mb. */
  bytes: size().prefault('1mb'),
  /** How long one is kept. Default 5m. */
  maxAge: duration().prefault('5m'),
})

const shareSchema = z.strictObject({
  /**
   * The fields of a request, beside those of the protocol, that its stream may depend on: clients share a stream when these
   * agree, and nothing else of a client goes upstream. Default: `['Authorization', 'Cookie']`.
   */
  vary: z.array(fieldName()).default(['Authorization', 'Cookie']),
  /** Clients of one stream. Default 10,000. */
  maxClients: count(1).default(10_000),
  /** Bytes held for a client that does not keep up. Default 256kb. */
  maxBuffer: size().prefault('256kb'),
  /** What becomes of such a client: cut off, to come back, or left without the events that do not fit. Default drop. */
  slowClients: z.enum(['drop', 'skip']).default('drop'),
})

const orTrue = <S extends z.ZodType>(schema: S) => z.union([z.literal(true).transform(() => schema.parse({})), schema])

export const streamSchema = z
  .strictObject({
    /** How long a client hears nothing before a comment is sent; 0: never. Default 15s. */
    heartbeat: duration().prefault('15s'),
    /** How long the upstream may say nothing, not even a comment; 0: for ever. Default 5m. */
    idleTimeout: duration().prefault('5m'),
    /** Requests under way on the route; 0: any number. Default 10,000. */
    maxConnections: count(0).default(10_000),
    /** The same by client address. Default 100. */
    maxConnectionsPerClient: count(0).default(100),
    /** Bytes of one event. Default 1mb. */
    maxEventSize: size().prefault('1mb'),
    /** After how long clients are to come back when the gateway closes. Default 3s. */
    retry: duration().prefault('3s'),
    /** Open a lost stream again where it broke off, unnoticed by the client. Default: no. */
    reconnect: orTrue(reconnectSchema).optional(),
    /** Have one upstream stream serve all clients that ask for the same. Default: no. */
    share: orTrue(shareSchema).optional(),
    /** Keep the latest events of a shared stream for clients that come back. Default: no. */
    replay: orTrue(replaySchema).optional(),
  })
  .refine(({ share, replay }) => replay === undefined || share !== undefined, {
    path: ['replay'],
    error: 'needs share: without it each client has an upstream stream of its own, and the upstream to come back to',
  })

export type StreamOptions = z.output<typeof streamSchema>
export type ReconnectOptions = z.output<typeof reconnectSchema>
export type ShareOptions = z.output<typeof shareSchema>
export type ReplayOptions = z.output<typeof replaySchema>
