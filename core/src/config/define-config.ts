import type { AnyPlugin, CheckPlugins, GatewaySettings, Routes, Service } from './config.ts'

type Names<S> = keyof S & string
type NoRecord = Record<never, never>

/**
 * Plugins that have to be at work on every route, redirects and fixed replies included. A route leaves one off only by
 * writing `false` under its name, where the plugin's options allow that; any other without it keeps the config from running.
 */
type Required<P extends readonly AnyPlugin[]> = readonly P[number]['name'][]

/** What a config carries on in its type: plugins, services and routes by name. */
export interface Config<
  P = readonly AnyPlugin[],
  S = Readonly<Record<string, unknown>>,
  R = Readonly<Record<string, unknown>>,
> extends GatewaySettings {
  readonly plugins?: P
  readonly services?: S
  readonly routes: R
}

/**
 * Types a whole config in one file. Returns what it is given: nothing is checked or started here.
 * A config that grows over several files uses {@link defineGateway}.
 */
export function defineConfig<
  const P extends readonly AnyPlugin[] = readonly [],
  const S extends Record<string, unknown> = NoRecord,
  const R extends Record<string, string> = NoRecord,
  const W extends Record<string, unknown> = NoRecord,
  const L extends string = never,
>(
  config: GatewaySettings<L> & {
    readonly plugins?: P & CheckPlugins<NoInfer<P>>
    readonly require?: Required<NoInfer<P>>
    readonly services?: { readonly [K in keyof S]: Service<NoInfer<P>[number]> }
    readonly routes: Routes<NoInfer<P>[number], Names<NoInfer<S>>, NoInfer<L>, R, W>
  },
): Config<P, { readonly [K in keyof S]: unknown }, { readonly [K in keyof R]: unknown }> {
  return config as never
}

/** The plugins and services of a config whose routes stand in files of their own. */
export interface GatewayDefinition<
  P extends readonly AnyPlugin[],
  ServiceName extends string,
  ListenerName extends string,
> {
  /** Types a table of routes against the plugins, services and listeners. */
  routes<const R extends Record<string, string>, const W extends Record<string, unknown> = NoRecord>(
    routes: Routes<P[number], ServiceName, ListenerName, R, W>,
  ): RouteTable<keyof R & string>
  /** The whole config, to be exported as default. A route name that two tables share is a problem when the config is loaded. */
  config(...tables: readonly RouteTable<string>[]): Config<P>
}

declare const routeTable: unique symbol
export interface RouteTable<Name extends string> {
  readonly [routeTable]: Name
}

/**
 * The split form of {@link defineConfig}:
 *
 *     // gateway.ts         export const gateway = defineGateway({ plugins, services })
 *     // routes/users.ts    export const users = gateway.routes({ getUser: { match: 'GET /users/:id', service: 'users' } })
 *     // gateway.config.ts  export default gateway.config(users, orders)
 */
export function defineGateway<
  const P extends readonly AnyPlugin[] = readonly [],
  const S extends Record<string, unknown> = NoRecord,
  const L extends string = never,
>(
  settings: GatewaySettings<L> & {
    readonly plugins?: P & CheckPlugins<NoInfer<P>>
    readonly require?: Required<NoInfer<P>>
    readonly services?: { readonly [K in keyof S]: Service<NoInfer<P>[number]> }
  },
): GatewayDefinition<P, Names<S>, L> {
  return {
    routes: routes => routes as never,
    config: (...tables) => ({ ...settings, routes: tables }) as never,
  }
}
