import type { Reply } from '../contract/context.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { Extension, Points, TargetSpec } from '../contract/host.ts'
import type { Plugin } from '../contract/plugin.ts'
import type { WithServices } from '../contract/schema.ts'
import type { AnySlot } from '../contract/slot.ts'
import type { Secret } from './environment/secret.ts'
import type { LintLevels } from './lint-codes.ts'
import type { Duration, Size } from './units.ts'

// biome-ignore lint/suspicious/noExplicitAny: a list of plugins of every kind; what each carries is inferred again below
export type AnyPlugin = Plugin<string, any, any, any, any, any>

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS' | 'ANY'
/** Method and path: `'GET /users/:id'`, `'ANY /files/*'`. GET answers HEAD as well. */
export type Match = `${Method} /${string}`

type PathOf<M extends string> = M extends `${string} ${infer Path}` ? Path : M

/** The parameters of a path pattern: `:name` segments and, under `'*'`, the rest. */
export type Params<Path extends string> = { readonly [Name in ParamName<Path>]: string }
export type ParamName<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? SegmentParam<Segment> | ParamName<Rest>
  : SegmentParam<Path>
type SegmentParam<Segment extends string> = Segment extends `:${infer Name}` ? Name : Segment extends '*' ? '*' : never

/** What a header or query parameter must be: its value, a pattern, or true for present and false for absent. */
export type Predicate = string | RegExp | boolean

export interface Timeouts {
  /** To a connection to the target, TLS included. Default 5s. */
  connect?: Duration
  /** From the request sent to the response's head. Default 30s. */
  head?: Duration
  /** Between two pieces of a body. Default 60s. */
  idle?: Duration
  /** From the request's head to the response's end, all attempts. Default: none. */
  total?: Duration
}

export interface HeaderRules {
  /** Replaces. */
  set?: Readonly<Record<string, string>>
  /** Adds a line. */
  append?: Readonly<Record<string, string>>
  remove?: readonly string[]
}

export interface Redirect {
  /** An absolute URL or a path; `:name` and `*` take the parameters of the match, the query is kept. */
  to: string
  /** Default 308, which keeps method and body. */
  status?: 301 | 302 | 303 | 307 | 308
}

/** Limits of a listener. Every one is on; 0 turns one off where its line does not say otherwise. */
export interface Limits {
  /** Bytes of a request's head. Default 16kb; cannot be turned off. */
  headSize?: Size
  /** Header fields of a request. Default 100; cannot be turned off. */
  headFields?: number
  /** Time for a request's whole head. Default 10s. */
  headTimeout?: Duration
  /** Bytes of a request's body. Default: no limit, since bodies are streamed. */
  bodySize?: Size
  /** Between two pieces of a request's body. Default 30s. */
  bodyIdleTimeout?: Duration
  /** For a client that takes nothing of its response. Default 60s. */
  writeIdleTimeout?: Duration
  /** Between two requests on a connection. Default 60s. */
  keepAliveTimeout?: Duration
  /** Default 10,000. */
  requestsPerConnection?: number
  /** Open connections of this listener. Default 20,000. */
  connections?: number
  /** Open connections of one client: an IPv4 address or an IPv6 /64, but for the proxies in `trust`. Default 1,000. */
  connectionsPerClient?: number
  /**
   * Bytes of a connection that are read ahead of what takes them (an upload that its upstream takes slowly, requests sent in
   * advance) before reading stops; one read of 64 KB may stand above it. Default 64kb, 1kb to 16mb.
   */
  pendingBytes?: Size
  /**
   * What HTTP/2 adds, for each connection. Heads have the limits above, and clients are told of them. None of these can
   * be turned off: a client that goes beyond a rate loses its connection (ENHANCE_YOUR_CALM).
   */
  http2?: {
    /** Requests under way at a time. Default 100, 1 to 10,000. */
    maxConcurrentStreams?: number
    /**
     * Bytes of a request's body that a client may send ahead of what takes them: `pendingBytes` for each stream, so that a
     * connection may hold this times `maxConcurrentStreams`. Default 64kb, 1kb to 16mb.
     */
    streamWindow?: Size
    /** Requests that a client cancels or breaks before their response has ended: so many at once. Default 1,000. */
    resetBurst?: number
    /** And then so many a second. Default 100. */
    resetRate?: number
    /** PING frames at once. Clients that measure bandwidth send one each round trip. Default 2,000. */
    pingBurst?: number
    /** And then so many a second. Default 1,000. */
    pingRate?: number
    /** SETTINGS frames at once. Default 50. */
    settingsBurst?: number
    /** And then so many a second. Default 5. */
    settingsRate?: number
  }
}

/** Certificate and key are PEM text, or the path of a PEM file: from the current folder, and read again at every reload. */
export interface Certificate {
  /** With the certificates between it and its root, if there are any. */
  cert: string
  /** Its private key, not encrypted. Of a Secret, the PEM text; read with the certificate, when the config is loaded. */
  key: string | Secret
}

