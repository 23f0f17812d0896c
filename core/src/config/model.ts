import type { Reply } from '../contract/context.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { TargetSpec } from '../contract/host.ts'
import type { ErasedDefinition } from '../contract/plugin.ts'
import type { AttemptTimeouts } from '../http1/wire.ts'
import type { Http2Limits } from '../http2/server-limits.ts'
import type { Pattern } from '../routing/pattern.ts'
import type { HeaderRules } from './config.ts'
import type { LintLevels } from './lint-codes.ts'

/**
 * The one form that every config takes, whether it was TypeScript, JavaScript or YAML: checked, defaults filled in,
 * units resolved. Nothing after `config/` knows which it came from.
 */
export interface Model {
  readonly listeners: readonly ListenerModel[]
  /** In the order in which request hooks run. */
  readonly plugins: readonly PluginModel[]
  readonly services: readonly ServiceModel[]
  readonly routes: readonly RouteModel[]
  /** Of routes that give none. */
  readonly timeouts: GivenTimeouts
  readonly timeoutStatus: 504 | 408
  readonly drainTimeoutMs: number
  readonly setupTimeoutMs: number
  readonly workers: number | 'auto'
  /** Plugins that have to be at work on every route that does not switch them off. */
  readonly require: readonly string[]
  readonly lint: LintLevels
  /** Absolute paths of what was read beside the config: certificates and keys. */
  readonly files: readonly string[]
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'; readonly access: boolean }
}

export interface ListenerModel {
  readonly port: number
  readonly name: string | undefined
  readonly exclusive: boolean
  /** Undefined: all addresses. */
  readonly host: string | undefined
  /** CIDRs of the proxies that are believed. */
  readonly trust: readonly string[]
  readonly tls: ListenerTlsModel | undefined
  readonly http2: boolean
  readonly proxyProtocol: boolean
  readonly limits: ListenerLimits
  readonly paths: PathOptions
}

/** Everything in it has been read and tried: a context can be made of it. */
export interface ListenerTlsModel {
  /** The first is the default. */
  readonly certificates: readonly [CertificateModel, ...CertificateModel[]]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly ciphers: string | undefined
  /** `ca` is PEM. */
  readonly clientCertificate: { readonly ca: string; readonly mode: 'require' | 'optional' } | undefined
}

export interface CertificateModel {
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** DNS names of its subjectAltName in lower case, wildcards among them. */
  readonly names: readonly string[]
  /** `rsa`, `ec`, …: of each kind a TLS context holds one. */
  readonly keyType: string
}

/** Bytes and milliseconds; 0 is no limit. */
export interface ListenerLimits {
  readonly headSize: number
  readonly headFields: number
  readonly headTimeout: number
  readonly bodySize: number
  readonly bodyIdleTimeout: number
  readonly writeIdleTimeout: number
  readonly keepAliveTimeout: number
  readonly requestsPerConnection: number
  readonly connections: number
  readonly connectionsPerClient: number
  readonly pendingBytes: number
  readonly http2: Http2Limits
}

export interface PathOptions {
  readonly encodedSlashes: 'refuse' | 'keep'
  readonly dotSegments: 'refuse' | 'resolve'
  readonly emptySegments: 'refuse' | 'keep' | 'merge'
  readonly parameters: 'refuse' | 'keep'
}

export interface PluginModel {
  readonly name: string
  /** Position in the config's list. */
  readonly position: number
  readonly definition: ErasedDefinition
  /** Validated. */
  readonly options: unknown
}

/** An extension by name, with validated options. */
export interface Choice {
  readonly use: string
  readonly options: unknown
}

export interface ServiceModel {
  readonly name: string
  readonly targets: readonly TargetSpec[]
  readonly discover: Choice | undefined
  readonly balance: Choice
  readonly connector: Choice | undefined
  readonly preserveHost: boolean
  readonly protocol: 'http1' | 'http2'
  /** Milliseconds; absent keys take the pool's defaults. */
  readonly pool: PoolModel
  readonly tls: TlsModel | undefined
  /** Validated plugin options by plugin name. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface PoolModel {
  readonly connections?: number | undefined
  readonly queue?: number | undefined
  readonly idleTimeout?: number | undefined
  readonly maxAge?: number | undefined
}

export interface TlsModel {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly verify?: boolean | undefined
}

export interface FieldPredicate {
  readonly name: string
  /** Exact value; with neither value nor pattern the field has to be there, or with `not`, absent. */
  readonly value?: string
  readonly pattern?: RegExp
  readonly not?: boolean
}

export type RouteAction =
  | {
      readonly kind: 'service'
      readonly service: string
      readonly rewrite: string | undefined
      readonly stripPrefix: string | undefined
      /** Services that plugins may choose in its place, or send copies to. */
      readonly others?: readonly string[]
    }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: number }
  | { readonly kind: 'reply'; readonly reply: Reply }

/** Milliseconds; 0 is none. */
export interface RouteTimeouts extends AttemptTimeouts {
  readonly total: number
}

export type GivenTimeouts = { readonly [Name in keyof RouteTimeouts]?: number | undefined }

/** Who gave each: the route itself, the gateway's `timeouts`, or nobody. */
export type TimeoutsFrom = { readonly [Name in keyof RouteTimeouts]: 'route' | 'gateway' | 'default' }

export interface RouteModel {
  readonly name: string
  /** As written. */
  readonly match: string
  /** Empty: any. */
  readonly methods: readonly string[]
  readonly pattern: Pattern
  /** Names, '' for those without one. Empty: any. */
  readonly listeners: readonly string[]
  readonly hosts: readonly string[]
  readonly headers: readonly FieldPredicate[]
  readonly query: readonly FieldPredicate[]
  readonly action: RouteAction
  readonly timeouts: RouteTimeouts
  readonly timeoutsFrom: TimeoutsFrom
  readonly requestHeaders: HeaderRules | undefined
  readonly responseHeaders: HeaderRules | undefined
  /** Validated plugin options by plugin name. */
  readonly options: Readonly<Record<string, unknown>>
  /** Hooks written in the config itself. */
  readonly hooks: RouteHooks
  /** A discovery found it: it is not in the config. */
  readonly found?: true
}
