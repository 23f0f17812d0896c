import type { Awaitable, GatewayHooks, RouteHooks } from './hooks.ts'
import type { Extension, Host, Points } from './host.ts'
import type { InputOf, NamesServices, OutputOf, Schema, WithServices } from './schema.ts'
import type { AnySlot } from './slot.ts'

/** Request order of plugins; responses run the other way round. */
export const stages = ['guard', 'identify', 'authorize', 'admit', 'shape'] as const
export type Stage = (typeof stages)[number]

/** Which bodies: both, or the one that goes this way. */
export type Direction = true | 'request' | 'response'

/** Said of every route, or told from the options that a route and the plugin itself have. */
type DirectionOf<RouteOptions, Options> =
  | Direction
  | ((route: RouteOptions | undefined, options: Options) => Direction | undefined)

type AnyDirection = DirectionOf<never, never> | undefined

/** What a definition says of one route. Who cannot tell is taken at the worst. */
export function directionOf(said: AnyDirection, route: unknown, options: unknown): Direction | undefined {
  if (typeof said !== 'function') return said
  try {
    // Both have been through the schemas that it was typed with.
    return (said as (route: unknown, options: unknown) => Direction | undefined)(route, options)
  } catch {
    return true
  }
}

/** Whether one goes the way of the other. */
export function meet(a: Direction | undefined, b: Direction | undefined): boolean {
  return a !== undefined && b !== undefined && (a === true || b === true || a === b)
}

/** A service's name in the options of a route. */
export interface NamedService {
  readonly name: string
  /** Keys and indexes that lead to it. */
  readonly path: readonly (string | number)[]
}

/** Names that are fields of a route or service already. */
export type ReservedName = (typeof reservedNames)[number] | keyof RouteHooks

export const reservedNames = [
  'match',
  'listener',
  'methods',
  'host',
  'headers',
  'query',
  'service',
  'redirect',
  'reply',
  'rewrite',
  'stripPrefix',
  'timeout',
  'requestHeaders',
  'responseHeaders',
  'targets',
  'discover',
  'balance',
  'connector',
  'preserveHost',
  'tls',
  'pool',
  'protocol',
  'name',
  'plugins',
  'kind',
] as const

export interface Definition<
  Name extends string,
  Options,
  RouteOptions,
  ServiceOptions,
  Writes extends AnySlot,
  Needs extends AnySlot,
  E,
> {
  /** camelCase; also the key under which routes and services carry this plugin's options. */
  readonly name: Name extends ReservedName ? `"${Name}" is a field of a route or service: choose another name` : Name
  /** Default: shape. */
  readonly stage?: Stage
  readonly options?: Options
  readonly routeOptions?: RouteOptions
  readonly serviceOptions?: ServiceOptions
  readonly writes?: readonly Writes[]
  readonly needs?: readonly Needs[]
  readonly extensions?: readonly E[]
  /**
   * Whether it is at work on routes that say nothing of it; may depend on its options. Default: only when it has no
   * `routeOptions`. What `require` and `check` go by, since nothing is set up for them.
   */
  readonly alwaysOn?: boolean | ((options: OutputOf<Options>) => boolean)
  /**
   * Services that a route's options name, with their places in there: they have to be in the config, the route may go to
   * them by `ctx.useService` and `ctx.forward`, and count as used. For their names as types see {@link namingServices}.
   */
  services?(options: OutputOf<RouteOptions>): readonly NamedService[]
  /** On a route on which it returns hooks, it holds bodies back until all of them is there. Refused where a plugin `streams` them. */
  readonly buffersBody?: DirectionOf<OutputOf<RouteOptions>, OutputOf<Options>>
  /** On a route on which it returns hooks, bodies have no end that anyone could wait for: events, messages, calls both ways. */
  readonly streams?: DirectionOf<OutputOf<RouteOptions>, OutputOf<Options>>
  /** Runs once a generation. */
  setup?(
    host: Host,
    options: OutputOf<Options>,
  ): Awaitable<GatewayHooks<Needs, OutputOf<RouteOptions>, OutputOf<ServiceOptions>> | void>
}

