import type { Reply } from '../contract/context.ts'
import { GatewayError } from '../contract/errors.ts'
import { known } from '../http1/known-fields.ts'
import type { ServerStream } from '../http1/wire.ts'
import type { Pattern } from '../routing/pattern.ts'
import { methods } from '../routing/router.ts'
import { parseTarget } from '../routing/target.ts'
import { attempt } from './attempts.ts'
import { Exchange, type ExchangeEvents } from './exchange.ts'
import { applyFieldRules } from './field-rules.ts'
import { cutOff, finish, logFailure } from './finish.ts'
import { forward } from './forward.ts'
import { dropClaims, prepareForwarding, resolveClient, takeHop } from './forwarded.ts'
import { asGatewayError, pluginFailure, reasonOf } from './plugin-failure.ts'
import { problemReply } from './problem.ts'
import { redirectReply } from './redirect.ts'
import { unrouted, unserved } from './refusals.ts'
import { adopt, endBody, localResponse, type Response, sendBody, sendHead } from './response.ts'
import type { CompiledRoute, Entry, Runtime, Step } from './route.ts'
import { notOpened, openTunnel, refuseUpgrade, wouldOpen } from './upgrade.ts'
import { type Phase, walk } from './walk.ts'

/**
 * The path of a request, from its head to the last byte of its response:
 *
 *     dispatch    canonical path, route; a CORS preflight: onPreflight
 *     onRequest   each plugin in order; one may answer          ─┐ an error anywhere: onError, problem+json
 *     attempt     attempts.ts: onAttempt, send, onAttemptEnd     │
 *     onResponse  in reverse, for upstream's and own answers    ◄┘
 *     respond     head, then the body through the filters
 *     tunnel      instead, after an upgrade: onTunnel, then bytes both ways
 *     finish      onFinish, access line
 *
 * Everything is a plain call until a hook returns a promise; only then is one waited for.
 */
export function dispatch(runtime: Runtime, entry: Entry, stream: ServerStream): void {
  const exchange = new Exchange(runtime, entry, stream, exchangeEvents)
  runtime.enter(exchange)
  stream.handler = exchange
  const refusal = locate(exchange)
  if (refusal !== undefined) return fail(exchange, refusal)
  if (exchange.method === 'OPTIONS') {
    // About the gateway as a whole.
    if (exchange.path === '*') return optionsAnswer(exchange, methods)
    if (takePreflight(exchange)) return
  }
  enterRoute(exchange)
}

/** Takes the request to its route and through the request hooks, or tells why there is none. */
function enterRoute(exchange: Exchange): void {
  const { runtime, entry, stream, method, host, path, query } = exchange
  const match = runtime.router.match(method, host, path, query, stream.fields, entry.listener)
  if (!match.found) return fail(exchange, unrouted(method, path, match))
  const compiled = runtime.routeAt(match.value)
  takeRoute(exchange, compiled, match.pattern)
  const refusal = stream.upgrade === undefined ? undefined : refuseUpgrade(exchange, stream.upgrade)
  if (refusal !== undefined) return fail(exchange, refusal)
  walk(exchange, requestPhase, compiled.onRequest, 0)
}

function takeRoute(exchange: Exchange, compiled: CompiledRoute, pattern: Pattern): void {
  exchange.compiled = compiled
  exchange.pattern = pattern
  dropClaims(exchange)
  const { deadlines } = exchange.runtime
  // A preflight that nobody answered is routed a second time.
  deadlines.remove(exchange)
  if (compiled.timeouts.total === 0) return
  exchange.deadline = exchange.startedAt + compiled.timeouts.total
  deadlines.add(exchange)
}

/**
 * A CORS preflight (Fetch standard, section 3.2.2) asks about another request, so it is for that request's route to answer,
 * before any plugin that judges who calls. False: it is none, or nobody there answers such.
 */
