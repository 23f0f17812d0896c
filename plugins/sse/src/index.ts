import {
  type Context,
  type Counts,
  clientNetwork,
  definePlugin,
  defineSlot,
  type ResponseHead,
  type RouteHooks,
} from '@gateway/core'
import * as z from 'zod'
import { isEventStream } from './event-source.ts'
import { type StreamOptions, streamSchema } from './options.ts'
import { relay } from './relay.ts'
import { joinTopic, streamFields } from './share.ts'
import { Streams } from './streams.ts'

/** Counts the request out of the limits. */
const leave = defineSlot<() => void>()('sse.leave')

/**
 * Routes of event streams (WHATWG HTML, section 9.2): heartbeats while the upstream is silent, limits, reconnection that
 * the client does not notice, one upstream stream for many clients. What is no event stream passes as it is.
 */
export const sse = definePlugin({
  name: 'sse',
  routeOptions: z.union([z.boolean(), streamSchema]),
  streams: options => (options === undefined || options === false ? undefined : 'response'),
  setup(host) {
    // Alone, since the streams outlive the generation and must not hold on to it.
    const { closing } = host
    const { now, after } = host.clock
    const streams = host.share({
      name: 'sse.streams',
      create: () => new Streams(closing, { now, after }),
      close: state => state.close(),
    })
    const counts = host.counts('streams')
    return {
      onRoute(route) {
        if (route.options === undefined || route.options === false) return
        const options = route.options === true ? streamSchema.parse({}) : route.options
        if (route.timeouts.total !== 0) {
          route.problem(
            'streams have no end that a total timeout could wait for: set timeout: { total: 0 } on the route',
          )
        }
        route.timeouts.idle = options.idleTimeout
        return hooksOf(options, streams, counts)
      },
    }
  },
})

function hooksOf(options: StreamOptions, streams: Streams, counts: Counts): RouteHooks {
  const { share } = options
  return {
    onRequest(ctx) {
      const entered = counts.enter([
        [`route ${ctx.route}`, options.maxConnections],
        [`client ${clientNetwork(ctx.client.address)} ${ctx.route}`, options.maxConnectionsPerClient],
      ])
      if (typeof entered !== 'function') {
        return {
          status: entered === 0 ? 503 : 429,
          headers: { 'Retry-After': '5' },
          body: 'too many streams\n',
        }
      }
      ctx.set(leave, entered)
      // A compressor holds events back until it has enough of them.
      ctx.headers.set('Accept-Encoding', 'identity')
      if (share !== undefined && ctx.method === 'GET' && ctx.bodyLength === 0) {
        return joinTopic(ctx, { ...options, share }, streams)
      }
      return undefined
    },
    onResponse(ctx, head) {
      if (head.fromUpstream && ctx.method !== 'HEAD' && isEventStream(head)) openStream(ctx, head, options, streams)
    },
    onFinish: ctx => ctx.get(leave)?.(),
  }
}

function openStream(ctx: Context, { headers }: ResponseHead, options: StreamOptions, streams: Streams): void {
  for (const [name, value] of Object.entries(streamFields)) if (!headers.has(name)) headers.set(name, value)
  relay(ctx, options, streams)
}