/** A plugin with its options, as it stands in a config's list. */
export interface Plugin<
  Name extends string = string,
  RouteIn = unknown,
  ServiceIn = unknown,
  Writes extends AnySlot = AnySlot,
  Needs extends AnySlot = AnySlot,
  E = unknown,
> {
  readonly name: Name
  readonly definition: ErasedDefinition
  /** As written; checked when the config is loaded. */
  readonly options: unknown
  /** Type only. */
  readonly '~types'?: { route: RouteIn; service: ServiceIn; writes: Writes; needs: Needs; extensions: E }
}

/** A definition once its types have done their work: what the kernel runs. */
export interface ErasedDefinition {
  readonly name: string
  readonly stage?: Stage | undefined
  readonly options?: Schema | undefined
  readonly routeOptions?: Schema | undefined
  readonly serviceOptions?: Schema | undefined
  readonly writes?: readonly AnySlot[] | undefined
  readonly needs?: readonly AnySlot[] | undefined
  readonly extensions?: readonly Extension[] | undefined
  readonly alwaysOn?: boolean | ((options: never) => boolean) | undefined
  readonly services?: ((options: never) => readonly NamedService[]) | undefined
  readonly buffersBody?: AnyDirection
  readonly streams?: AnyDirection
  readonly setup?: ((host: Host, options: never) => Awaitable<GatewayHooks<never, never, never> | void>) | undefined
}

/** Nothing in it is required, or all of it may be left out. */
type IsOptional<In> = Record<never, never> extends In ? true : undefined extends In ? true : false

type Factory<S, P> = [S] extends [Schema]
  ? IsOptional<InputOf<S>> extends true
    ? (options?: InputOf<S>) => P
    : (options: InputOf<S>) => P
  : () => P

/**
 * Makes a plugin: a plain object in, a factory out, to be called in a config's `plugins`.
 *
 * Options are checked when the config is loaded, not when the factory is called, so that all problems show together and
 * with their place in the config.
 */
export function definePlugin<
  const Name extends string,
  Options extends Schema | undefined = undefined,
  RouteOptions extends Schema | undefined = undefined,
  ServiceOptions extends Schema | undefined = undefined,
  const Writes extends AnySlot = never,
  const Needs extends AnySlot = never,
  const E extends Extension = never,
>(
  definition: Definition<Name, Options, RouteOptions, ServiceOptions, Writes, Needs, E>,
): Factory<Options, Plugin<Name, InputOf<RouteOptions>, InputOf<ServiceOptions>, Writes, Needs, E>> {
  const erased = definition as unknown as ErasedDefinition
  const factory = (options?: unknown) => ({ name: erased.name, definition: erased, options })
  // For tools, which tell of a plugin's options without making one.
  return Object.assign(factory, { definition: erased }) as never
}

/** What may be written has to be what the schema reads. */
type Takes<S, In> = In extends InputOf<S> ? unknown : { readonly 'the schema does not take': In }

/**
 * Makes a schema take the names of the config's services, and no other:
 *
 *     interface Shadow extends NamesServices { readonly options: { readonly to: this['service'] } }
 *     routeOptions: namingServices<Shadow>()(z.strictObject({ to: z.string() }))
 */
export function namingServices<Names extends NamesServices>() {
  return <S extends Schema>(schema: S & Takes<S, WithServices<Names, 'a service'>>): Schema<Names, OutputOf<S>> =>
    schema as never
}

/** Provides something by name: a balancer, a connector, a source of targets. */
export function defineExtension<
  const Point extends keyof Points,
  const Name extends string,
  S extends Schema | undefined = undefined,
>(extension: {
  readonly point: Point
  readonly name: Name
  readonly options?: S
  /** Once for each service that chose it, and generation. */
  create(host: Host, options: OutputOf<S>, service: string): Awaitable<Points[Point]>
}): Extension<Point, Name, S extends Schema ? InputOf<S> : Record<never, never>> {
  return extension as never
}
