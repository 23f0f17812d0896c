import { identity } from '@gateway/auth/contract'
import { type Context, definePlugin, type Host, problem, type Reply, type RouteHooks } from '@gateway/core'
import { type Counts, sharedCounts } from './counts.ts'
import { agree, type Deflate, offerUpstream } from './deflate.ts'
import { Framed } from './framed.ts'
import { type Frames, type Limits, pluginSchema, routeSchema, type Settings } from './options.ts'
import { originTest } from './origins.ts'
import { PassThrough } from './pass-through.ts'
import { Watch } from './session.ts'

export type { Message, OnMessage } from './options.ts'

/**
 * Routes that carry WebSockets (RFC 6455, over HTTP/2 RFC 8441). Frames pass as the bytes that they are, unless the route
 * asks for what takes a look into them: `frames`.
 */
export const websocket = definePlugin({
  name: 'websocket',
  // After whoever says who calls, and what they may: a slot is for those who may have one.
  stage: 'admit',
  options: pluginSchema,
  routeOptions: routeSchema,
  setup(host, limits) {
    const counts = host.share(sharedCounts)
    return {
      onRoute(route) {
        if (!route.options) return
        if (route.service === undefined) {
          return route.problem('WebSockets need a service: a redirect or a fixed reply has none to carry them to')
        }
        return hooksOf(host, limits, route.options, [counts.of(''), counts.of(route.name)])
      },
    }
  },
})

/** What is known of a connection from its request to its end. */
interface Held {
  deflate: Deflate
  watch: Watch | undefined
}

function hooksOf(
  host: Host,
  limits: Limits,
  settings: Settings,
  [everywhere, here]: readonly [Counts, Counts],
): RouteHooks {
  const held = new WeakMap<Context, Held>()
  const allows = originTest(settings.origins)
  const { frames } = settings

  /** Why the connection may not be opened. */
  function refuse(ctx: Context): Reply | undefined {
    if (allows?.(ctx) === false) return problem(ctx, problems.origin)
    const { address } = ctx.client
    const most = (counts: Counts, { maxConnections = Infinity }: Limits) => counts.all >= maxConnections
    if (most(everywhere, limits) || most(here, settings)) return problem(ctx, problems.full)
    const own = (counts: Counts, { maxConnectionsPerClient = Infinity }: Limits) =>
      counts.of(address) >= maxConnectionsPerClient
    if (own(everywhere, limits) || own(here, settings)) return problem(ctx, problems.clientFull)
    return frames?.protocols === undefined ? undefined : chooseProtocols(ctx, frames.protocols)
  }

  return {
    onRequest(ctx) {
      if (ctx.upgrade === undefined) return settings.only ? problem(ctx, problems.only) : undefined
      const refusal = refuse(ctx)
      if (refusal !== undefined) return refusal
      for (const counts of [everywhere, here]) counts.add(ctx.client.address)
      held.set(ctx, { deflate: { client: undefined, upstream: undefined }, watch: undefined })
    },
    ...(frames && handshakeHooks(frames, held)),
    onTunnel(ctx, tunnel) {
      const state = held.get(ctx)
      if (state === undefined) return
      const session =
        frames === undefined ? new PassThrough(tunnel) : new Framed(tunnel, ctx, frames, state.deflate, host.log)
      const expiresAt = settings.closeOnExpiry ? ctx.get(identity)?.expiresAt : undefined
      state.watch = new Watch(session, ctx, settings, expiresAt, host.clock.now())
    },
    onFinish(ctx) {
      const state = held.get(ctx)
      if (state === undefined) return
      held.delete(ctx)
      state.watch?.stop()
      for (const counts of [everywhere, here]) counts.remove(ctx.client.address)
    },
  }
}

/** Each side's extensions are agreed on with the gateway, since it is the gateway that reads its frames. */
function handshakeHooks({ compression, maxMessageSize }: Frames, held: WeakMap<Context, Held>): RouteHooks {
  return {
    onAttempt(ctx, { headers }) {
      if (ctx.upgrade !== undefined) offerUpstream(headers, compression.upstream, maxMessageSize)
    },
    onResponse(ctx, { status, headers }) {
      const state = held.get(ctx)
      if (status === 101 && state) state.deflate = agree(ctx.headers, headers, compression, maxMessageSize)
    },
  }
}

/** Leaves of the client's offer what the route has. */
function chooseProtocols(ctx: Context, allowed: readonly string[]): Reply | undefined {
  const offer = ctx.headers.get('sec-websocket-protocol')
  if (offer === undefined) return undefined
  const chosen = offer.split(',').flatMap(part => (allowed.includes(part.trim()) ? [part.trim()] : []))
  if (chosen.length === 0) return problem(ctx, problems.protocol)
  ctx.headers.set('Sec-WebSocket-Protocol', chosen.join(', '))
  return undefined
}

const problems = {
  origin: { status: 403, code: 'WEBSOCKET_ORIGIN_REFUSED', title: 'Origin not allowed' },
  full: { status: 503, code: 'WEBSOCKET_TOO_MANY_CONNECTIONS', title: 'Too many connections' },
  clientFull: { status: 429, code: 'WEBSOCKET_TOO_MANY_OF_CLIENT', title: 'Too many connections of this client' },
  protocol: { status: 400, code: 'WEBSOCKET_PROTOCOL_REFUSED', title: 'No subprotocol that is served here' },
  only: { status: 400, code: 'WEBSOCKET_REQUIRED', title: 'Only WebSockets are served here' },
} as const
