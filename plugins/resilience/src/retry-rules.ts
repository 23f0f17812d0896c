import type { Attempt, Outcome } from '@gateway/core'
import type { Condition, Settings } from './retry-options.ts'

const conditionOf: Readonly<Record<string, Condition>> = {
  GATEWAY_UPSTREAM_CONNECT: 'connect',
  GATEWAY_UPSTREAM_CONNECT_TIMEOUT: 'connect',
  GATEWAY_UPSTREAM_CLOSED: 'reset',
  GATEWAY_UPSTREAM_HEAD_TIMEOUT: 'timeout',
  GATEWAY_UPSTREAM_IDLE_TIMEOUT: 'timeout',
}

/** Whether an end of an attempt is one after which to try again. */
export function conditionTest(conditions: readonly Condition[]): (outcome: Outcome) => boolean {
  const all = new Set(conditions)
  const anyServerError = all.has('5xx')
  return outcome => {
    if ('status' in outcome) return all.has(outcome.status) || (anyServerError && outcome.status >= 500)
    const condition = conditionOf[outcome.error.code]
    return condition !== undefined && all.has(condition)
  }
}

/**
 * Milliseconds to the next attempt: at random up to a bound that doubles each time, so that clients that failed together do
 * not come back together; never sooner than the upstream asks. Undefined: it asks for more than is granted.
 */
export function delayBefore(
  { number, answer }: Attempt,
  outcome: Outcome,
  { backoff, maxRetryAfter }: Pick<Settings, 'backoff' | 'maxRetryAfter'>,
  now: number,
): number | undefined {
  const delay = Math.random() * Math.min(backoff.max, backoff.base * 2 ** (number - 1))
  const isTold = 'status' in outcome && (outcome.status === 429 || outcome.status === 503)
  const told = isTold ? retryAfter(answer?.get('retry-after'), now) : 0
  return told > maxRetryAfter ? undefined : Math.max(delay, told)
}

/** Milliseconds that `Retry-After` asks for: seconds, or a date (RFC 9110 section 10.2.3). What is neither asks for nothing. */
function retryAfter(field: string | undefined, now: number): number {
  if (field === undefined) return 0
  const ms = /^\d+$/.test(field) ? Number(field) * 1_000 : Date.parse(field) - now
  return ms > 0 ? ms : 0
}
