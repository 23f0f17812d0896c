import {
  type Attempt,
  type Context,
  defineSlot,
  GatewayError,
  problem,
  type Reply,
  type RouteHooks,
} from '@gateway/core'
import { fieldChanges, queryChanges } from './change-fields.ts'
import { jsonChanges } from './change-json.ts'
import { compileCondition } from './condition.ts'
import { heldBody, isJson } from './held-body.ts'
import type { RequestRules } from './options.ts'

/** What is to be changed of a request; decided by the client's own message, before any of it is changed. */
const wanted = defineSlot<'head' | 'head and body'>()('transform.wanted')

const tooLarge = { status: 413, code: 'TRANSFORM_BODY_TOO_LARGE', title: 'Content too large' } as const
const invalid = { status: 400, code: 'TRANSFORM_BODY_INVALID', title: 'Invalid JSON' } as const
const encoded = { status: 415, code: 'TRANSFORM_BODY_ENCODED', title: 'Content coding not supported' } as const

const error = ({ code, ...rest }: typeof tooLarge | typeof invalid, message: string, cause?: unknown) =>
  new GatewayError(code, message, { ...rest, source: 'client', cause })

export function requestHooks(rules: RequestRules, maxBodySize: number): RouteHooks {
  const holds = compileCondition(rules.when)
  const changeFields = fieldChanges(rules.headers)
  const changeBody = rules.body && jsonChanges(rules.body)
  const onAttempt = changeTarget(rules)
  return {
    onRequest(ctx): Reply | undefined {
      if (!holds(ctx)) return undefined
      ctx.set(wanted, 'head')
      if (changeBody !== undefined && ctx.bodyLength !== 0 && isJson(ctx.headers.get('content-type'))) {
        if (ctx.bodyLength > maxBodySize) return problem(ctx, tooLarge)
        const coding = ctx.headers.get('content-encoding')?.toLowerCase() ?? 'identity'
        if (coding !== 'identity') return problem(ctx, { ...encoded, headers: { 'Accept-Encoding': 'identity' } })
        ctx.set(wanted, 'head and body')
        // They speak of the body as the client sent it.
        for (const name of ['content-digest', 'repr-digest', 'digest', 'content-md5']) ctx.headers.delete(name)
      }
      changeFields?.(ctx, ctx.headers)
      return undefined
    },
    ...(onAttempt && { onAttempt }),
    ...(changeBody && {
      onRequestBody(ctx) {
        if (ctx.get(wanted) !== 'head and body') return
        return heldBody(
          maxBodySize,
          () => error(tooLarge, `the body has more than ${maxBodySize} bytes`),
          body => Buffer.from(changed(decode(body), ctx)),
        )
      },
    }),
  }

  function changed(text: string, ctx: Context): string {
    try {
      return changeBody?.(text, ctx) ?? text
    } catch (cause) {
      // JSON that is nested too deep exhausts the stack.
      if (cause instanceof SyntaxError || cause instanceof RangeError)
        throw error(invalid, 'the body is no JSON', cause)
      throw cause
    }
  }
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw error(invalid, 'the body is no UTF-8', cause)
  }
}

function changeTarget({ path, query }: RequestRules): ((ctx: Context, attempt: Attempt) => void) | undefined {
  const changeQuery = queryChanges(query)
  if (path === undefined && changeQuery === undefined) return undefined
  return (ctx, attempt) => {
    if (ctx.get(wanted) === undefined) return
    if (path !== undefined) {
      const mark = attempt.path.indexOf('?')
      const end = mark === -1 ? attempt.path.length : mark
      attempt.path = attempt.path.slice(0, end).replace(path.pattern, path.with) + attempt.path.slice(end)
    }
    if (changeQuery !== undefined) attempt.path = changeQuery(ctx, attempt.path)
  }
}