function takePreflight(exchange: Exchange): boolean {
  const { runtime, entry, stream, host, path, query, headers } = exchange
  const asked = headers.get('access-control-request-method')
  if (asked === undefined || !headers.has('origin')) return false
  const match = runtime.router.match(asked, host, path, query, stream.fields, entry.listener)
  if (!match.found) return false
  const compiled = runtime.routeAt(match.value)
  if (compiled.onPreflight.length === 0) return false
  takeRoute(exchange, compiled, match.pattern)
  walk(exchange, preflightPhase, compiled.onPreflight, 0)
  return true
}

/** The one canonical path, or why the request goes nowhere. */
function locate(exchange: Exchange): GatewayError | undefined {
  const { entry, stream, method } = exchange
  const target = parseTarget(method, stream.target, stream.fields.getKnown(known.host), entry.paths)
  if (target instanceof GatewayError) return target
  exchange.host = target.host
  exchange.path = target.path
  exchange.query = target.query
  const refusal = unserved(method)
  if (refusal !== undefined) return refusal
  if (entry.bodySize > 0 && stream.bodyLength > entry.bodySize) {
    return new GatewayError(
      'GATEWAY_BODY_TOO_LARGE',
      `the request announces ${stream.bodyLength} bytes, ${entry.bodySize} are allowed`,
    )
  }
  return undefined
}

type Hook<Name extends keyof CompiledRoute> = CompiledRoute[Name] extends readonly Step<infer Run>[] ? Run : never

const preflightPhase: Phase<Hook<'onPreflight'>> = {
  hook: 'onPreflight',
  forward: true,
  failed: fail,
  call: (exchange, run) => run(exchange),
  answered: (exchange, reply, step) => answer(exchange, reply, step.plugin, 'onPreflight'),
  done: exchange => {
    // Nobody answered: it is a request like any other, and starts over as one.
    exchange.compiled = undefined
    exchange.reached = -1
    enterRoute(exchange)
  },
}

const requestPhase: Phase<Hook<'onRequest'>> = {
  hook: 'onRequest',
  forward: true,
  failed: fail,
  call: (exchange, run) => run(exchange),
  answered: (exchange, reply, step) => answer(exchange, reply, step.plugin, 'onRequest'),
  done: exchange => {
    const { compiled } = exchange
    if (compiled === undefined) return
    // Inline hooks and those without a request step stand beyond the last one that ran; the whole chain was passed.
    exchange.reached = Number.MAX_SAFE_INTEGER
    const { action } = compiled
    if (action.kind === 'service') startAttempts(exchange)
    else
      answer(exchange, action.kind === 'reply' ? action.reply : redirectReply(exchange, action), 'gateway', action.kind)
  },
}

/** An answer made here goes the same way back as one from upstream. */
function answer(exchange: Exchange, reply: Reply, plugin: string, hook: string): void {
  try {
    respond(exchange, localResponse(reply))
  } catch (error) {
    fail(exchange, pluginFailure(plugin, hook, error))
  }
}

/** To an OPTIONS request that goes no further (RFC 9110 sections 7.6.2 and 9.3.7). */
function optionsAnswer(exchange: Exchange, allow: readonly string[]): void {
  answer(exchange, { status: 204, headers: { Allow: allow.join(', ') } }, 'gateway', 'options')
}

function startAttempts(exchange: Exchange): void {
  const { compiled } = exchange
  if (compiled?.action.kind !== 'service') return
  if (!takeHop(exchange)) {
    const { runtime, entry, host, path, query, headers } = exchange
    return optionsAnswer(exchange, runtime.router.allowed(host, path, query, headers, entry.listener))
  }
  prepareForwarding(exchange)
  exchange.prepared = true
  if (compiled.requestHeaders !== undefined) applyFieldRules(exchange.headers, compiled.requestHeaders)
  attempt(exchange)
}

/** Lets plugins see the head on its way back, then sends it. */
function respond(exchange: Exchange, response: Response): void {
  adopt(exchange, response)
  walk(exchange, responsePhase, exchange.compiled?.onResponse ?? [], 0)
}

