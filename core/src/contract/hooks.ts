import type { Duplex } from 'node:stream'
import type { BodyFilter, BodyStream, Context, FieldList, Reply, ResponseHead } from './context.ts'
import type { GatewayError } from './errors.ts'
import type { AnySlot } from './slot.ts'

export type Awaitable<T> = T | Promise<T>

/** A place that requests are sent to. */
export interface Target {
  /** Origin: scheme, host and port. */
  readonly url: string
  /** Share of the traffic against the others; less than configured while a plugin scales it down. */
  readonly weight: number
  /** 0 is the first choice, 1 the one after it. */
  readonly priority: number
  readonly zone: string | undefined
  readonly metadata: Readonly<Record<string, string>>
  /** Nobody holds it out. */
  readonly available: boolean
  /** Requests sent to it and not yet finished, in this process. */
  readonly inFlight: number
}

/** One try to get an answer from a target. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number
  readonly target: Target
  /** Milliseconds since it was begun. */
  readonly ageMs: number
  /** Fields that go upstream. A change holds for this attempt alone. */
  readonly headers: FieldList
  /** Path and query that go upstream. */
  path: string
  /** The request can be sent again: none of its body was taken, or all that was is kept (see {@link Route.replay}). */
  readonly replayable: boolean
  /** Fields of its answer, once that has come: in onAttemptEnd. */
  readonly answer: FieldList | undefined
  /**
   * Milliseconds from its send to the head of its answer, beside the route's timeouts; after them it fails with
   * GATEWAY_UPSTREAM_HEAD_TIMEOUT. 0 is no limit, and what it is unless onAttempt writes another.
   */
  timeoutMs: number
  /** What becomes of it when it is slow: nothing, unless onAttempt writes it. */
  hedge: Hedge | undefined
}

/**
 * Another attempt beside one that has had no answer for some time, at a target not tried yet. The first answer is taken and
 * the other attempt given up. Without such a target there is none, and it waits as long as the request's body is not here
 * whole.
 */
export interface Hedge {
  /** Milliseconds, from the first attempt's send. */
  readonly afterMs: number
  /** Asked when they are over. */
  may(): boolean
}

export type Outcome = { readonly status: number; readonly headersMs: number } | { readonly error: GatewayError }

/** What is to follow an attempt: another, at once or later, or none. */
export type Verdict = 'retry' | { readonly retryInMs: number } | 'fail'

/**
 * Two connections that speak HTTP no more: client and upstream have agreed on another protocol. The gateway passes bytes
 * both ways, with back-pressure, and the end of each direction, unless a plugin takes that over.
 */
export interface Tunnel {
  readonly protocol: 'websocket'
  /** Fields of the answer that opened it, as the client got them. */
  readonly headers: FieldList
  /** Paused; what came early is in it. As long as the gateway passes the bytes it is only to be written to. */
  readonly client: Duplex
  /** Likewise. */
  readonly upstream: Duplex
  /**
   * Sees what passes, chunk by chunk, and may change or swallow it. `end` is asked once, when that side has ended or
   * broken, for what the other is to get last.
   */
  fromClient: BodyFilter | undefined
  fromUpstream: BodyFilter | undefined
  /** Bytes from and to the client, counted by whoever passes them. */
  bytesIn: number
  bytesOut: number
  /** In both directions, counted by the plugin that knows what one is. */
  messages: number
  /** Within onTunnel: the gateway passes nothing, and the caller reads, writes and ends both. Once. */
  take(): void
}

/** What became of a request. */
export interface Summary {
  /** Status sent; 0 when the client left before any. */
  readonly status: number
  /** Attempts made at upstreams. */
  readonly attempts: number
  /** Body bytes from the client and to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** From the request's head to the response's last byte, in milliseconds. */
  readonly durationMs: number
  readonly target: Target | undefined
  readonly error: GatewayError | undefined
}

/**
 * The moments of a request, in order. Request hooks run in the plugins' order, response hooks in the reverse, each in one
 * pass. A hook that returns no promise costs no promise. A hook that throws ends its own request with a 500 and is logged
 * with the plugin's name.
 */
export interface RouteHooks<Needs extends AnySlot = never, P = Readonly<Record<string, string>>> {
  /** May answer: later plugins' onRequest and the upstream are then skipped, and only those who saw the request see the response. */
  onRequest?(ctx: Context<Needs, P>): Awaitable<Reply | void>
  /**
   * A CORS preflight for a request that would take this route; it runs in place of onRequest, before whoever judges callers.
   * When no plugin answers it, it goes on as the OPTIONS request that it is.
   */
  onPreflight?(ctx: Context<Needs, P>): Awaitable<Reply | void>
  /** Asked once a request with a body. Return a filter, or nothing to let it pass. */
  onRequestBody?(ctx: Context<Needs, P>): BodyFilter | void
  /** Before each send. */
  onAttempt?(ctx: Context<Needs, P>, attempt: Attempt): Awaitable<void>
  /**
   * Status or error of the attempt is known, nothing of it has reached the client. 'retry' asks for another attempt, at a
   * target not tried yet where there is one, `retryInMs` for one in so many milliseconds; it happens when the request can
   * still be sent again (at most 16 attempts in all). 'fail' forbids it. The first plugin that says something decides; all
   * hear. An attempt that is given up, because the client has left or another was faster, has no such end.
   */
  onAttemptEnd?(ctx: Context<Needs, P>, attempt: Attempt, outcome: Outcome): Verdict | void
  /** May change the head, or replace the answer. Sees the kernel's own answers and other plugins' too. */
  onResponse?(ctx: Context<Needs, P>, head: ResponseHead): Awaitable<Reply | void>
  onResponseBody?(ctx: Context<Needs, P>, head: ResponseHead): BodyFilter | BodyStream | void
  /**
   * The upgrade that the request asked for has been accepted, and the client told. Only a route with such a hook takes
   * upgrades. From here on `ctx.signal` says that the tunnel is to end (GATEWAY_SHUTTING_DOWN, GATEWAY_CONNECTION_CLOSED),
   * a second before it is cut, or that a side has broken it off.
   */
  onTunnel?(ctx: Context<Needs, P>, tunnel: Tunnel): Awaitable<void>
  /** The request failed before a response was begun. May answer in place of the problem+json. */
  onError?(ctx: Context<Needs, P>, error: GatewayError): Awaitable<Reply | void>
  /** Exactly once, last, whatever happened. Must not wait; what it throws is logged. */
  onFinish?(ctx: Context<Needs, P>, summary: Summary): void
}

