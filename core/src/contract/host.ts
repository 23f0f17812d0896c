import type { Context, FieldList, ReplyBody } from './context.ts'
import type { Attempt, Awaitable, Outcome, Target } from './hooks.ts'
import type { Schema } from './schema.ts'

export interface Log {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
}

/** State that outlives a reload. Declared once, at the top of a plugin; counted by generation; its name is its identity. */
export interface Shared<in out T> {
  /** `plugin.thing`, with what the state depends on: `rateLimit.counters`. */
  readonly name: string
  create(): T
  close?(value: T): Awaitable<void>
}

/** What a plugin gets from the gateway, for one generation. */
export interface Host {
  /** Carries the plugin's name. */
  readonly log: Log
  readonly clock: {
    /** Milliseconds since the epoch. */
    now(): number
    /** Milliseconds to measure by: nobody sets it, and it only goes forward. */
    monotonic(): number
    /** Runs a task at an interval until the generation is let go. A task still running is not started again. */
    every(ms: number, task: () => Awaitable<void>): void
    /** Runs a task once. Nothing calls it off but what it returns, not even the end of the generation. */
    after(ms: number, task: () => void): () => void
  }
  /** Aborted when a newer generation has taken over; requests begun before may still run. */
  readonly draining: AbortSignal
  /** Aborted when the gateway begins to close, with GATEWAY_SHUTTING_DOWN; never by a reload. For bodies that would not end by themselves. */
  readonly closing: AbortSignal
  /** Runs when the generation is let go, newest first; also when a later set-up fails. */
  defer(cleanup: () => Awaitable<void>): void
  /** The shared value; made by the first who asks, closed when the last generation that asked lets go. */
  share<T>(shared: Shared<T>): T
  /** The gateway runs as `count` workers, threads with a state each, or as one; this is the one at `index`, from 0. */
  readonly worker: { readonly index: number; readonly count: number }
  /**
   * Bytes that every worker sees: zero at first, the same for all who ask by this name and length, and kept, also across
   * reloads, for as long as a generation that asked lives in any worker. Change them by Atomics alone.
   */
  memory(name: string, byteLength: number): SharedArrayBuffer
  /**
   * Messages to and from this plugin in the gateway's other workers, by structured clone: sent and forgotten, in the order
   * of each sender. With one worker they go nowhere. Closed when the generation is let go.
   */
  channel<T>(name: string, onMessage: (message: T, from: number) => void): Channel<T>
  /** Counts of this name that all workers have in common, kept for as long as a generation that asked lives in any of them. */
  counts(name: string): Counts
  /** Connections of this worker that stay open, of whichever generation: by route and protocol, also where none is left. */
  connections(): readonly ConnectionCount[]
}

/** How much there is at a time, by key: open connections, requests under way. What a worker that died had is taken off. */
export interface Counts {
  /**
   * Counts one more under each key, unless that is more than one's limit (0: none): then none of them, and the place of
   * that one is returned. Else what counts it out again, to be called once. A sum is never above its limit; at the limit,
   * two workers that try at once may both be refused. With more than some 15,000 keys at a time, each worker may count
   * some of them by itself.
   */
  enter(limits: readonly (readonly [key: string, limit: number])[]): (() => void) | number
  /** How many there are now under a key, in all workers. */
  count(key: string): number
}

export interface ConnectionCount {
  readonly route: string
  readonly protocol: string
  /** Now. */
  readonly open: number
  /** Since the worker began, those that are closed among them. */
  readonly opened: number
}

export interface Channel<in T> {
  /** @throws DataCloneError when the message cannot be cloned, where there is somebody to hear it. */
  post(message: T): void
}

/** Picks a target for an attempt. */
export interface Balancer {
  /**
   * One of `targets`: those that may be chosen, at least one. The list is the same object as long as neither it nor a
   * weight in it has changed, so that what is computed of it can be kept. Undefined when none will do.
   */
  pick(targets: readonly Target[], ctx: Context): Target | undefined
  /** Hears what became of each attempt, also of those that it did not pick itself. */
  observe?(target: Target, outcome: Outcome): void
}

/** Speaks to a target in place of the kernel's HTTP client. */
export interface Connector {
  open(
    ctx: Context,
    attempt: Attempt,
    body: ReplyBody,
  ): Promise<{ readonly status: number; readonly headers: FieldList; readonly body: ReplyBody }>
}

/** A target as a config or a discovery provider names it. */
export interface TargetSpec {
  /** Origin: `http://10.0.0.7:8080`. */
  readonly url: string
  /** Share of the traffic against the others; 1 when absent. Of 0 none, but for sessions that stick to it. */
  readonly weight?: number | undefined
  /** 0, the first choice, when absent. What the others are for is the plugin `balancing`'s to say. */
  readonly priority?: number | undefined
  readonly zone?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** A route to the service whose provider found it. Its fields are those of a route in a config. */
export interface RouteSpec {
  readonly match: string
  readonly host?: string | undefined
  readonly rewrite?: string | undefined
  readonly stripPrefix?: string | undefined
  /** Who asks for it, for the log: `container shop-1`. */
  readonly from: string
}

/** Keeps a service's targets up to date, from its `watch` until the generation is let go. */
export interface Discovery {
  /**
   * `found` takes all targets that there are now; none means that there are none. It may be called at any time, and costs
   * nothing where nothing changed: of targets that stay, connections and state stay, too. `lost` says that the source
   * cannot be asked, and why: what was found last stays, shown as stale, until `found` is called again.
   *
   * `routes` are all that lead to the service beside the config's. One that is wrong, or asks for exactly what another does,
   * is refused and told in the log; the config's stays, else the one that came first. They have no options of plugins.
   *
   * The config is not taken over before it has ended, so it may wait for the first word of its source; it is refused when
   * this rejects or takes longer than `setupTimeout`. A service that nothing has been found for answers 503.
   */
  watch(
    found: (targets: readonly TargetSpec[], routes?: readonly RouteSpec[]) => void,
    lost: (reason: string) => void,
  ): Awaitable<void>
}

/** What can be provided by name. */
export interface Points {
  balancer: Balancer
  connector: Connector
  discovery: Discovery
}

export interface Extension<Point extends keyof Points = keyof Points, Name extends string = string, In = unknown> {
  readonly point: Point
  readonly name: Name
  readonly options?: Schema | undefined
  readonly create: (host: Host, options: never, service: string) => Awaitable<Points[Point]>
  /** Type only. */
  readonly '~in'?: In
}
