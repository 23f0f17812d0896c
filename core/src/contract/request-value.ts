import type { Context } from './context.ts'

/** Where a text of a request stands; the first place that is given counts. */
export interface ValuePlace {
  readonly header?: string | undefined
  readonly cookie?: string | undefined
  readonly query?: string | undefined
}

/** What reads a text of a request: undefined where there is none, or an empty one. Of several of a name the first counts. */
export function requestValue({ header, cookie, query = '' }: ValuePlace): (ctx: Context) => string | undefined {
  if (header !== undefined) return ctx => ctx.headers.get(header) || undefined
  if (cookie === undefined) {
    return ctx => (ctx.query === '' ? undefined : new URLSearchParams(ctx.query).get(query) || undefined)
  }
  const start = `${cookie}=`
  return ctx => {
    const pairs = ctx.headers.get('cookie')?.split(';') ?? []
    const pair = pairs.find(text => text.trimStart().startsWith(start))
    return pair?.trim().slice(start.length) || undefined
  }
}
