import type { Reply } from '../contract/context.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import type { Log } from '../contract/host.ts'
import type { Deadlines } from '../http1/deadlines.ts'
import type { AttemptTimeouts } from '../http1/wire.ts'
import type { PathOptions } from '../routing/canonical-path.ts'
import type { Router } from '../routing/router.ts'
import type { Template } from '../routing/template.ts'
import type { OpenConnections } from '../tunnel/open-connections.ts'
import type { Service } from '../upstream/service.ts'
import type { FieldRules } from './field-rules.ts'

/** A hook with the plugin it belongs to. */
export interface Step<Run> {
  readonly plugin: string
  /** Place in the chain; request hooks run up it, response hooks down. */
  readonly position: number
  readonly run: Run
}

type Steps = { readonly [Hook in keyof RouteHooks]-?: readonly Step<NonNullable<RouteHooks[Hook]>>[] }

/**
 * A route ready to run. Each list holds only the hooks that plugins returned for this route, in the order in which they
 * run: a plugin that returned nothing costs nothing here.
 */
export interface CompiledRoute extends Steps {
  readonly name: string
  /** Names of the plugins that returned hooks for it. */
  readonly plugins: readonly string[]
  readonly action: CompiledAction
  /** Of a route that may go to several services, itself for each of them. */
  readonly byService: ReadonlyMap<string, CompiledRoute>
  /** Slots that active plugins need, by name, with the place of the first such plugin: from there on an unset one is an error, never undefined. */
  readonly neededSlots: ReadonlyMap<string, number>
  /** Milliseconds; 0 is none. */
  readonly timeouts: AttemptTimeouts & { readonly total: number }
  /** Bytes of a body that are kept to be sent again. */
  readonly replayBytes: number
  readonly requestHeaders: FieldRules | undefined
  readonly responseHeaders: FieldRules | undefined
}

export type CompiledAction =
  | {
      readonly kind: 'service'
      readonly service: Service
      readonly rewrite: Template | undefined
      readonly stripPrefix: number
    }
  | { readonly kind: 'redirect'; readonly origin: string; readonly template: Template; readonly status: number }
  | { readonly kind: 'reply'; readonly reply: Reply }

/** What an exchange needs of the generation it runs in. */
export interface Runtime {
  /** Leads to the places of routes, and so serves several generations. */
  readonly router: Router<number>
  routeAt(place: number): CompiledRoute
  readonly log: Log
  readonly accessLog: boolean
  readonly timeoutStatus: number
  /** By whose clock its time is told. */
  readonly deadlines: Deadlines
  /** Runs a task once, by the same clock. What it returns calls it off. */
  readonly after: (ms: number, task: () => void) => () => void
  readonly connections: OpenConnections
  /** Counts an exchange in; the generation lives until it is counted out. */
  enter(member: Member): void
  leave(member: Member): void
}

/** An exchange as the generation that it holds knows it: a link in a list, so that counting allocates nothing. */
export interface Member {
  readonly id: string
  readonly route: string
  readonly client: { readonly address: string }
  /** On the clock of its runtime's deadlines. */
  readonly startedAt: number
  /** From the client and to the client. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** What it has become, if it has. */
  readonly tunnel: object | undefined
  older: Member | undefined
  newer: Member | undefined
}

/** What an exchange needs of the listener it came in by. */
export interface Entry {
  /** Its name, '' when it has none. */
  readonly listener: string
  readonly paths: PathOptions
  /** Bytes of a request's body; 0 is no limit. */
  readonly bodySize: number
  /** Whether this address is a proxy whose X-Forwarded-* are believed. */
  trusts(address: string): boolean
}

/** @throws TypeError when it does not go there. */
export function routeTo(route: CompiledRoute | undefined, service: string): CompiledRoute {
  const found = route?.byService.get(service)
  if (found !== undefined) return found
  throw new TypeError(`route "${route?.name}" does not go to "${service}": name it in the plugin's "services"`)
}
