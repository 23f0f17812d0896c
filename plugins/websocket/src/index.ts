import { identity } from '@gateway/auth/contract'
import {
  type Context,
  type Counts,
  clientNetwork,
  definePlugin,
  type Host,
  problem,
  type Reply,
  type RouteHooks,
} from '@gateway/core'
import { ConnectionClock } from './connection-clock.ts'
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
    const counts = host.counts('connections')
    return {
      onRoute(route) {
        if (!route.options) return
        if (route.service === undefined) {
          return route.problem('WebSockets need a service: a redirect or a fixed reply has none to carry them to')
        }
        return hooksOf(host, route.options, limitsOf(counts, limits, route.options, route.name))
      },
    }
  },
})

/** What is known of a connection from its request to its end. */
interface Held {
  /** Counts it out of its limits. */
  readonly leave: () => void
  deflate: Deflate
  watch: Watch | undefined
}

/** Counts a connection of this client in, or says why there is no place for it. */
type Enter = (address: string) => (() => void) | (typeof problems)['full' | 'clientFull']

function limitsOf(counts: Counts, everywhere: Limits, here: Limits, route: string): Enter {
  const limits = [
    { key: () => 'all', most: everywhere.maxConnections, refusal: problems.full },
    { key: () => `route ${route}`, most: here.maxConnections, refusal: problems.full },
    {
      key: (address: string) => `client ${address}`,
      most: everywhere.maxConnectionsPerClient,
      refusal: problems.clientFull,
    },
    {
      key: (address: string) => `client ${address} ${route}`,
      most: here.maxConnectionsPerClient,
      refusal: problems.clientFull,
    },
  ].flatMap(({ key, most, refusal }) => (most === undefined ? [] : [{ key, most, refusal }]))
  return address => {
    const entered = counts.enter(limits.map(({ key, most }) => [key(address), most]))
    return typeof entered === 'function' ? entered : (limits[entered]?.refusal ?? problems.full)
  }
}

function hooksOf(host: Host, settings: Settings, enter: Enter): RouteHooks {
  const held = new WeakMap<Context, Held>()
  const allows = originTest(settings.origins)
  const { frames } = settings

  /** Why the connection may not be opened. */
  function refuse(ctx: Context): Reply | undefined {
    if (allows?.(ctx) === false) return problem(ctx, problems.origin)
    return frames?.protocols === undefined ? undefined : chooseProtocols(ctx, frames.protocols)
  }

  return {
    onRequest(ctx) {
      if (ctx.upgrade === undefined) return settings.only ? problem(ctx, problems.only) : undefined
      const refusal = refuse(ctx)
      if (refusal !== undefined) return refusal
      const entered = enter(clientNetwork(ctx.client.address))
      if (typeof entered !== 'function') return problem(ctx, entered)
      held.set(ctx, { leave: entered, deflate: { client: undefined, upstream: undefined }, watch: undefined })
    },
    ...(frames && handshakeHooks(frames, held)),
    onTunnel(ctx, tunnel) {
      const state = held.get(ctx)
      if (state === undefined) return
      const clock = new ConnectionClock(host.clock)
      const session =
        frames === undefined
          ? new PassThrough(tunnel, clock, settings.idleTimeout > 0)
          : new Framed(tunnel, ctx, frames, state.deflate, clock, host.log)
      const expiresAt = settings.closeOnExpiry ? ctx.get(identity)?.expiresAt : undefined
      const expiresInMs = expiresAt === undefined ? undefined : Math.max(0, expiresAt - host.clock.now())
      state.watch = new Watch(session, ctx, settings, expiresInMs, clock)
    },
    onFinish(ctx) {
      const state = held.get(ctx)
      if (state === undefined) return
      held.delete(ctx)
      state.watch?.stop()
      state.leave()
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
