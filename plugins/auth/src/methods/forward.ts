import type { Context } from '@gateway/core'
import { type Answer, ask } from '../ask.ts'
import type { ForwardOptions } from '../options.ts'
import { type Method, Refusal, type Verdict } from '../verdict.ts'

/** Asks a service about each request: 2xx says yes and who it is. Nothing is remembered, it may judge by the path. */
export function forwardMethod(options: ForwardOptions): Method {
  const { headers: shown, redirects } = options
  return {
    name: 'forward',
    scheme: 'Forward',
    find: ctx => (redirects || shown.some(name => ctx.headers.has(name)) ? 'shown' : undefined),
    verify: (_credentials, ctx) => askAbout(ctx, options),
  }
}

async function askAbout(ctx: Context, options: ForwardOptions): Promise<Verdict> {
  const { url, headers: shown, timeout, redirects } = options
  const { method, client, host, path, query, signal } = ctx
  const headers: Record<string, string> = {}
  for (const name of shown) {
    const value = ctx.headers.get(name)
    if (value !== undefined) headers[name.toLowerCase()] = value
  }
  Object.assign(headers, {
    'x-forwarded-method': method,
    'x-forwarded-proto': client.scheme,
    'x-forwarded-host': host,
    'x-forwarded-uri': query === '' ? path : `${path}?${query}`,
    'x-forwarded-for': client.address,
    'x-request-id': ctx.id,
  })
  let answer: Answer
  try {
    answer = await ask({ url, headers, timeoutMs: timeout, signal })
  } catch (error) {
    return new Refusal(503, error instanceof Error ? error.message : String(error))
  }
  const { status } = answer
  if (status >= 200 && status < 300) return identityOf(answer, options)
  const { headers: said } = answer
  if (status === 401) {
    return new Refusal(401, 'the service answered 401', { challenge: said.get('www-authenticate') ?? undefined })
  }
  if (status === 403) return new Refusal(403, 'the service answered 403')
  const location = said.get('location')
  if (redirects && [302, 303, 307].includes(status) && location !== null) {
    // With the cookies by which it knows the client again.
    const reply = { status, headers: { location, 'set-cookie': said.getSetCookie(), 'cache-control': 'no-store' } }
    return new Refusal(401, `the service answered ${status}`, { reply })
  }
  return new Refusal(503, `the service answered ${status}`)
}

function identityOf({ headers }: Answer, options: ForwardOptions): Verdict {
  const id = textOf(headers, options.id)
  if (id === undefined) return new Refusal(503, `the service did not say who it is: it sent no ${options.id}`)
  const claims: Record<string, unknown> = { sub: id }
  for (const [claim, name] of Object.entries(options.claims)) {
    const value = textOf(headers, name)
    if (value !== undefined) claims[claim] = value
  }
  const words = (name: string | undefined) =>
    (name === undefined ? '' : (textOf(headers, name) ?? '')).split(/[\s,]+/).filter(word => word !== '')
  return {
    id,
    method: 'forward',
    scopes: words(options.scopes),
    roles: words(options.roles),
    claims,
    expiresAt: undefined,
  }
}

/** Fields come as latin1, whatever they are; text is UTF-8 today. */
function textOf(headers: Headers, name: string): string | undefined {
  const value = headers.get(name)
  return value === null || value === '' ? undefined : Buffer.from(value, 'latin1').toString()
}