/** A route as a plugin is shown it, once a generation. */
export interface Route<Options> {
  readonly name: string
  /** As written: method and path. */
  readonly match: string
  /** Name of its service; undefined on a redirect or a fixed reply. */
  readonly service: string | undefined
  /** That one first, and those that plugins may choose for it by its options. */
  readonly services: readonly string[]
  /** Milliseconds; 0 is none. What a plugin that returns hooks writes here holds in place of what is configured. */
  readonly timeouts: { connect: number; head: number; idle: number; total: number }
  /**
   * Bytes of a request's body that are kept until its answer has come, so that it can be sent again; a longer body is sent
   * once. 0, unless a plugin that returns hooks writes more.
   */
  readonly replay: { bytes: number }
  /** This plugin's options on this route. */
  readonly options: Options | undefined
  /** Reports what is wrong with the route; all problems are shown together and the config is not loaded. */
  problem(message: string): void
}

/** A request of a plugin's own to a target. */
export interface TargetQuestion {
  readonly path: string
  /** Default GET. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Not to be changed before the answer. Default none. */
  readonly body?: Uint8Array
  /** For all of it. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface TargetAnswer {
  readonly status: number
  readonly headers: FieldList
  /** Its first 64 KB. */
  readonly body: Buffer
  /** Undefined where there were none, or the body was longer than what is kept. */
  readonly trailers: FieldList | undefined
}

/** A connection to a target that was made and closed again. */
export interface TargetConnection {
  /** When the certificate ends that the target showed; undefined without TLS. */
  readonly certificateEnds: Date | undefined
}

/** A service as a plugin is shown it, once a generation and before its routes. Good for as long as the generation is. */
export interface ServiceView<Options> {
  readonly name: string
  /** That its targets are spoken to in. */
  readonly protocol: 'http1' | 'http2'
  /** This plugin's options on this service. */
  readonly options: Options | undefined
  /** All of them, as they are now: another list when discovery found others. */
  readonly targets: readonly Target[]
  /**
   * Keeps one of `targets` from being chosen until the function that it returns is called, or the generation is let go.
   * It is available again when nobody holds it any more. `until`, in milliseconds since the epoch, is when that can be
   * expected: clients are told (Retry-After) when no target is left.
   */
  holdOut(target: Target, reason: string, until?: number): () => void
  /**
   * Leaves it that part of the weight that is configured: more than 0, at most 1. Good until the generation is let go; of
   * several plugins the one that leaves it least counts.
   */
  scaleWeight(target: Target, factor: number): void
  /** Asks a target the way requests take, TLS and HTTP/2 as the service has them; HTTP/1.1 on a new connection. Rejects with what failed. */
  ask(target: Target, question: TargetQuestion): Promise<TargetAnswer>
  /** Connects to a target as for a request, with TLS where it has it, and hangs up. Rejects with what failed. */
  connect(target: Target, timeoutMs: number, signal?: AbortSignal): Promise<TargetConnection>
  /** As {@link Route.problem}. */
  problem(message: string): void
}

export interface ServiceHooks {
  /**
   * What the balancer may choose from: of `targets`, which are available and weigh something, or of `all`. Not asked for
   * each request but when targets came, went, were held out, let in or scaled.
   */
  narrow?(targets: readonly Target[], all: readonly Target[]): readonly Target[]
  /** An available target of the service for this attempt, in place of the balancer's choice among `targets`. */
  prefer?(ctx: Context, targets: readonly Target[]): Target | undefined
}

export interface Connection {
  readonly address: string
  readonly localPort: number
  /** TLS server name. */
  readonly serverName: string | undefined
}

export interface GatewayHooks<Needs extends AnySlot, RouteOptions, ServiceOptions = unknown> {
  /** A client connected, with TLS after its handshake; nothing of a request has been read yet. */
  onConnection?(connection: Connection): 'drop' | void
  /** Asked once a service and generation, before routes. */
  onService?(service: ServiceView<ServiceOptions>): ServiceHooks | void
  /** Asked once a route and generation. A hook that is not returned costs its route nothing. */
  onRoute?(route: Route<RouteOptions>): RouteHooks<Needs> | void
}
