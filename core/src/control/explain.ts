import type { Model, RouteModel } from '../config/model.ts'
import { GatewayError } from '../contract/errors.ts'
import { asksWebSocket, uncarried, unrouted, unserved } from '../exchange/refusals.ts'
import type { CompiledRoute } from '../exchange/route.ts'
import { isToken } from '../http1/grammar.ts'
import { canonicalPath, defaultPathOptions, type PathOptions } from '../routing/canonical-path.ts'
import { listenerOfUrl } from '../routing/listener-of-url.ts'
import { matchesPattern, matchKey } from '../routing/pattern.ts'
import { allHold, type Condition, conditionsOf, type FieldReader, queryValue } from '../routing/predicate.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import { parseTarget } from '../routing/target.ts'
import { explainRoute } from './explain-route.ts'
import type { Candidate, ExplainRequest, Explanation, Failure, Refusal } from './explanation.ts'
import { listenersText } from './listeners-text.ts'
import { redact } from './redact.ts'

export type { ExplainRequest, Explanation }

/** Where routes are found, and what runs of each, when something does. */
interface Routing {
  readonly router: Router<number>
  routeAt(place: number): CompiledRoute | undefined
}

/** Routes of the model alone, for a config that does not run. */
export function routingOf({ routes }: Model): Routing {
  const specs = routes.map((route, value) => ({ ...route, value }))
  return { router: compileRouter(specs), routeAt: () => undefined }
}

/**
 * What becomes of a request, without sending it or running any hook.
 *
 * @throws TypeError for what is no method or no header field.
 */
export function explain(model: Model, routing: Routing, { method, url, headers = [] }: ExplainRequest): Explanation {
  const fields = readFields(method, headers)
  // A client keeps the fragment to itself.
  const [sent = ''] = url.split('#')
  const listener = listenerOfUrl(model.listeners, sent)
  const paths = listener?.paths ?? defaultPathOptions
  const target = parseTarget(method, sent, fields.get('host'), paths)
  const address = listener === undefined ? null : `${listener.host ?? '*'}:${listener.port}`
  const request = { method, url, host: '', path: null, query: '', listener: address }
  const nothing = { candidates: [], route: null, notes: [] }
  if (target instanceof GatewayError) {
    return { request, refusal: refusalOf(target, pathHint(sent, paths)), ...nothing }
  }

  const { host, path, query } = target
  const read = { ...request, host, path, query }
  const refused = unserved(method)
  if (refused !== undefined) return { request: read, refusal: refusalOf(refused, undefined), ...nothing }

  if (path === '*') {
    const note = 'OPTIONS of the gateway as a whole: it answers by itself, with 204 and Allow.'
    return { request: read, refusal: null, ...nothing, notes: [note] }
  }

  const asked = { method, host, path, query, fields, listener: listener?.name ?? '' }
  const { router } = routing
  const routes = new Map(model.routes.map(route => [route.name, route]))
  const candidates = candidatesOf(routes, router, asked)
  const match = router.match(method, host, path, query, fields, asked.listener)
  if (!match.found) {
    const refusal = refusalOf(unrouted(method, path, match), slashHint(router, asked) ?? elsewhereHint(candidates))
    const allow = match.allow.length === 0 ? {} : { allow: match.allow }
    return { request: read, refusal: { ...refusal, ...allow }, candidates, route: null, notes: notesOf(routing, asked) }
  }
  const route = routes.get(match.name)
  if (route === undefined) throw new TypeError(`the model has no route "${match.name}"`)
  const compiled = routing.routeAt(match.value)
  const explained = explainRoute(model, route, target, compiled)
  const carries = compiled === undefined || compiled.onTunnel.length > 0
  const refusal = carries || !asksWebSocket(fields.get('upgrade') ?? '') ? null : refusalOf(uncarried(), undefined)
  return { request: read, refusal, candidates, route: explained, notes: notesOf(routing, asked, route) }
}

interface Asked {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string
  readonly fields: FieldReader
  readonly listener: string
}

/** @throws TypeError for what is no method or no header field. */
export function checkRequest({ method, headers = [] }: ExplainRequest): void {
  readFields(method, headers)
}

function readFields(method: string, headers: NonNullable<ExplainRequest['headers']>): FieldReader {
  if (!isToken(method)) throw new TypeError(`"${method}" is no method`)
  const fields = new Headers()
  for (const [name, value] of headers) fields.append(name, value)
  return { get: name => fields.get(name) ?? undefined }
}

function refusalOf({ status, code, message }: GatewayError, hint: string | undefined): Refusal {
  return { status, code, message, ...(hint === undefined ? {} : { hint }) }
}

