import { hash } from 'node:crypto'
import { identity } from '@gateway/auth/contract'
import { type Context, requestValue } from '@gateway/core'

/** Places that clients have, from 0: a share of 1% is a hundred of them. */
export const places = 10_000

/** What gives a client its place. */
export type By = 'ip' | 'user' | { readonly header: string } | { readonly cookie: string }

/**
 * The place of whoever sends a request, the same on every route, worker and gateway, since it is computed of the value
 * alone. Undefined for a request without that value.
 */
export function placeBy(by: By): (ctx: Context) => number | undefined {
  const keyOf = keyReader(by)
  return ctx => {
    const key = keyOf(ctx)
    return key === undefined ? undefined : hash('sha256', key, 'buffer').readUInt32BE(0) % places
  }
}

function keyReader(by: By): (ctx: Context) => string | undefined {
  if (by === 'ip') return ctx => ctx.client.address
  if (typeof by === 'object') return requestValue(by)
  return ctx => {
    const caller = ctx.get(identity)
    return caller && `${caller.method} ${caller.id}`
  }
}
