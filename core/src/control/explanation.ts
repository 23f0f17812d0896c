/** A request to be explained. */
export interface ExplainRequest {
  /** As it is sent: methods are case-sensitive. */
  readonly method: string
  /** An http(s) URL, or a path with or without a query. */
  readonly url: string
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined
}

/**
 * What the gateway would do with a request, and why; the shape of `gateway explain --json`. Secrets are redacted,
 * times are milliseconds with 0 for none. Fields may be added, none of these changes its meaning.
 */
export interface Explanation {
  readonly request: {
    readonly method: string
    /** As it was given. */
    readonly url: string
    /** Lower-case, without port; empty when the request names none. */
    readonly host: string
    /** The canonical path, by which routes are found; null when the request is refused before. */
    readonly path: string | null
    readonly query: string
    /** `host:port` of the listener whose rules were taken: the one of the URL's port, or else the first. */
    readonly listener: string | null
  }
  /** Why no route takes it. One of `refusal` and `route` is null; both are for OPTIONS of the gateway as a whole. */
  readonly refusal: Refusal | null
  /** Routes that lead to this path, the chosen one among them, in the order in which they are asked. */
  readonly candidates: readonly Candidate[]
  readonly route: RouteExplanation | null
  /** What else is worth knowing, as sentences. */
  readonly notes: readonly string[]
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  /** Methods that would be taken; with 405 only. */
  readonly allow?: readonly string[]
  readonly hint?: string
}

export interface Candidate {
  readonly route: string
  readonly match: string
  /** Empty: any. */
  readonly hosts: readonly string[]
  /** `shadowed`: it would take the request, had no more specific one. */
  readonly verdict: 'chosen' | 'shadowed' | 'failed'
  /** The first thing that it asks for in vain. */
  readonly failed?: Failure
}

export interface Failure {
  readonly what: 'host' | 'method' | 'listener' | 'header' | 'query'
  /** Of the field or parameter. */
  readonly name?: string
  /** Hosts, methods, listeners, a value in quotes, an expression, or that it is `present` or `absent`. */
  readonly wants: string
  /** Null when the request has none. */
  readonly got: string | null
}

/** Where a value comes from: nobody gave it, or the config did, at this path and, if it can be told, this place. */
export type Origin =
  | { readonly from: 'default' }
  /** Found by the discovery of the service. */
  | { readonly from: 'discovery' }
  | {
      readonly from: 'config'
      readonly path: readonly (string | number)[]
      readonly file?: string
      readonly line?: number
      readonly column?: number
    }

export interface RouteExplanation {
  readonly name: string
  readonly origin: Origin
  readonly match: string
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly action: ActionExplanation
  readonly timeouts: {
    readonly [Name in 'connect' | 'head' | 'idle' | 'total']: { readonly ms: number; readonly origin: Origin }
  }
  /** In the order of request hooks; responses run the other way. */
  readonly plugins: readonly PluginExplanation[]
  /** Hooks written in the route itself; they stand last. */
  readonly hooks: readonly string[]
  readonly requestHeaders: readonly HeaderChange[]
  readonly responseHeaders: readonly HeaderChange[]
}

export type ActionExplanation =
  | ({ readonly kind: 'service' } & ServiceExplanation)
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | { readonly kind: 'reply'; readonly status: number; readonly headers: Readonly<Record<string, unknown>> }

export interface ServiceExplanation extends ServiceTargets {
  /** That plugins may choose in its place, or send copies to. */
  readonly others: readonly ServiceTargets[]
  /** Path and query that go upstream. */
  readonly path: string
  /** Fields that the gateway writes by itself; hop-by-hop fields are taken off (RFC 9110 section 7.6.1). */
  readonly sets: readonly string[]
}

export interface ServiceTargets {
  readonly service: string
  readonly origin: Origin
  readonly protocol: 'http1' | 'http2'
  readonly balance: Extension
  readonly discover: Extension | null
  /** Why the source of the targets cannot be asked, so that they are those found last; absent when it can. */
  readonly stale?: string
  readonly connector: Extension | null
  /** Those of the config, or of a running gateway those that it knows now. */
  readonly targets: readonly {
    readonly url: string
    readonly weight: number
    readonly inFlight?: number
    /** Why plugins keep it from being chosen; absent when they do not. */
    readonly held?: readonly string[]
  }[]
  /** Whose name the Host field carries. */
  readonly host: 'target' | 'client' | 'requestHeaders'
}

export interface Extension {
  readonly use: string
  readonly options: unknown
}

export interface PluginExplanation {
  readonly name: string
  readonly stage: string
  readonly origin: Origin
  /** Validated. */
  readonly options: unknown
  /** Null: the route, or its service, says nothing of this plugin. */
  readonly routeOptions: unknown
  readonly serviceOptions: unknown
  /** Those it returned for this route: of a running gateway. Null from a file: no plugin is set up. */
  readonly hooks: readonly string[] | null
}

export interface HeaderChange {
  readonly change: 'remove' | 'set' | 'append'
  readonly name: string
  readonly value?: unknown
  readonly origin: Origin
}