/** What would have to be said, or sent, for the path to be let through. */
function pathHint(url: string, options: PathOptions): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/\?.*$/s, '')
  const lets = (more: Partial<PathOptions>) => typeof canonicalPath(path, { ...options, ...more }) === 'string'
  if (path === '' || lets({})) return undefined
  if (lets({ encodedSlashes: 'keep' }))
    return `paths: { encodedSlashes: 'keep' } on the listener lets it through as data`
  if (lets({ dotSegments: 'resolve' })) return `paths: { dotSegments: 'resolve' } on the listener resolves it`
  if (lets({ emptySegments: 'merge' })) return `paths: { emptySegments: 'merge' } on the listener merges the slashes`
  if (lets({ parameters: 'keep' })) return `paths: { parameters: 'keep' } on the listener lets its semicolon through`
  const encoded = encodeURI(path.toWellFormed()).replace(/%25(?=[\dA-Fa-f]{2})/g, '%')
  return typeof canonicalPath(encoded, options) === 'string' ? `a client has to send it as ${encoded}` : undefined
}

/** Routes for other hosts come last: they were never asked. */
function candidatesOf(
  routes: ReadonlyMap<string, RouteModel>,
  router: Router<unknown>,
  { method, host, path, query, fields, listener }: Asked,
): Candidate[] {
  const asked = router
    .explain(method, host, path, query, fields, listener)
    .flatMap(({ name, verdict }): Candidate[] => {
      const route = routes.get(name)
      if (route === undefined) return []
      const { match, hosts, methods } = route
      const about = { route: name, match, hosts }
      if (verdict === 'chosen' || verdict === 'shadowed') return [{ ...about, verdict }]
      if (verdict === 'method differs') {
        return [{ ...about, verdict: 'failed', failed: { what: 'method', wants: methods.join(' or '), got: method } }]
      }
      const failed = conditionsOf(route.headers, route.query, route.listeners).find(
        condition => !allHold([condition], query, fields, listener),
      )
      return failed === undefined
        ? []
        : [{ ...about, verdict: 'failed', failed: failureOf(failed, query, fields, listener) }]
    })
  const names = new Set(asked.map(({ route }) => route))
  const key = matchKey(path)
  const elsewhere = [...routes.values()].filter(
    ({ name, hosts, pattern }) => hosts.length > 0 && !names.has(name) && matchesPattern(pattern, key),
  )
  return [
    ...asked,
    ...elsewhere.map(({ name, match, hosts }): Candidate => {
      const failed = { what: 'host', wants: hosts.join(' or '), got: host === '' ? null : host } as const
      return { route: name, match, hosts, verdict: 'failed', failed }
    }),
  ]
}

function failureOf(condition: Condition, query: string, fields: FieldReader, listener: string): Failure {
  const { source, name, value, anyOf, pattern, not } = condition
  if (anyOf !== undefined)
    return { what: 'listener', wants: listenersText(anyOf), got: listener === '' ? null : listener }
  const found = source === 'header' ? fields.get(name) : queryValue(query, name)
  // A header that has to hold a token is a secret written into a config.
  const hide = (text: unknown) => String(Object(redact({ name, value: text })).value)
  const test = value === undefined ? pattern && hide(pattern) : JSON.stringify(hide(value))
  const wants = test === undefined ? (not ? 'absent' : 'present') : `${not ? 'not ' : ''}${test}`
  return { what: source, name, wants, got: found === undefined ? null : hide(found) }
}

function slashHint(
  router: Router<unknown>,
  { method, host, path, query, fields, listener }: Asked,
): string | undefined {
  const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`
  const match = router.match(method, host, other, query, fields, listener)
  return match.found ? `route "${match.name}" takes ${other}: a slash at the end counts` : undefined
}

function elsewhereHint(candidates: readonly Candidate[]): string | undefined {
  const [what, ...others] = new Set(candidates.map(({ failed }) => failed?.what))
  if (others.length > 0) return undefined
  if (what === 'host') return "routes for this path want another host: name it in the URL or with -H 'host: …'"
  if (what === 'listener') return 'routes for this path are reached by another listener: name its port in the URL'
  return undefined
}

function notesOf(routing: Routing, asked: Asked, route?: RouteModel): string[] {
  const { method, host, path, query, fields, listener } = asked
  const notes: string[] = []
  if (method === 'HEAD' && route?.methods.length && !route.methods.includes('HEAD')) {
    notes.push(`HEAD is taken by a route for GET; the response goes out without its body.`)
  }
  const preflightFor = fields.get('access-control-request-method')
  if (method === 'OPTIONS' && preflightFor !== undefined && fields.get('origin') !== undefined) {
    const match = routing.router.match(preflightFor, host, path, query, fields, listener)
    const hooks = match.found ? routing.routeAt(match.value)?.onPreflight : undefined
    if (match.found && hooks?.length !== 0) {
      const who = hooks === undefined ? 'its plugins' : hooks.map(({ plugin }) => plugin).join(', ')
      notes.push(
        `A CORS preflight for ${preflightFor}: ${who} of route "${match.name}" may answer it before it is routed.`,
      )
    }
  }
  return notes
}
