import { type Context, requestValue } from '@gateway/core'

/** Where in a request credentials may stand; tried in this order. */
export interface Places {
  readonly header?: string | undefined
  /** Word before the credentials in that field, in any case; empty: the field holds nothing else. */
  readonly scheme?: string | undefined
  readonly cookie?: string | undefined
  readonly query?: string | undefined
}

type Find = (ctx: Context) => string | undefined

/** One function for all places that are given. */
export function credentialsIn({ header, scheme = '', cookie, query }: Places): Find {
  const finds: Find[] = []
  if (header !== undefined) finds.push(scheme === '' ? fromHeader(header) : afterScheme(header, scheme))
  if (cookie !== undefined) finds.push(fromCookie(cookie))
  if (query !== undefined) finds.push(requestValue({ query }))
  const [only, ...more] = finds
  if (only !== undefined && more.length === 0) return only
  return ctx => {
    for (const find of finds) {
      const found = find(ctx)
      if (found !== undefined) return found
    }
    return undefined
  }
}

const fromHeader =
  (name: string): Find =>
  ctx =>
    ctx.headers.get(name)?.trim() || undefined

function afterScheme(header: string, scheme: string): Find {
  const { length } = scheme
  const wanted = scheme.toLowerCase()
  return ctx => {
    const value = ctx.headers.get(header)
    if (value === undefined || value.length <= length || value[length] !== ' ') return undefined
    return value.slice(0, length).toLowerCase() === wanted ? value.slice(length + 1).trim() || undefined : undefined
  }
}

function fromCookie(cookie: string): Find {
  const find = requestValue({ cookie })
  return ctx => find(ctx)?.replace(/^"(.*)"$/, '$1') || undefined
}