const responsePhase: Phase<Hook<'onResponse'>> = {
  hook: 'onResponse',
  forward: false,
  failed: fail,
  call: (exchange, run) => (exchange.response === undefined ? undefined : run(exchange, exchange.response)),
  answered: (exchange, reply, step, index) => {
    try {
      const replaced = localResponse(reply)
      exchange.source?.abort()
      exchange.source = undefined
      adopt(exchange, replaced)
    } catch (error) {
      return fail(exchange, pluginFailure(step.plugin, 'onResponse', error))
    }
    walk(exchange, responsePhase, exchange.compiled?.onResponse ?? [], index + 1)
  },
  done: exchange => {
    const { response, upgraded } = exchange
    if (response === undefined) return
    if (exchange.upgrade !== undefined && wouldOpen(exchange, response)) return fail(exchange, notOpened(exchange))
    try {
      if (upgraded !== undefined && response.body === upgraded) return openTunnel(exchange, response, upgraded)
      sendHead(exchange, response)
    } catch (error) {
      return exchange.headSent ? cutOff(exchange, error) : fail(exchange, asGatewayError(error))
    }
    if (response.body === 'arrives') flushEarly(exchange)
  },
}

/** What arrived from upstream while an onResponse hook was thinking. */
function flushEarly(exchange: Exchange): void {
  if (exchange.early.length === 0 && exchange.earlyEnd === undefined) return
  let goOn = true
  for (const chunk of exchange.early.splice(0)) goOn = sendBody(exchange, chunk)
  if (exchange.earlyEnd !== undefined) endBody(exchange, exchange.earlyEnd.trailers)
  else if (goOn) exchange.source?.resumeBody()
}

/** The way of every error to the client: onError may answer it, else it becomes problem+json. */
function fail(exchange: Exchange, error: GatewayError): void {
  if (exchange.finished) return
  exchange.turn++
  exchange.source?.abort()
  exchange.source = undefined
  exchange.upload?.release()
  if (exchange.headSent || error.cutsOff) return cutOff(exchange, error)
  logFailure(exchange, error)
  if (exchange.failing) {
    // A second error, out of a hook that handled the first: no more hooks.
    exchange.error = error
    exchange.lastWord = true
    adopt(exchange, problemResponse(exchange, error))
    return responsePhase.done(exchange)
  }
  exchange.failing = true
  exchange.error = error
  walk(exchange, errorPhase, exchange.compiled?.onError ?? [], 0)
}

const errorPhase: Phase<Hook<'onError'>> = {
  hook: 'onError',
  forward: false,
  failed: fail,
  call: (exchange, run) => (exchange.error === undefined ? undefined : run(exchange, exchange.error)),
  answered: (exchange, reply, step) => answer(exchange, reply, step.plugin, 'onError'),
  done: exchange => {
    const { error } = exchange
    if (error !== undefined) respond(exchange, problemResponse(exchange, error))
  },
}

function problemResponse(exchange: Exchange, error: GatewayError): Response {
  const { id, compiled, runtime } = exchange
  const status = error.status === 504 ? runtime.timeoutStatus : error.status
  try {
    return localResponse(problemReply(error, { id, route: compiled?.name, status }))
  } catch (cause) {
    // A plugin's own error may carry a status or a header that no response can have.
    const plain = new GatewayError('GATEWAY_INTERNAL', `${error.code} cannot be answered: ${reasonOf(cause)}`, {
      cause,
    })
    logFailure(exchange, plain)
    return localResponse(problemReply(plain, { id, route: compiled?.name }))
  }
}

const exchangeEvents: ExchangeEvents = {
  client: resolveClient,
  answered: respond,
  failed: fail,
  aborted(exchange, error) {
    finish(exchange, error)
  },
  timedOut(exchange) {
    exchange.deadline = 0
    exchange.overdue = true
    const ms = Math.round(exchange.runtime.deadlines.now() - exchange.startedAt)
    const error = new GatewayError('GATEWAY_TIMEOUT', `the request's time was over after ${ms} ms`)
    exchange.abortSignal(error)
    if (exchange.headSent) cutOff(exchange, error)
    else fail(exchange, error)
  },
  forward(exchange, init) {
    return forward(exchange, init, exchangeEvents, sent =>
      sent.prepared ? attempt(sent) : walk(sent, requestPhase, sent.compiled?.onRequest ?? [], 0),
    )
  },
}
