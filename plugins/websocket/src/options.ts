import { type Awaitable, type Context, duration, size, token } from '@gateway/core'
import * as z from 'zod'
import { faultOfOrigin } from './origins.ts'

/** A message on its way, whole, as `onMessage` is shown it. */
export type Message = { readonly from: 'client' | 'upstream' } & (
  | { readonly binary: false; readonly data: string }
  | { readonly binary: true; readonly data: Uint8Array }
)

/**
 * Nothing passes the message on as it is, a string or bytes take its place, `false` drops it. It passes when a promise
 * resolves, and those after it wait. Who throws ends the connection with 1011.
 */
export type OnMessage = (message: Message, ctx: Context) => Awaitable<void | undefined | false | string | Uint8Array>

const origin = z.string().superRefine((rule, issue) => {
  const fault = faultOfOrigin(rule)
  if (fault !== undefined) issue.addIssue(fault)
})

const count = z.int().min(1)

const compression = z.union([z.boolean(), z.strictObject({ client: z.boolean(), upstream: z.boolean() })], {
  error: 'must be true, false or { client, upstream }',
})

const framesSchema = z.strictObject({
  /** Of a message, uncompressed; a larger one closes the connection with 1009. Default 1mb. */
  maxMessageSize: size()
    .refine(bytes => bytes >= 1 && bytes < 2 ** 31, { error: 'must be between 1 byte and 2 gigabytes' })
    .prefault('1mb'),
  /** Messages that a client may send in a second, with as many at once; more close the connection with 1008. Default: any number. */
  messagesPerSecond: count.optional(),
  /** Between two pings to each side; 0 for none. Default 30s. */
  pingInterval: duration().prefault('30s'),
  /** For a side to give a sign of life after a ping, before it counts as dead. Default 10s. */
  pongTimeout: duration().prefault('10s'),
  /** Subprotocols that may be agreed on. Default: any. */
  protocols: z.array(token('must be the name of a subprotocol')).optional(),
  /** permessage-deflate (RFC 7692), with each side apart. Default false. */
  compression: compression
    .transform(value => (typeof value === 'boolean' ? { client: value, upstream: value } : value))
    .prefault(false),
  /** Sees every message of both directions. */
  onMessage: z.custom<OnMessage>(value => typeof value === 'function', { error: 'must be a function' }).optional(),
})

const shape = {
  /**
   * Whose pages may connect: `'same'`, pages of the host that they connect to; `'*'`; or a list of origins and patterns
   * such as `'https://*.example.com'`. Programs other than browsers send no Origin and are not asked. Default `'same'`.
   */
  origins: z
    .union([z.enum(['same', '*']), z.array(origin)], { error: "must be 'same', '*' or an array of origins" })
    .default('same'),
  /** WebSockets at a time on this route. Default: any number. */
  maxConnections: count.optional(),
  /** Of one client address on this route. Default: any number. */
  maxConnectionsPerClient: count.optional(),
  /** Without a byte from either side before it is closed with 1001; 0 for ever. Default 0. */
  idleTimeout: duration().default(0),
  /** Whole life before it is closed with 1001; 0 for ever. Default 0. */
  maxAge: duration().default(0),
  /** Closes with 1008 when the credentials that opened it end. Needs the plugin auth. Default false. */
  closeOnExpiry: z.boolean().default(false),
  /** Refuses what is no WebSocket on this route with 400. Default false. */
  only: z.boolean().default(false),
  /** What it takes to look into frames. Default: they pass untouched. */
  frames: framesSchema.optional(),
}

const settings = z.strictObject(shape)

export const routeSchema = z
  .union([z.boolean(), settings], { error: 'must be true, false or an object' })
  .transform(value => (value === true ? settings.parse({}) : value))

export const pluginSchema = z
  .strictObject({
    /** WebSockets at a time on all routes together. Default: any number. */
    maxConnections: count.optional(),
    /** Of one client address on all routes together. Default: any number. */
    maxConnectionsPerClient: count.optional(),
  })
  .default({})

export type Settings = z.output<typeof settings>
export type Frames = z.output<typeof framesSchema>
export type Limits = z.output<typeof pluginSchema>
