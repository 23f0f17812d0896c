import type { FieldList } from '@gateway/core'

/** Why a request went on to the upstream (RFC 9211 section 2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale'

export interface Forwarding {
  readonly reason: ForwardReason
  /** What the upstream answered, where the client gets something else. */
  readonly status?: number | undefined
  /** The answer is kept. */
  readonly stored?: boolean
  /** It was the request of another client. */
  readonly collapsed?: boolean
}

/** Of an answer that was there; the seconds for which it is fresh, negative when it is stale. */
export const hitStatus = (freshForMs: number): string => `gateway; hit; ttl=${Math.floor(freshForMs / 1000)}`

export function forwardStatus({ reason, status, stored, collapsed }: Forwarding): string {
  const parts = [`gateway; fwd=${reason}`]
  if (status !== undefined) parts.push(`fwd-status=${status}`)
  if (stored) parts.push('stored')
  if (collapsed) parts.push('collapsed')
  return parts.join('; ')
}

/** Behind what caches nearer to the origin said. */
export function addStatus(headers: FieldList, status: string): void {
  const before = headers.get('cache-status')
  headers.set('Cache-Status', before === undefined ? status : `${before}, ${status}`)
}