/** The certificate given here serves clients that ask for no name or an unknown one. */
export interface ListenerTls extends Certificate {
  /**
   * More of them, for the DNS names in their subjectAltName: an exact name goes before a wildcard. Of two for one name, one
   * RSA and one ECDSA, each client gets the one that it can use.
   */
  certificates?: readonly Certificate[]
  /** Default TLSv1.2. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3'
  maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL cipher list. Default: Node's. */
  ciphers?: string
  /** Certificates of clients, by which plugins know them as `ctx.client.certificate`. Default: none is asked for. */
  clientCertificate?: {
    /** Whose certificates are believed: PEM text or the path of a PEM file. */
    ca: string
    /** Whether a client without a valid one is refused in the handshake. */
    mode: 'require' | 'optional'
  }
}

export interface Listener<Name extends string = string> {
  port: number
  /** By which routes choose it: `listener: 'sockets'`. Letters, digits, `_`, `-` and dots. */
  name?: Name
  /** Serves only routes that name it. Default false: also those that name no listener. */
  exclusive?: boolean
  /** Address to bind. Default: all, IPv6 and IPv4. */
  host?: string
  /**
   * Whose X-Forwarded-* fields are believed: `'none'` (the default) or the proxies in front of this listener as CIDRs.
   * From anyone else they are replaced.
   */
  trust?: 'none' | readonly string[]
  /** Speaks TLS, and nothing else. Default: clear text. */
  tls?: ListenerTls
  /** HTTP/2 beside HTTP/1.1: by ALPN with TLS, by prior knowledge in clear text. Default true. */
  http2?: boolean
  /**
   * Every connection begins with a PROXY protocol header (version 1 or 2), whose source address is the client's.
   * Taken from the proxies in `trust`; all others are refused. Default false.
   */
  proxyProtocol?: boolean
  limits?: Limits
  /** What two readers could take for two paths. */
  paths?: {
    /** `%2F`. Default refuse. */
    encodedSlashes?: 'refuse' | 'keep'
    /** `.` and `..`, plain or encoded. Default refuse. */
    dotSegments?: 'refuse' | 'resolve'
    /** `//`. Default merge. */
    emptySegments?: 'refuse' | 'keep' | 'merge'
    /**
     * `;` and what follows it in a segment. `refuse` is for routes that guard paths of servlet containers, which take
     * `/admin;x/users` for `/admin/users`. Default keep.
     */
    parameters?: 'refuse' | 'keep'
  }
}

/** Connections to each target of a service. */
export interface PoolLimits {
  /** Open connections to one target. Default 4,096 of HTTP/1.1, 512 of HTTP/2, which carry many requests each. */
  connections?: number
  /** Requests that may wait for one. Default 1,024. */
  queue?: number
  /** Default 55s. */
  idleTimeout?: Duration
  /**
   * A connection older than this is not used again. Default 10m. Where a target has a name, connections to addresses that the
   * name has lost are closed earlier: it is looked up for each new connection, and every 15s while there is traffic.
   */
  maxAge?: Duration
}

export interface LogOptions {
  level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** One line a request. Default: off. */
  access?: boolean
}

/** What is not inferred: the gateway-wide settings. */
export interface GatewaySettings<ListenerName extends string = string> {
  /** Default: port 8080 on all addresses. */
  listen?: Listener<ListenerName> | readonly Listener<ListenerName>[]
  /** For routes that say nothing. */
  timeouts?: Timeouts
  /** Status of a timeout. Default 504. */
  timeoutStatus?: 504 | 408
  /** How long requests may go on after a reload or a signal to stop. Default 30s. */
  drainTimeout?: Duration
  /** How long one plugin may take to set up, or one clean-up to end. Default 10s. */
  setupTimeout?: Duration
  /**
   * How many threads serve, at most 64; 'auto' is one a core. Of `gateway start` alone. Default 1: all in the main thread.
   */
  workers?: number | 'auto'
  log?: LogOptions
  /**
   * What `gateway check` and `gateway dev` make of a lint, by its code: `{ CONFIG_UNUSED_SERVICE: 'off' }`. An error makes
   * `check` fail; no lint keeps a config from running. Default: a warning, and of a missing required plugin an error.
   */
  lint?: LintLevels
}

type ExtensionsOf<P> = P extends Plugin<string, infer _R, infer _S, infer _W, infer _N, infer E> ? E : never
type Choices<P, Point extends keyof Points> =
  ExtensionsOf<P> extends infer E
    ? E extends Extension<Point, infer Name, infer In>
      ? (Record<never, never> extends In ? Name : never) | ({ readonly use: Name } & In)
      : never
    : never

/** The choices, or what to do when there are none. */
type Choice<P, Point extends keyof Points> = [Choices<P, Point>] extends [never]
  ? `no plugin provides a ${Point}: add one to plugins`
  : Choices<P, Point>

/**
 * Options under the name of their plugin. A conditional type, for the compiler works such out before it types the
 * parameters of functions in there, and takes a bare mapped type as it finds it.
 */
