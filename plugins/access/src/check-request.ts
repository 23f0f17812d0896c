import { addressTest, type BodyFilter, type Context, GatewayError, problem, type Reply } from '@gateway/core'
import type { Rules } from './rules.ts'

/** Turns a request away, or lets it pass. */
export type Check = (ctx: Context) => Reply | undefined

/** The checks that rules ask for, in the order in which they are made: who, what, how much. */
export function requestChecks(rules: Rules): Check[] {
  return [
    ...(rules.deny === undefined ? [] : [denied(rules.deny)]),
    ...(rules.allow === undefined ? [] : [notAllowed(rules.allow)]),
    ...(rules.methods === undefined ? [] : [wrongMethod(rules.methods)]),
    ...(rules.requiredHeaders === undefined ? [] : [missingField(rules.requiredHeaders)]),
    ...(rules.contentTypes === undefined ? [] : [wrongContentType(rules.contentTypes)]),
    ...(rules.maxBodySize === undefined ? [] : [tooLarge(rules.maxBodySize)]),
  ]
}

const forbidden = (ctx: Context) => problem(ctx, { status: 403, code: 'ACCESS_ADDRESS_REFUSED', title: 'Forbidden' })

function denied(list: readonly string[]): Check {
  const isListed = addressTest(list)
  return ctx => (isListed(ctx.client.address) ? forbidden(ctx) : undefined)
}

function notAllowed(list: readonly string[]): Check {
  const isListed = addressTest(list)
  return ctx => (isListed(ctx.client.address) ? undefined : forbidden(ctx))
}

function wrongMethod(methods: readonly string[]): Check {
  const allowed = new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)
  const allow = [...allowed].join(', ')
  return ctx =>
    allowed.has(ctx.method)
      ? undefined
      : problem(ctx, {
          status: 405,
          code: 'ACCESS_METHOD_REFUSED',
          title: 'Method not allowed',
          headers: { Allow: allow },
        })
}

function missingField(names: readonly string[]): Check {
  return ctx => {
    const missing = names.find(name => (ctx.headers.get(name) ?? '') === '')
    if (missing === undefined) return undefined
    const detail = `the field ${missing} is missing`
    return problem(ctx, { status: 400, code: 'ACCESS_HEADER_MISSING', title: 'Required header missing', detail })
  }
}

function wrongContentType(types: readonly string[]): Check {
  const exact = new Set(types)
  const patterns = types.filter(type => type.includes('*')).map(type => type.split('*') as [string, string])
  const accept = types.join(', ')
  return ctx => {
    if (ctx.bodyLength === 0) return undefined
    const given = ctx.headers.get('content-type') ?? ''
    const end = given.indexOf(';')
    const type = (end === -1 ? given : given.slice(0, end)).trim().toLowerCase()
    if (exact.has(type) || patterns.some(([start, end]) => type.startsWith(start) && type.endsWith(end))) {
      return undefined
    }
    return problem(ctx, {
      status: 415,
      code: 'ACCESS_CONTENT_TYPE_REFUSED',
      title: 'Unsupported media type',
      // RFC 9110 section 15.5.16.
      headers: { Accept: accept },
    })
  }
}

const tooLargeDetails = { status: 413, code: 'ACCESS_BODY_TOO_LARGE', title: 'Content too large' } as const

/** Of a body that says how long it is; see {@link countBody} for the others. */
function tooLarge(limit: number): Check {
  return ctx => (ctx.bodyLength > limit ? problem(ctx, tooLargeDetails) : undefined)
}

/** Counts a body whose length nobody announced, and ends the request when it grows beyond the limit. */
export function countBody(limit: number): (ctx: Context) => BodyFilter | undefined {
  return ctx => {
    if (ctx.bodyLength !== -1) return undefined
    let bytes = 0
    return {
      push(chunk) {
        bytes += chunk.byteLength
        if (bytes <= limit) return chunk
        const { status, code, title } = tooLargeDetails
        throw new GatewayError(code, `the body has more than ${limit} bytes`, { status, title, source: 'client' })
      },
    }
  }
}
