import type { FieldList } from '@gateway/core'
import { type Reading, ticksPerMs } from './algorithms.ts'

/** Limits as draft-ietf-httpapi-ratelimit-headers-11 tells them to clients: one item each, beside those of the upstream. */
export function writeFields(headers: FieldList, checks: readonly (Reading & Told)[]): void {
  let policies = ''
  let limits = ''
  for (const check of checks) {
    // One that nobody could ask about, while its store is gone.
    if (check.remaining < 0) continue
    const { name, policyItem, rate } = check.limit
    policies += `${policies && ', '}${policyItem}`
    limits += `${limits && ', '}"${name}";r=${check.remaining}`
    if (rate !== undefined) limits += `;t=${effectiveWindow(check)}`
  }
  if (policies === '') return
  headers.append('RateLimit-Policy', policies)
  headers.append('RateLimit', limits)
}

interface Told {
  readonly limit: { readonly name: string; readonly policyItem: string; readonly rate: object | undefined }
}

/**
 * The time until all of the quota is there again: a client that spreads what remains over it is never refused. After a
 * refusal, when to come back, for Retry-After must not be earlier (section 6).
 */
function effectiveWindow({ admitted, retryTicks, resetTicks }: Reading): number {
  return seconds(admitted || retryTicks === Number.POSITIVE_INFINITY ? resetTicks : Math.min(retryTicks, resetTicks))
}

/** Whole seconds, rounded up; undefined when no time would help. */
export function retryAfter(checks: readonly Reading[]): string | undefined {
  let longest = 0
  for (const { admitted, retryTicks } of checks) if (!admitted) longest = Math.max(longest, retryTicks)
  return longest === Number.POSITIVE_INFINITY ? undefined : String(Math.max(1, seconds(longest)))
}

const seconds = (ticks: number) => Math.ceil(ticks / (1000 * ticksPerMs))
