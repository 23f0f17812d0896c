import type { FieldPredicate, RouteAction, RouteModel } from '../config/model.ts'
import type { RouteOrigin } from '../generation/found-routes.ts'
import type { Sliced } from '../slices.ts'
import { listenersText } from './listeners-text.ts'
import { redact } from './redact.ts'
import { compareRoutes } from './route-order.ts'

/** A route in a line: what `gateway routes --json` prints of it. Secrets are redacted. Fields may be added. */
export interface RouteRow {
  readonly name: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly to: string
  /** Conditions on the listener, header fields and query parameters. */
  readonly when: string
  /** Those with options on the route. */
  readonly plugins: readonly string[]
  /** Absent: the config has it. */
  readonly found?: RouteOrigin
}

/** Of any two that one request could meet the more specific first. `origins`: of those that were found, by name. */
export function* listRoutes(
  routes: readonly RouteModel[],
  origins: ReadonlyMap<string, RouteOrigin> = new Map(),
): Sliced<RouteRow[]> {
  const rows: RouteRow[] = []
  for (const route of routes.toSorted(compareRoutes)) {
    const found = origins.get(route.name)
    rows.push({ ...rowOf(route), ...(route.found && found && { found }) })
    yield
  }
  return rows
}

function rowOf(route: RouteModel): RouteRow {
  return {
    name: route.name,
    method: route.methods.join(', ') || 'ANY',
    host: route.hosts.join(', ') || '*',
    path: route.pattern.text,
    to: describe(route.action),
    when: [
      ...(route.listeners.length === 0 ? [] : [`listener ${listenersText(route.listeners)}`]),
      ...route.headers.map(field => condition('header', field)),
      ...route.query.map(field => condition('query', field)),
    ].join(', '),
    plugins: Object.keys(route.options),
  }
}

function describe(action: RouteAction): string {
  if (action.kind === 'redirect') return `redirect ${action.status} ${action.to}`
  if (action.kind === 'reply') return `reply ${action.reply.status}`
  const { service, rewrite, stripPrefix, others = [] } = action
  const path = rewrite === undefined ? '' : ` ${rewrite}`
  const also = others.length === 0 ? '' : `, also ${others.join(', ')}`
  return `${service}${stripPrefix === undefined ? path : ` without ${stripPrefix}`}${also}`
}

function condition(kind: string, field: FieldPredicate): string {
  // A header that has to hold a token is a secret written into a config.
  const shown = redact(field) as { value?: unknown; pattern?: unknown }
  if (field.not) return `no ${kind} ${field.name}`
  if (field.pattern !== undefined) return `${kind} ${field.name} ~ ${shown.pattern}`
  return field.value === undefined ? `${kind} ${field.name}` : `${kind} ${field.name} = ${shown.value}`
}
