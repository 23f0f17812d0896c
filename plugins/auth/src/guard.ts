import type { Awaitable, Context, Log, Reply } from '@gateway/core'
import type { Callers } from './callers.ts'
import { identity as identitySlot } from './contract.ts'
import type { RouteRules } from './options.ts'
import type { Replies } from './replies.ts'
import type { Requirement } from './requirements.ts'
import { type Method, Refusal, type Verdict } from './verdict.ts'

export interface Guarded {
  readonly methods: readonly Method[]
  readonly optional: NonNullable<RouteRules['optional']>
  readonly requirements: readonly Requirement[]
  readonly callers: Callers
  readonly replies: Replies
}

/**
 * Asks who calls a route and whether they may. The first method that finds credentials of its kind decides: credentials
 * that were presented and do not hold are refused, whatever others there are.
 */
export function guard(route: Guarded, log: Log): (ctx: Context) => Awaitable<Reply | undefined> {
  const { methods, optional, requirements, callers, replies } = route

  function conclude(ctx: Context, method: Method, verdict: Verdict): Reply | undefined {
    if (verdict instanceof Refusal) {
      log.debug('credentials were refused', { requestId: ctx.id, method: method.name, reason: verdict.reason })
      return optional === 'lenient' && verdict.status === 401 ? undefined : replies.refused(ctx, method, verdict)
    }
    const { identity, fields } = callers.of(verdict)
    for (const requirement of requirements) {
      const lack = requirement(identity, ctx)
      if (lack === undefined) continue
      log.debug('a request was not allowed', { requestId: ctx.id, identity: identity.id, reason: lack.reason })
      return replies.lacking(ctx, method, lack)
    }
    ctx.set(identitySlot, identity)
    for (let i = 0; i < fields.length; i += 2) ctx.headers.set(fields[i] ?? '', fields[i + 1] ?? '')
    return undefined
  }

  return ctx => {
    for (const method of methods) {
      const credentials = method.find(ctx)
      if (credentials === undefined) continue
      const verdict = method.verify(credentials, ctx)
      return verdict instanceof Promise
        ? verdict.then(settled => conclude(ctx, method, settled))
        : conclude(ctx, method, verdict)
    }
    return optional === false ? replies.required(ctx) : undefined
  }
}