type KeyedOptions<P, K extends 'route' | 'service', ServiceName = string> = [P] extends [infer All]
  ? {
      readonly [X in All as X extends { readonly name: infer N extends string; readonly '~types'?: infer T }
        ? [NonNullable<T>[K & keyof NonNullable<T>]] extends [never]
          ? never
          : N
        : never]?: X extends { readonly '~types'?: infer T }
        ? WithServices<NonNullable<T>[K & keyof NonNullable<T>], ServiceName>
        : never
    }
  : never

interface ServiceBase<P> {
  /** Origins, such as `'http://127.0.0.1:3001'`, or with a weight. Needed unless `discover` is there. */
  targets?: readonly (string | TargetSpec)[]
  /** Who finds the targets. */
  discover?: Choice<P, 'discovery'>
  /** Default: 'roundRobin'. */
  balance?: 'roundRobin' | Choices<P, 'balancer'>
  /** Who speaks to the targets. Default: the kernel's HTTP client. */
  connector?: Choice<P, 'connector'>
  /** Send the client's Host on. Default: the target's. */
  preserveHost?: boolean
  /**
   * What the kernel speaks to the targets. `'http2'`: to https targets by ALPN, to others by prior knowledge; a target that
   * does not speak it is not reached. Default 'http1'.
   */
  protocol?: 'http1' | 'http2'
  pool?: PoolLimits
  /** TLS to https targets. Certificates are always verified. */
  tls?: {
    /** PEM. */ ca?: string
    cert?: string
    key?: string | Secret
    serverName?: string
    minVersion?: 'TLSv1.2' | 'TLSv1.3'
    /**
     * Whether certificate and name are verified. Without, whoever stands between gateway and target reads and answers
     * requests, and a lint says so: give `ca` instead, and `serverName` where the name is another. Default true.
     */
    verify?: boolean
  }
}
export type Service<P> = ServiceBase<P> & KeyedOptions<P, 'service'>

interface RouteBase<ListenerName> {
  /** The only ones by which it can be reached. Default: every listener that is not `exclusive`. */
  listener?: [ListenerName] extends [never]
    ? 'no listener has a name: give it one in listen'
    : ListenerName | readonly ListenerName[]
  /** With ANY in `match`: these methods and no others. */
  methods?: readonly Exclude<Method, 'ANY'>[]
  /** Exact or `*.example.com`; any when absent. */
  host?: string | readonly string[]
  /** Header fields the request must have. */
  headers?: Readonly<Record<string, Predicate>>
  /** Query parameters the request must have. */
  query?: Readonly<Record<string, Predicate>>
  /** Total time, or each. */
  timeout?: Duration | Timeouts
  requestHeaders?: HeaderRules
  responseHeaders?: HeaderRules
}

/** A route either goes to a service, or redirects, or answers itself. */
type Action<ServiceName> =
  | {
      service: ServiceName
      /** Path that goes upstream; may use the parameters of `match`. */
      rewrite?: string
      /** Taken off the front of the path, in whole segments. */
      stripPrefix?: `/${string}`
      redirect?: never
      reply?: never
    }
  | { redirect: string | Redirect; service?: never; reply?: never }
  | { reply: Reply; service?: never; redirect?: never }

type Hooks<M extends string> = RouteHooks<never, Params<PathOf<M>>>

/** `match` as it is, or what it has to look like. */
type CheckMatch<M extends string> = M extends Match ? M : Match

/** `rewrite` as it is, or what is wrong with it. */
type CheckRewrite<W, M extends string> = W extends string
  ? string extends W
    ? W
    : [Exclude<ParamName<W>, ParamName<PathOf<M>>>] extends [never]
      ? W
      : `rewrite names "${Exclude<ParamName<W>, ParamName<PathOf<M>>>}", which the match does not have`
  : W

export type Routes<
  P,
  ServiceName,
  ListenerName,
  R extends Record<string, string>,
  W extends Record<string, unknown>,
> = {
  readonly [K in keyof R]: { match: CheckMatch<R[K]> } & RouteBase<ListenerName> &
    Action<ServiceName> &
    Hooks<R[K]> &
    KeyedOptions<P, 'route', ServiceName>
} & { readonly [K in keyof W]: { rewrite?: CheckRewrite<W[K], K extends keyof R ? R[K] : never> } }

type NamesOf<P, Which extends 'writes' | 'needs'> = P extends { readonly '~types'?: infer T }
  ? NonNullable<T>[Which & keyof NonNullable<T>] extends infer S
    ? S extends AnySlot
      ? S['name']
      : never
    : never
  : never
/** The list itself, with a sentence in place of a plugin that needs a slot nobody writes. */
export type CheckPlugins<P extends readonly AnyPlugin[]> = {
  readonly [I in keyof P]: [Exclude<NamesOf<P[I], 'needs'>, NamesOf<P[number], 'writes'>>] extends [never]
    ? P[I]
    : `"${P[I]['name']}" needs slot "${Exclude<NamesOf<P[I], 'needs'>, NamesOf<P[number], 'writes'>>}": add the plugin that writes it`
}
