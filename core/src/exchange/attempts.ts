import type { GatewayError } from '../contract/errors.ts'
import type { RouteHooks } from '../contract/hooks.ts'
import { known } from '../http1/known-fields.ts'
import { type AttemptEvents, UpstreamAttempt } from './attempt.ts'
import { openConnector } from './connector.ts'
import type { Exchange, ResponseSource } from './exchange.ts'
import { cutOff, logFailure } from './finish.ts'
import { asGatewayError, isThenable, pluginFailure } from './plugin-failure.ts'
import { endBody, type Response, sendBody } from './response.ts'
import { upstreamPath } from './upstream-path.ts'
import { dispose, disregard, type Phase, walk } from './walk.ts'

/**
 * Makes an attempt, and those that follow from it: one after another, with waits between them where a plugin asks for
 * that, or one beside another where it hedges. Ends in `exchange.answered` or `exchange.failed`.
 */
export function attempt(exchange: Exchange): void {
  const { compiled, race } = exchange
  if (compiled?.action.kind !== 'service') return
  const { action } = compiled
  let run: UpstreamAttempt
  try {
    const target = action.service.pick(exchange, exchange.tried)
    if (target === undefined) return race === undefined ? exchange.failed(action.service.refusal()) : undefined
    exchange.attempts++
    exchange.target = target
    // A change that a hook makes holds for one attempt; without such hooks the request's own fields serve.
    const headers = compiled.onAttempt.length > 0 ? exchange.headers.clone() : exchange.headers
    const named = action.service.preserveHost ? headers.has('host') : compiled.requestHeaders?.setsHost === true
    if (!named) {
      headers.removeKnown(1 << known.host)
      headers.appendOwn(known.host, 'Host', target.authority)
    }
    run = new UpstreamAttempt(exchange, target, headers, upstreamPath(exchange, action), events)
  } catch (error) {
    return exchange.failed(asGatewayError(error))
  }
  exchange.attempt = run
  race?.add(run)
  walk(exchange, attemptPhase, compiled.onAttempt, 0)
}

const attemptPhase: Phase<NonNullable<RouteHooks['onAttempt']>> = {
  hook: 'onAttempt',
  forward: false,
  failed: (exchange, error) => exchange.failed(error),
  call: (exchange, run) => (exchange.attempt === undefined ? undefined : run(exchange, exchange.attempt)),
  // The type says that onAttempt returns nothing; a JavaScript plugin that does return something has not answered.
  answered: (exchange, _reply, _step, index) =>
    walk(exchange, attemptPhase, exchange.compiled?.onAttempt ?? [], index + 1),
  done: exchange => {
    const { attempt: run, compiled } = exchange
    if (run === undefined || compiled?.action.kind !== 'service') return
    exchange.source = exchange.race === undefined ? run : sourceOf(exchange.race)
    if (run.timeoutMs > 0 || run.hedge !== undefined) run.watch()
    try {
      const { connector } = compiled.action.service
      if (connector === undefined) run.send()
      else openConnector(run, connector, events.answered)
    } catch (error) {
      exchange.failed(asGatewayError(error))
    }
  },
}

const events: AttemptEvents = {
  answered(run, response) {
    const { exchange } = run
    run.answer = response.headers
    const verdict = endAttempt(run, response)
    if (typeof verdict === 'number' && run.replayable) {
      dispose(response)
      run.decline(response)
      return othersRace(run) ? undefined : again(run, verdict)
    }
    accept(run)
    exchange.answered(response)
  },
  data(exchange, chunk) {
    // A plugin may keep what it sees: see FilterChain.push.
    if (exchange.taken !== undefined) return exchange.taken.push(chunk.subarray())
    if (exchange.headSent) return sendBody(exchange, chunk)
    // An onResponse hook is still thinking.
    exchange.early.push(chunk)
    return false
  },
  end(exchange, trailers) {
    if (exchange.taken !== undefined) exchange.taken.push(null)
    else if (exchange.headSent) endBody(exchange, trailers)
    else exchange.earlyEnd = { trailers }
  },
  failed(run, error) {
    const { exchange } = run
    if (exchange.taken !== undefined) return void exchange.taken.destroy(error)
    if (run.accepted) return exchange.headSent ? cutOff(exchange, error) : exchange.failed(error)
    if (run.client?.reused === true) exchange.foundStale = true
    if (run.client?.untouched === true) avoid(run)
    const verdict = endAttempt(run, error)
    if (othersRace(run)) return
    if (!run.replayable || verdict === 'fail') exchange.failed(error)
    else if (verdict !== undefined) again(run, verdict)
    else if (isSafeToRepeat(run, error)) attempt(exchange)
    else exchange.failed(error)
  },
  slow(run) {
    const { exchange, hedge } = run
    if (!run.replayable || exchange.upgrade !== undefined || exchange.attempts >= mostAttempts) return
    // Two attempts cannot read from one client; one that has all of it to give can give it twice.
    if (exchange.stream.bodyLength !== 0 && exchange.upload?.whole !== true) return run.watchHedge()
    avoid(run)
    try {
      if (!hasUntried(exchange) || hedge?.may() !== true) return
    } catch (error) {
      return exchange.failed(asGatewayError(error))
    }
    exchange.race ??= new Set()
    exchange.race.add(run)
    attempt(exchange)
  },
}

