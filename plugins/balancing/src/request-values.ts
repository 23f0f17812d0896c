import type { Context } from '@gateway/core'

/** A text of a request; undefined where there is none, or an empty one. */
export type Find = (ctx: Context) => string | undefined

const some = (text: string | null | undefined) => (text === '' || text === null ? undefined : text)

export function fromHeader(name: string): Find {
  return ctx => some(ctx.headers.get(name))
}

export function fromQuery(name: string): Find {
  return ctx => (ctx.query === '' ? undefined : some(new URLSearchParams(ctx.query).get(name)))
}

export function fromCookie(name: string): Find {
  const start = `${name}=`
  return ctx => {
    for (const pair of ctx.headers.get('cookie')?.split(';') ?? []) {
      const text = pair.trim()
      if (text.startsWith(start)) return some(text.slice(start.length))
    }
    return undefined
  }
}