/** What plugins say to it: how many milliseconds to wait before another attempt, or that there is to be none. */
function endAttempt(run: UpstreamAttempt, end: Response | GatewayError): number | 'fail' | undefined {
  const { exchange } = run
  const steps = exchange.compiled?.onAttemptEnd ?? []
  if (steps.length === 0) return undefined
  const outcome = end instanceof Error ? { error: end } : { status: end.status, headersMs: run.ageMs }
  let verdict: number | 'fail' | undefined
  for (const step of steps) {
    try {
      const said = step.run(exchange, run, outcome)
      if (isThenable(said)) disregard(exchange, 'onAttemptEnd', step.plugin, said)
      else if (said === 'fail') verdict ??= said
      else if (said === 'retry') verdict ??= 0
      else if (said !== undefined && typeof said.retryInMs === 'number') verdict ??= said.retryInMs
    } catch (error) {
      logFailure(exchange, pluginFailure(step.plugin, 'onAttemptEnd', error))
    }
  }
  return verdict !== undefined && exchange.attempts >= mostAttempts ? 'fail' : verdict
}

/** Its answer is the one: whatever is under way beside it is given up. */
function accept(run: UpstreamAttempt): void {
  const { exchange } = run
  const { race } = exchange
  if (race !== undefined) {
    exchange.race = undefined
    // Of one that has not been sent yet, a hook may be waited for.
    exchange.turn++
    race.delete(run)
    sourceOf(race).abort()
    exchange.source = run
    exchange.target = run.target
  }
  run.accept()
}

/** It is over. True when there are others beside it, whose answer is waited for. */
function othersRace(run: UpstreamAttempt): boolean {
  const { exchange } = run
  exchange.race?.delete(run)
  if (exchange.race?.size === 0) exchange.race = undefined
  return exchange.race !== undefined
}

function sourceOf(race: ReadonlySet<UpstreamAttempt>): ResponseSource {
  return {
    resumeBody: () => {},
    abort: () => {
      for (const run of race) run.abort()
    },
  }
}

/** Tries elsewhere, at once or later. */
function again(run: UpstreamAttempt, delayMs: number): void {
  const { exchange } = run
  avoid(run)
  if (!(delayMs > 0)) return attempt(exchange)
  // Also called off when the client leaves or the request's time is over.
  const abort = exchange.later(delayMs, () => attempt(exchange))
  exchange.source = { resumeBody: () => {}, abort }
}

function avoid({ exchange, target }: UpstreamAttempt): void {
  if (exchange.tried?.includes(target) !== true) exchange.tried = [...(exchange.tried ?? []), target]
}

function hasUntried({ compiled, tried }: Exchange): boolean {
  if (compiled?.action.kind !== 'service') return false
  return compiled.action.service.candidates.some(target => tried?.includes(target) !== true)
}

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** Attempts that the kernel makes by itself. */
const maxAttempts = 3
/** Attempts altogether: a plugin that asks for another every time must not go on for ever. */
const mostAttempts = 16

/**
 * The only retries that the kernel makes by itself (RFC 9110 section 9.2.2): of a request that never left, at a target
 * not yet tried, and of an idempotent one whose kept-alive connection turned out to be closed.
 */
function isSafeToRepeat({ exchange, client }: UpstreamAttempt, error: GatewayError): boolean {
  if (!error.retryable || client === undefined || exchange.attempts >= maxAttempts) return false
  return client.untouched ? hasUntried(exchange) : client.reused && idempotent.has(exchange.method)
}
